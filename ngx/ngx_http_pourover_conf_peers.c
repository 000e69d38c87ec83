
/* The peers of a service, as its upstream block names them. */

#include "ngx_http_pourover_check.h"

#include "base/num.h"


static ngx_int_t
ngx_http_pourover_server_param(ngx_conf_t *cf,
    ngx_http_pourover_server_t *server, ngx_str_t *arg)
{
    uint64_t   weight;
    ngx_str_t  v;

    if (ngx_strcmp(arg->data, "track=stable") == 0) {
        server->track = TRACK_STABLE;
        return NGX_OK;
    }

    if (ngx_strcmp(arg->data, "track=canary") == 0) {
        server->track = TRACK_CANARY;
        return NGX_OK;
    }

    if (ngx_http_pourover_conf_param(arg, "weight", &v)
        && num_u64(ngx_http_pourover_str(v), 1, ZONE_WEIGHT_MAX, &weight) == 0)
    {
        server->weight = (ngx_uint_t) weight;
        return NGX_OK;
    }

    if (ngx_http_pourover_conf_param(arg, "dc", &v)
        && v.len > 0 && v.len <= ZONE_DC_MAX)
    {
        server->dc = v;
        return NGX_OK;
    }

    if (ngx_strcmp(arg->data, "resolve") == 0) {
        server->resolve = 1;
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "pourover_server: invalid parameter \"%V\"; it takes "
                       "track=stable|canary, weight=1..%ui, dc=NAME of at most "
                       "%d bytes, resolve",
                       arg, (ngx_uint_t) ZONE_WEIGHT_MAX, ZONE_DC_MAX);

    return NGX_ERROR;
}


/* a name that is resolved later is known as NAME:PORT */

static ngx_int_t
ngx_http_pourover_server_name(ngx_conf_t *cf,
    ngx_http_pourover_server_t *server, ngx_url_t *u)
{
    if (u->naddrs) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_server: \"%V\" is an address, there is "
                           "nothing to resolve; leave resolve out", &u->url);
        return NGX_ERROR;
    }

    server->port = u->port;
    server->name.data = ngx_pnalloc(cf->pool, u->host.len + sizeof(":65535"));
    if (server->name.data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(u->host.data, u->host.data, u->host.len);
    server->name.len = ngx_sprintf(server->name.data, "%V:%ud", &u->host,
                                   (unsigned) u->port)
                       - server->name.data;

    return NGX_OK;
}


