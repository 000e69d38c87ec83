
/*
 * Configurations made, merged and checked as a whole.  The directives about
 * services are read in conf_service.c, those about visitors in conf_visitor.c.
 */

#include "ngx_http_pourover.h"
#include "ngx_http_pourover_told.h"


void *
ngx_http_pourover_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_main_conf_t));
    if (pmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&pmcf->services, cf->pool, 4,
                       sizeof(ngx_http_pourover_service_t *)) != NGX_OK
        || ngx_array_init(&pmcf->healthchecks, cf->pool, 1,
                          sizeof(ngx_http_pourover_healthcheck_t *)) != NGX_OK
        || ngx_array_init(&pmcf->apis, cf->pool, 4,
                          sizeof(ngx_http_pourover_api_conf_t *)) != NGX_OK)
    {
        return NULL;
    }

    return pmcf;
}


void *
ngx_http_pourover_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_pourover_srv_conf_t  *pscf;

    pscf = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_srv_conf_t));
    if (pscf == NULL) {
        return NULL;
    }

    pscf->visitor = NGX_CONF_UNSET_PTR;
    pscf->version = NGX_CONF_UNSET_PTR;

    return pscf;
}


char *
ngx_http_pourover_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_pourover_srv_conf_t  *prev = parent;
    ngx_http_pourover_srv_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->visitor, prev->visitor, NULL);
    ngx_conf_merge_ptr_value(conf->version, prev->version, NULL);

    if (conf->visitor && conf->version
        && conf->visitor->cookie.len == conf->version->cookie.len
        && ngx_strncmp(conf->visitor->cookie.data, conf->version->cookie.data,
                       conf->version->cookie.len) == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_version_cookie: \"%V\" is the cookie that "
                           "pourover_visitor issues ids in; each needs a name "
                           "of its own", &conf->version->cookie);
        return (char *) NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void *
ngx_http_pourover_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_pourover_loc_conf_t  *plcf;

    plcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_loc_conf_t));
    if (plcf == NULL) {
        return NULL;
    }

    plcf->force = NGX_CONF_UNSET_PTR;
    plcf->headers = NGX_CONF_UNSET_UINT;
    plcf->maintenance = NGX_CONF_UNSET_PTR;
    plcf->other_track = NGX_CONF_UNSET_UINT;

    return plcf;
}


ngx_http_pourover_service_t *
ngx_http_pourover_find_service(ngx_http_pourover_main_conf_t *pmcf,
    ngx_str_t *name, const char **near)
{
    ngx_uint_t                     i, n;
    const char                    *names[64];
    ngx_http_pourover_service_t  **ps;

    ps = pmcf->services.elts;
    n = 0;

    for (i = 0; i < pmcf->services.nelts; i++) {
        if (ps[i]->name.len == name->len
            && ngx_strncmp(ps[i]->name.data, name->data, name->len) == 0)
        {
            return ps[i];
        }

        if (n < sizeof(names) / sizeof(names[0])) {
            names[n++] = (const char *) ps[i]->name.data;
        }
    }

    *near = str_nearest(ngx_http_pourover_str(*name), names, n);

    return NULL;
}


static char *
ngx_http_pourover_resolve_service(ngx_conf_t *cf,
    ngx_http_pourover_loc_conf_t *conf)
{
    const char                     *near;
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pourover_module);
    near = NULL;

    if (conf->service_name.data == NULL) {
        conf->service = pmcf->services.nelts == 1
                        ? *(ngx_http_pourover_service_t **) pmcf->services.elts
                        : NULL;
        return NGX_CONF_OK;
    }

    if (conf->service_name.len == 3
        && ngx_strncmp(conf->service_name.data, "off", 3) == 0)
    {
        conf->service = NULL;
        return NGX_CONF_OK;
    }

    conf->service = ngx_http_pourover_find_service(pmcf, &conf->service_name,
                                                   &near);
    if (conf->service == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pourover_service: there is no service \"%V\"%s%s%s; "
                      "a service is an upstream with \"pourover\", or a "
                      "\"pourover_cut\" in %s:%ui",
                      &conf->service_name,
                      near ? ", did you mean \"" : "", near ? near : "",
                      near ? "\"?" : "",
                      conf->service_file, conf->service_line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pourover_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_pourover_loc_conf_t  *prev = parent;
    ngx_http_pourover_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->healthcheck == NULL) {
        /* "if" and "limit_except" are their location */
        conf->healthcheck = prev->healthcheck;
    }

    ngx_http_pourover_merge_maintenance(prev, conf);
    ngx_conf_merge_ptr_value(conf->force, prev->force, NULL);
    ngx_conf_merge_uint_value(conf->headers, prev->headers,
                              NGX_HTTP_POUROVER_HEADERS_ON);
    ngx_conf_merge_uint_value(conf->other_track, prev->other_track, 0);

    if (conf->service_name.data == NULL) {
        conf->service_name = prev->service_name;
        conf->service_file = prev->service_file;
        conf->service_line = prev->service_line;
    }

    return ngx_http_pourover_resolve_service(cf, conf);
}


