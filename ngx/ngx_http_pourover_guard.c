
/*
 * Who may call the API.  By the address of the connection itself: realip
 * changes the client's address of a request, and with it anybody could be
 * loopback.  A page in a browser on this machine is not its user: requests with
 * an Origin are refused.
 */

#include "ngx_http_pourover.h"

#include "base/ct.h"
#include "base/sha256.h"


#define NGX_HTTP_POUROVER_TOKEN_MIN  16


static ngx_int_t
ngx_http_pourover_api_params(ngx_conf_t *cf, ngx_http_pourover_api_conf_t *api)
{
    ngx_str_t   *value, v;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_pourover_conf_param(&value[i], "token", &v) && v.len) {
            if (ngx_http_pourover_conf_secret(cf, &v,
                                              NGX_HTTP_POUROVER_TOKEN_MIN,
                                              &api->token)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        if (ngx_http_pourover_conf_param(&value[i], "allow", &v)) {
            api->allow = ngx_http_pourover_conf_cidrs(cf, &v);
            if (api->allow == NULL) {
                return NGX_ERROR;
            }

            continue;
        }

        if (ngx_strcmp(value[i].data, "insecure=on") == 0) {
            api->insecure = 1;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_api: invalid parameter \"%V\"; it takes "
                           "[token=FILE] [allow=CIDR[,CIDR]] [insecure=on]",
                           &value[i]);
        return NGX_ERROR;
    }

    if (api->insecure && (api->token.len || api->allow)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_api: insecure=on lets everybody in, what "
                           "is token or allow to do beside it? Leave one out");
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_pourover_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pourover_main_conf_t *pmcf = conf;

    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_pourover_api_conf_t   *api, **slot;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_pourover_api_handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_api is duplicate: once in a location");
        return NGX_CONF_ERROR;
    }

    if (clcf->exact_match || clcf->named || clcf->noname
#if (NGX_PCRE)
        || clcf->regex
#endif
        || clcf->name.len == 0 || clcf->name.data[clcf->name.len - 1] != '/')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_api has its calls below its location; "
                           "right is a prefix that ends in a slash: "
                           "\"location /pourover/ { pourover_api; }\"");
        return NGX_CONF_ERROR;
    }

    api = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_api_conf_t));
    slot = ngx_array_push(&pmcf->apis);
    if (api == NULL || slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = api;

    api->cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    api->clcf = clcf;
    api->line = cf->conf_file->line;
    api->file_name = ngx_pnalloc(cf->pool, cf->conf_file->file.name.len + 1);
    if (api->file_name == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn(api->file_name, cf->conf_file->file.name.data,
                       cf->conf_file->file.name.len + 1);

    clcf->handler = ngx_http_pourover_api_handler;

    return ngx_http_pourover_api_params(cf, api) == NGX_OK ? NGX_CONF_OK
                                                           : NGX_CONF_ERROR;
}


/* of this machine only: a unix socket, 127.0.0.0/8, ::1 */

static ngx_uint_t
ngx_http_pourover_is_local(struct sockaddr *sa)
{
    struct in6_addr      *addr6;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    switch (sa->sa_family) {

    case AF_UNIX:
        return 1;

    case AF_INET:
        sin = (void *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

    case AF_INET6:
        sin6 = (void *) sa;
        addr6 = &sin6->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(addr6)
               || (IN6_IS_ADDR_V4MAPPED(addr6) && addr6->s6_addr[12] == 127);

    default:
        return 0;
    }
}


static ngx_int_t
ngx_http_pourover_api_check_one(ngx_conf_t *cf,
    ngx_http_pourover_api_conf_t *api)
{
    ngx_uint_t                   i, j, k;
    ngx_http_conf_addr_t        *addr;
    ngx_http_conf_port_t        *port;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {
        addr = port[i].addrs.elts;

        for (j = 0; j < port[i].addrs.nelts; j++) {
            server = addr[j].servers.elts;

            if (ngx_http_pourover_is_local(addr[j].opt.sockaddr)) {
                continue;
            }

            for (k = 0; k < addr[j].servers.nelts; k++) {
                if (server[k] != api->cscf) {
                    continue;
                }

                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "pourover_api could be called by anybody who "
                              "reaches %V; let its server listen on 127.0.0.1, "
                              "[::1] or unix: only, or write \"pourover_api "
                              "token=FILE\", \"allow=CIDR\" or \"insecure=on\" "
                              "in %s:%ui",
                              &addr[j].opt.addr_text, api->file_name,
                              api->line);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_pourover_api_check(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_pourover_api_conf_t   **api;
    ngx_http_pourover_main_conf_t   *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pourover_module);
    api = pmcf->apis.elts;

    for (i = 0; i < pmcf->apis.nelts; i++) {

        if (pmcf->zone == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "pourover_api has nothing to tell; write "
                          "\"pourover_zone name=main size=8m state=FILE;\" "
                          "into the http block in %s:%ui",
                          api[i]->file_name, api[i]->line);
            return NGX_ERROR;
        }

        if (api[i]->token.len == 0 && api[i]->allow == NULL
            && !api[i]->insecure
            && ngx_http_pourover_api_check_one(cf, api[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the other end of the connection, whatever realip has made of it */

static ngx_int_t
ngx_http_pourover_guard_peer(ngx_http_request_t *r, ngx_sockaddr_t *peer)
{
    socklen_t  len;

    len = sizeof(ngx_sockaddr_t);

    if (getpeername(r->connection->fd, &peer->sockaddr, &len) == -1) {
        return NGX_ERROR;
    }

    if (len < sizeof(sa_family_t)) {
        /* the other end of a socketpair */
        peer->sockaddr.sa_family = AF_UNIX;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_pourover_guard_address(ngx_http_pourover_api_conf_t *api,
    ngx_sockaddr_t *peer)
{
    return ngx_http_pourover_is_local(&peer->sockaddr)
           || (api->allow ? ngx_cidr_match(&peer->sockaddr, api->allow)
                            == NGX_OK
                          : api->token.len || api->insecure);
}


/*
 * A local peer speaks for others when it is a proxy, and when it is a browser
 * that a page has led here by a name of its own (DNS rebinding: same origin,
 * so no Origin header).  Both show.
 */

static const char *
ngx_http_pourover_guard_local(ngx_http_request_t *r, ngx_sockaddr_t *peer)
{
    ngx_str_t                *host;
    ngx_http_pourover_seen_t  seen;

    ngx_http_pourover_look(r, &seen);

    if (seen.proxied || r->connection->proxy_protocol) {
        return "this call came through a proxy, which may speak for anybody; "
               "give pourover_api a token=FILE for that";
    }

    host = &r->headers_in.server;

    if (peer->sockaddr.sa_family == AF_UNIX || host->len == 0
        || host->data[0] == '['
        || ngx_inet_addr(host->data, host->len) != INADDR_NONE
        || (host->len == sizeof("localhost") - 1
            && ngx_strncasecmp(host->data, (u_char *) "localhost",
                               sizeof("localhost") - 1) == 0))
    {
        return NULL;
    }

    return "the Host header has a name; right is localhost or an address, or "
           "give pourover_api a token=FILE";
}


/* in a time that does not tell how much of it was right */

static ngx_uint_t
ngx_http_pourover_guard_token(ngx_http_request_t *r, ngx_str_t *token)
{
    uint8_t     sent[32], right[32];
    ngx_str_t  *value;

    if (r->headers_in.authorization == NULL) {
        return 0;
    }

    value = &r->headers_in.authorization->value;

    if (value->len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(value->data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1) != 0)
    {
        return 0;
    }

    sha256(value->data + sizeof("Bearer ") - 1,
           value->len - (sizeof("Bearer ") - 1), sent);
    sha256(token->data, token->len, right);

    return ct_equal(sent, right, sizeof(sent));
}


ngx_int_t
ngx_http_pourover_guard(ngx_http_request_t *r,
    ngx_http_pourover_api_conf_t *api, const char **message)
{
    ngx_uint_t        i;
    ngx_sockaddr_t    peer;
    ngx_list_part_t  *part;

    part = &r->headers_in.headers.part;
    i = 0;

    if (ngx_http_pourover_guard_peer(r, &peer) != NGX_OK
        || !ngx_http_pourover_guard_address(api, &peer))
    {
        *message = "this address may not call the API; loopback addresses and "
                   "unix sockets may, and what pourover_api allows";
        return NGX_HTTP_FORBIDDEN;
    }

    if (ngx_http_pourover_next_header(&part, &i, "origin",
                                      sizeof("origin") - 1))
    {
        *message = "pages in browsers may not call the API: leave the Origin "
                   "header out";
        return NGX_HTTP_FORBIDDEN;
    }

    if (api->token.len == 0 && !api->insecure
        && ngx_http_pourover_is_local(&peer.sockaddr))
    {
        *message = ngx_http_pourover_guard_local(r, &peer);
        if (*message) {
            return NGX_HTTP_FORBIDDEN;
        }
    }

    if (api->token.len && !ngx_http_pourover_guard_token(r, &api->token)) {
        *message = "the token is missing or wrong; right is the header "
                   "\"Authorization: Bearer TOKEN\" (pourover: --token-file "
                   "FILE)";
        return NGX_HTTP_UNAUTHORIZED;
    }

    return NGX_OK;
}