char *
ngx_http_pourover_conf_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_url_t                      u;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_pourover_server_t    *server;
    ngx_http_pourover_service_t   *ps;
    ngx_http_pourover_srv_conf_t  *pscf;

    pscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_pourover_module);
    ps = pscf->service;

    if (ps == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_server: write \"pourover zone=NAME;\" "
                           "above it in the same upstream");
        return NGX_CONF_ERROR;
    }

    server = ngx_array_push(&ps->servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_pourover_server_t));
    server->weight = 1;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_pourover_server_param(cf, server, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = value[1];
    u.default_port = 80;
    u.no_resolve = server->resolve != 0;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_server: %s \"%V\"; right is ADDRESS:PORT, "
                           "NAME:PORT or unix:PATH%s",
                           u.err ? u.err : "invalid address", &u.url,
                           server->resolve ? "" : ", or add resolve to a name "
                           "that comes and goes");
        return NGX_CONF_ERROR;
    }

    server->addrs = u.addrs;
    server->naddrs = u.naddrs;
    server->name = u.url;

    if (server->resolve
        && ngx_http_pourover_server_name(cf, server, &u) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the host of HOST:PORT, if HOST is a name; else the text as it is */

static struct str
ngx_http_pourover_host(struct str text)
{
    size_t      colon;
    struct str  host;

    colon = str_find_char(text, ':');
    host = (struct str) { text.ptr, colon };

    if (colon == text.len
        || str_starts_with(text, STR("["))
        || str_starts_with(text, STR("unix:"))
        || ngx_inet_addr((u_char *) host.ptr, host.len) != INADDR_NONE)
    {
        return text;
    }

    return host;
}


/* addr NULL: a name, whose addresses come later */

static ngx_int_t
ngx_http_pourover_add_peer(ngx_conf_t *cf, ngx_http_pourover_service_t *ps,
    ngx_http_pourover_server_t *server, ngx_addr_t *addr, ngx_uint_t down)
{
    ngx_uint_t                 i;
    struct str                 address;
    ngx_http_pourover_peer_t  *peer;

    address = ngx_http_pourover_str(addr ? addr->name : server->name);
    peer = ps->peers.elts;

    for (i = 0; i < ps->peers.nelts; i++) {
        if (peer[i].spec.track == server->track
            && str_eq(peer[i].spec.address, address))
        {
            /* named twice, as some do for a greater weight */
            peer[i].spec.weight += (uint32_t) server->weight;
            return NGX_OK;
        }
    }

    peer = ngx_array_push(&ps->peers);
    if (peer == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(peer, sizeof(ngx_http_pourover_peer_t));
    peer->spec.address = address;
    peer->spec.name = ngx_http_pourover_host(
                                         ngx_http_pourover_str(server->name));
    peer->spec.dc = ngx_http_pourover_str(server->dc);
    peer->spec.track = server->track;
    peer->spec.weight = (uint32_t) server->weight;
    peer->spec.origin = ORIGIN_CONFIG;
    peer->spec.state = down ? PEER_DOWN : PEER_READY;
    peer->spec.parent = -1;
    peer->down = down;

    if (addr) {
        peer->spec.sockaddr = addr->sockaddr;
        peer->spec.sockaddr_len = addr->socklen;

    } else {
        peer->spec.is_name = 1;
        peer->port = server->port;
    }

    if (peer->spec.address.len > ZONE_ADDRESS_MAX
        || peer->spec.name.len > ZONE_ADDRESS_MAX)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "upstream \"%V\": \"%V\" is longer than %d bytes "
                      "in %s:%ui", &ps->name, &server->name,
                      ZONE_ADDRESS_MAX, ps->file_name, ps->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_add_peers(ngx_conf_t *cf, ngx_http_pourover_service_t *ps,
    ngx_http_pourover_server_t *server, ngx_uint_t down)
{
    ngx_uint_t  i;

    if (server->resolve) {
        return ngx_http_pourover_add_peer(cf, ps, server, NULL, down);
    }

    for (i = 0; i < server->naddrs; i++) {
        if (ngx_http_pourover_add_peer(cf, ps, server, &server->addrs[i], down)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_adopt_servers(ngx_conf_t *cf,
    ngx_http_pourover_service_t *ps, ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t                    i;
    ngx_http_upstream_server_t   *plain;
    ngx_http_pourover_server_t    server;

    plain = us->servers->elts;

    for (i = 0; i < us->servers->nelts; i++) {

        if (plain[i].backup || plain[i].max_conns) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "upstream \"%V\": \"%s\" of server \"%V\" is not "
                          "supported by \"pourover\" in %s:%ui",
                          &us->host, plain[i].backup ? "backup" : "max_conns",
                          &plain[i].name, ps->file_name, ps->line);
            return NGX_ERROR;
        }

        ngx_memzero(&server, sizeof(ngx_http_pourover_server_t));
        server.addrs = plain[i].addrs;
        server.naddrs = plain[i].naddrs;
        server.name = plain[i].name;
        server.track = TRACK_STABLE;
        server.weight = plain[i].weight;

        if (ngx_http_pourover_add_peers(cf, ps, &server, plain[i].down)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_check_peers(ngx_conf_t *cf, ngx_http_pourover_service_t *ps,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t                 i, stable;
    ngx_http_pourover_peer_t  *peer;

    if (ps->peers.nelts == 0 || ps->peers.nelts > ZONE_PEERS_MAX) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "upstream \"%V\" has %ui peers, it must have 1 to %ui; "
                      "add \"server ADDRESS;\" or \"pourover_server ADDRESS "
                      "track=canary;\" in %s:%ui",
                      &us->host, ps->peers.nelts, (ngx_uint_t) ZONE_PEERS_MAX,
                      ps->file_name, ps->line);
        return NGX_ERROR;
    }

    peer = ps->peers.elts;
    stable = 0;

    for (i = 0; i < ps->peers.nelts; i++) {
        stable += peer[i].spec.track == TRACK_STABLE;

        if (peer[i].spec.weight < 1
            || peer[i].spec.weight > ZONE_WEIGHT_MAX)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "upstream \"%V\": the weight of \"%*s\" is %uD, it "
                          "must be 1 to %ui in %s:%ui",
                          &us->host, peer[i].spec.address.len,
                          peer[i].spec.address.ptr, peer[i].spec.weight,
                          (ngx_uint_t) ZONE_WEIGHT_MAX,
                          ps->file_name, ps->line);
            return NGX_ERROR;
        }
    }

    for (i = 0; ps->check && ps->check->port && i < ps->peers.nelts; i++) {
        if (str_starts_with(peer[i].spec.address, STR("unix:"))) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "upstream \"%V\": \"%*s\" cannot be checked at "
                          "another port; remove port= of pourover_check in "
                          "%s:%ui",
                          &us->host, peer[i].spec.address.len,
                          peer[i].spec.address.ptr, ps->file_name, ps->line);
            return NGX_ERROR;
        }
    }

    if (stable == 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "upstream \"%V\" has no stable peer: whoever is not on "
                      "the canary gets an error; add \"server ADDRESS;\" in "
                      "%s:%ui", &us->host, ps->file_name, ps->line);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_pourover_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t                    i;
    ngx_http_pourover_server_t   *server;
    ngx_http_pourover_service_t  *ps;

    ps = ngx_http_pourover_service_by(us);

#if (NGX_HTTP_UPSTREAM_ZONE)
    if (us->shm_zone) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "upstream \"%V\": remove \"zone\"; \"pourover\" keeps "
                      "the peers in its own zone in %s:%ui",
                      &us->host, ps->file_name, ps->line);
        return NGX_ERROR;
    }
#endif

    if (ngx_http_pourover_adopt_servers(cf, ps, us) != NGX_OK) {
        return NGX_ERROR;
    }

    server = ps->servers.elts;

    for (i = 0; i < ps->servers.nelts; i++) {
        if (ngx_http_pourover_add_peers(cf, ps, &server[i], 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_pourover_check_peers(cf, ps, us) != NGX_OK) {
        return NGX_ERROR;
    }

    us->peer.init = ngx_http_pourover_init_peer;
    ps->inited = 1;

    return NGX_OK;
}