static ngx_int_t
ngx_http_pourover_check_service(ngx_conf_t *cf,
    ngx_http_pourover_main_conf_t *pmcf, ngx_http_pourover_service_t *ps)
{
    ngx_http_pourover_zone_t  *pz;

    pz = pmcf->zone;

    if (pz == NULL
        || pz->name.len != ps->zone_name.len
        || ngx_strncmp(pz->name.data, ps->zone_name.data, pz->name.len) != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "service \"%V\": there is no zone \"%V\"; write "
                      "\"pourover_zone name=%V size=8m state=FILE;\" into the "
                      "http block in %s:%ui",
                      &ps->name, &ps->zone_name, &ps->zone_name,
                      ps->file_name, ps->line);
        return NGX_ERROR;
    }

    if (ps->uscf && !ps->inited) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "upstream \"%V\": another load balancing method took "
                      "the place of \"pourover\"; remove it (pourover balances "
                      "by itself) in %s:%ui",
                      &ps->name, ps->file_name, ps->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_pourover_conf_check(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_pourover_service_t    **ps;
    ngx_http_pourover_main_conf_t   *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pourover_module);
    ps = pmcf->services.elts;

    ngx_http_pourover_find_passing(cf);

    for (i = 0; i < pmcf->services.nelts; i++) {
        if (ngx_http_pourover_check_service(cf, pmcf, ps[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        pmcf->peers += ps[i]->peers.nelts;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_pourover_conf_param(ngx_str_t *arg, const char *name,
    ngx_str_t *ret_value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len <= len || ngx_strncmp(arg->data, name, len) != 0
        || arg->data[len] != '=')
    {
        return 0;
    }

    ret_value->data = arg->data + len + 1;
    ret_value->len = arg->len - len - 1;

    return 1;
}


ngx_array_t *
ngx_http_pourover_conf_cidrs(ngx_conf_t *cf, ngx_str_t *list)
{
    ngx_int_t      rc;
    ngx_str_t      text;
    ngx_cidr_t    *cidr;
    struct str     rest, head;
    ngx_array_t   *cidrs;

    cidrs = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
    if (cidrs == NULL) {
        return NULL;
    }

    rest = ngx_http_pourover_str(*list);

    while (str_cut(&rest, ',', &head)) {
        cidr = ngx_array_push(cidrs);
        if (cidr == NULL) {
            return NULL;
        }

        text.data = (u_char *) head.ptr;
        text.len = head.len;

        rc = text.len ? ngx_ptocidr(&text, cidr) : NGX_ERROR;

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "allow: \"%V\" is no address or network; right "
                               "is allow=10.0.0.5,192.168.1.0/24", &text);
            return NULL;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "allow: low address bits of %V are meaningless",
                               &text);
        }
    }

    return cidrs;
}


ngx_int_t
ngx_http_pourover_conf_secret(ngx_conf_t *cf, ngx_str_t *path, size_t min,
    ngx_str_t *ret_secret)
{
    u_char           buf[4096];
    ssize_t          n;
    ngx_fd_t         fd;
    struct str       text;
    ngx_file_info_t  fi;

    if (path->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the file with the secret has no name");
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot open the file with the secret \"%V\"", path);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR && (fi.st_mode & S_IROTH)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "every user may read the secret in \"%V\"; "
                           "chmod 0600 it", path);
    }

    (void) ngx_close_file(fd);

    if (n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot read the file with the secret \"%V\"", path);
        return NGX_ERROR;
    }

    text = str_trim((struct str) { (const char *) buf, (size_t) n });

    if (text.len < min || (size_t) n == sizeof(buf)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the secret in \"%V\" has %uz bytes, it must have "
                           "%uz to %uz; make one with \"openssl rand -hex 32\"",
                           path, text.len, min, sizeof(buf) - 1);
        return NGX_ERROR;
    }

    ret_secret->data = ngx_pnalloc(cf->pool, text.len);
    if (ret_secret->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ret_secret->data, text.ptr, text.len);
    ret_secret->len = text.len;
    ngx_explicit_memzero(buf, sizeof(buf));

    return NGX_OK;
}
