
/*
 * The directives about services: zone, upstream, cut, service.  Those about
 * their servers are in conf_peers.c.
 */

#include "ngx_http_pourover.h"

#include "base/num.h"


static ngx_int_t ngx_http_pourover_zone_params(ngx_conf_t *cf,
    ngx_http_pourover_zone_t *pz, size_t *size);
static size_t ngx_http_pourover_running_size(ngx_conf_t *cf, ngx_str_t *name,
    size_t size);


char *
ngx_http_pourover_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pourover_main_conf_t  *pmcf = conf;

    size_t                     size;
    ngx_http_pourover_zone_t  *pz;

    if (pmcf->zone) {
        return (char *) "is duplicate: one zone holds all services";
    }

    pz = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_zone_t));
    if (pz == NULL) {
        return NGX_CONF_ERROR;
    }

    pz->state_max_age = (ngx_msec_t) 7 * 24 * 60 * 60 * 1000;
    pz->cycle = cf->cycle;
    pz->log = &cf->cycle->new_log;
    size = 0;

    if (ngx_http_pourover_zone_params(cf, pz, &size) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (pz->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_zone has no name; right is "
                           "\"pourover_zone name=main size=8m state=FILE;\"");
        return NGX_CONF_ERROR;
    }

    if (size < 8 * ngx_pagesize) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_zone: size is %uz bytes, it must be at "
                           "least %uz; size=16m holds some 100 services",
                           size, 8 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    pz->shm_zone = ngx_shared_memory_add(cf, &pz->name,
                              ngx_http_pourover_running_size(cf, &pz->name,
                                                             size),
                              &ngx_http_pourover_module);
    if (pz->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    pz->shm_zone->init = ngx_http_pourover_zone_init;
    pz->shm_zone->data = pz;
    pmcf->zone = pz;

    return NGX_CONF_OK;
}


/* nginx makes the directory of the state file when it starts */

static ngx_uint_t
ngx_http_pourover_is_state_dir(ngx_http_pourover_zone_t *pz, u_char *dir)
{
    size_t  len;

    len = ngx_strlen(dir);

    return pz->state.len > len && pz->state.data[len] == '/'
           && ngx_strncmp(pz->state.data, dir, len) == 0
           && ngx_strlchr(pz->state.data + len + 1,
                          pz->state.data + pz->state.len, '/') == NULL;
}


/* its directory has to be there: a flag file in a place that is not would never
 * be seen */

static ngx_int_t
ngx_http_pourover_zone_fail_file(ngx_conf_t *cf, ngx_http_pourover_zone_t *pz)
{
    u_char           *dir, *slash;
    ngx_err_t         err;
    ngx_file_info_t   fi;

    if (pz->fail_file.len == 0) {
        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &pz->fail_file, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    dir = ngx_pnalloc(cf->pool, pz->fail_file.len + 1);
    if (dir == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(dir, pz->fail_file.data, pz->fail_file.len + 1);
    slash = (u_char *) strrchr((char *) dir, '/');
    slash[slash == dir] = '\0';

    err = ngx_file_info(dir, &fi) == NGX_FILE_ERROR ? ngx_errno
          : !ngx_is_dir(&fi) ? NGX_ENOTDIR : 0;

    if (err && !(err == NGX_ENOENT && ngx_http_pourover_is_state_dir(pz, dir)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "pourover_zone: fail_file \"%V\" could never be "
                           "there, \"%s\" is no directory; right is the path "
                           "of a file in one that is there",
                           &pz->fail_file, dir);
        return NGX_ERROR;
    }

    if (ngx_file_info(pz->fail_file.data, &fi) != NGX_FILE_ERROR
        && ngx_is_dir(&fi))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_zone: fail_file \"%V\" is a directory, "
                           "which is never removed; right is the path of a "
                           "file", &pz->fail_file);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_zone_params(ngx_conf_t *cf, ngx_http_pourover_zone_t *pz,
    size_t *size)
{
    ngx_int_t    age;
    ngx_str_t   *value, v;
    uint64_t     bytes;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_pourover_conf_param(&value[i], "name", &v) && v.len) {
            pz->name = v;
            continue;
        }

        if (ngx_http_pourover_conf_param(&value[i], "size", &v)) {
            if (num_bytes(ngx_http_pourover_str(v), &bytes) != 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "pourover_zone: size \"%V\" is no size; "
                                   "right is size=8m", &v);
                return NGX_ERROR;
            }

            *size = (size_t) bytes;
            continue;
        }

        if (ngx_http_pourover_conf_param(&value[i], "state", &v) && v.len) {
            pz->state = v;

            if (ngx_conf_full_name(cf->cycle, &pz->state, 0) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        if (ngx_http_pourover_conf_param(&value[i], "fail_file", &v) && v.len) {
            pz->fail_file = v;
            continue;
        }

        if (ngx_http_pourover_conf_param(&value[i], "state_max_age", &v)) {
            age = ngx_parse_time(&v, 0);

            if (age == NGX_ERROR || age == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "pourover_zone: state_max_age \"%V\" is no "
                                   "time; right is state_max_age=7d", &v);
                return NGX_ERROR;
            }

            pz->state_max_age = (ngx_msec_t) age;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_zone: invalid parameter \"%V\"; it takes "
                           "name=NAME size=SIZE [state=FILE] "
                           "[state_max_age=TIME] [fail_file=FILE]", &value[i]);
        return NGX_ERROR;
    }

    /* when all is read: it may be beside the state file */

    return ngx_http_pourover_zone_fail_file(cf, pz);
}


/*
 * Another size would make nginx map a fresh zone: old workers would go on with
 * the old one and never hear of a change again.  So the size of the running
 * zone stays until a restart.
 */

static size_t
ngx_http_pourover_running_size(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_uint_t        i;
    ngx_cycle_t      *old;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    old = cf->cycle->old_cycle;

    if (old == NULL || ngx_is_init_cycle(old)) {
        return size;
    }

    part = &old->shared_memory.part;
    zone = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return size;
            }

            part = part->next;
            zone = part->elts;
            i = 0;
        }

        if (zone[i].tag == &ngx_http_pourover_module
            && zone[i].shm.name.len == name->len
            && ngx_strncmp(zone[i].shm.name.data, name->data, name->len) == 0)
        {
            if (zone[i].shm.size != size) {
                ngx_conf_log_error(NGX_LOG_NOTICE, cf, 0,
                                   "pourover_zone \"%V\": size stays %uz "
                                   "bytes until restart",
                                   name, zone[i].shm.size);
            }

            return zone[i].shm.size;
        }
    }
}


/* it stands in URLs of the API and in verdicts, as cli/options.c takes it */

static ngx_uint_t
ngx_http_pourover_name_valid(ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= ' ' || name->data[i] > '~'
            || ngx_strchr("/?#%", name->data[i]))
        {
            return 0;
        }
    }

    return name->len > 0 && name->len <= ZONE_NAME_MAX;
}


static ngx_http_pourover_service_t *
ngx_http_pourover_new_service(ngx_conf_t *cf,
    ngx_http_pourover_main_conf_t *pmcf, ngx_str_t *name,
    enum service_kind kind)
{
    ngx_uint_t                     i;
    ngx_http_pourover_service_t   *ps, **known, **slot;

    known = pmcf->services.elts;

    for (i = 0; i < pmcf->services.nelts; i++) {
        if (known[i]->name.len == name->len
            && ngx_strncmp(known[i]->name.data, name->data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "service \"%V\" is there already, see %s:%ui",
                               name, known[i]->file_name, known[i]->line);
            return NULL;
        }
    }

    if (!ngx_http_pourover_name_valid(name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "service \"%V\": a name has 1 to %d bytes of ASCII "
                           "without spaces and / ? # %%", name, ZONE_NAME_MAX);
        return NULL;
    }

    ps = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_service_t));
    slot = ngx_array_push(&pmcf->services);
    if (ps == NULL || slot == NULL) {
        return NULL;
    }

    *slot = ps;

    ps->name.len = name->len;
    ps->name.data = ngx_pnalloc(cf->pool, name->len + 1);
    ps->file_name = ngx_pnalloc(cf->pool, cf->conf_file->file.name.len + 1);
    if (ps->name.data == NULL || ps->file_name == NULL) {
        return NULL;
    }

    (void) ngx_cpystrn(ps->name.data, name->data, name->len + 1);
    (void) ngx_cpystrn(ps->file_name, cf->conf_file->file.name.data,
                       cf->conf_file->file.name.len + 1);
    ps->line = cf->conf_file->line;
    ps->kind = kind;
    ps->enabled = 1;
    ps->salt = ps->name;
    ps->rule = (struct health_rule) { 2, 3 };
    ps->passive_fails = 5;
    ps->eject = 10000;
    ngx_queue_init(&ps->attempts);
    ngx_queue_init(&ps->watched);

    if (ngx_array_init(&ps->servers, cf->pool, 4,
                       sizeof(ngx_http_pourover_server_t)) != NGX_OK
        || ngx_array_init(&ps->peers, cf->pool, 4,
                          sizeof(ngx_http_pourover_peer_t)) != NGX_OK)
    {
        return NULL;
    }

    return ps;
}


static ngx_int_t
ngx_http_pourover_slow_start(ngx_conf_t *cf, ngx_http_pourover_service_t *ps,
    ngx_str_t *value, ngx_str_t *directive)
{
    ngx_int_t  ms;

    ms = ngx_parse_time(value, 0);

    if (ms == NGX_ERROR || ms > 24 * 60 * 60 * 1000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V: slow_start \"%V\" is no time up to a day; "
                           "right is slow_start=30s", directive, value);
        return NGX_ERROR;
    }

    ps->slow_start = (ngx_msec_t) ms;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_events(ngx_conf_t *cf, ngx_http_pourover_service_t *ps,
    ngx_str_t *value, ngx_str_t *directive)
{
    uint64_t  n;

    if (num_u64(ngx_http_pourover_str(*value), EVENT_CAPACITY_MIN,
                EVENT_CAPACITY_MAX, &n)
        != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V: events \"%V\" is no number from %ui to %ui; "
                           "right is events=4096", directive, value,
                           (ngx_uint_t) EVENT_CAPACITY_MIN,
                           (ngx_uint_t) EVENT_CAPACITY_MAX);
        return NGX_ERROR;
    }

    ps->events = (ngx_uint_t) n;

    return NGX_OK;
}


/* one of zone=NAME share=SHARE salt=SALT enabled=on|off slow_start=TIME
 * events=N */

static ngx_int_t
ngx_http_pourover_service_param(ngx_conf_t *cf,
    ngx_http_pourover_service_t *ps, ngx_str_t *arg, ngx_str_t *directive)
{
    ngx_str_t   v;
    struct err  err;

    if (ngx_http_pourover_conf_param(arg, "zone", &v) && v.len) {
        ps->zone_name = v;
        return NGX_OK;
    }

    if (ngx_http_pourover_conf_param(arg, "share", &v)) {
        if (num_share_ppm(ngx_http_pourover_str(v), &ps->share_ppm, &err)
            == 0)
        {
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V: share: %s", directive,
                           err.msg);
        return NGX_ERROR;
    }

    if (ngx_http_pourover_conf_param(arg, "salt", &v)) {
        ps->salt = v;

        if (cut_salt_valid(ngx_http_pourover_str(v))) {
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V: salt \"%V\" must be 1 to %d characters of "
                           "A-Z a-z 0-9 . _ -", directive, &v, CUT_SALT_MAX);
        return NGX_ERROR;
    }

    if (ngx_strcmp(arg->data, "enabled=on") == 0
        || ngx_strcmp(arg->data, "enabled=off") == 0)
    {
        ps->enabled = arg->data[sizeof("enabled=o") - 1] == 'n';
        return NGX_OK;
    }

    if (ps->kind == SERVICE_BALANCER
        && ngx_http_pourover_conf_param(arg, "slow_start", &v))
    {
        return ngx_http_pourover_slow_start(cf, ps, &v, directive);
    }

    if (ngx_http_pourover_conf_param(arg, "events", &v)) {
        return ngx_http_pourover_events(cf, ps, &v, directive);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%V: invalid parameter \"%V\"; it takes zone=NAME "
                       "[share=SHARE] [salt=SALT] [enabled=on|off]%s "
                       "[events=N]",
                       directive, arg,
                       ps->kind == SERVICE_BALANCER ? " [slow_start=TIME]"
                                                    : "");

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_pourover_service_params(ngx_conf_t *cf,
    ngx_http_pourover_service_t *ps, ngx_uint_t first, ngx_str_t *directive)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = first; i < cf->args->nelts; i++) {
        if (ngx_http_pourover_service_param(cf, ps, &value[i], directive)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ps->zone_name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V has no zone; right is zone=NAME with the name "
                           "of a pourover_zone", directive);
        return NGX_ERROR;
    }

    if (!cut_salt_valid(ngx_http_pourover_str(ps->salt))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V: the name \"%V\" cannot be the salt too; add "
                           "salt= with 1 to %d characters of "
                           "A-Z a-z 0-9 . _ -",
                           directive, &ps->name, CUT_SALT_MAX);
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_pourover_conf_upstream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_pourover_main_conf_t  *pmcf = conf;

    ngx_http_upstream_server_t    *dummy;
    ngx_http_pourover_service_t   *ps;
    ngx_http_pourover_srv_conf_t  *pscf;
    ngx_http_upstream_srv_conf_t  *uscf;

    uscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);
    pscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_pourover_module);

    if (pscf->service) {
        return (char *) "is duplicate";
    }

    if (uscf->peer.init_upstream) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "upstream \"%V\": \"pourover\" must come before "
                           "\"keepalive\" and balances by itself, without "
                           "\"least_conn\", \"hash\", \"ip_hash\" or "
                           "\"random\"", &uscf->host);
        return NGX_CONF_ERROR;
    }

    ps = ngx_http_pourover_new_service(cf, pmcf, &uscf->host,
                                       SERVICE_BALANCER);
    if (ps == NULL
        || ngx_http_pourover_service_params(cf, ps, 1, &cmd->name) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* an upstream block may hold pourover_server lines only */
    dummy = ngx_array_push(uscf->servers);
    if (dummy == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(dummy, sizeof(ngx_http_upstream_server_t));
    ngx_str_set(&dummy->name, "pourover");
    dummy->down = 1;

    pscf->service = ps;
    ps->uscf = uscf;
    uscf->peer.init_upstream = ngx_http_pourover_init_upstream;
    uscf->flags = NGX_HTTP_UPSTREAM_CREATE
                  |NGX_HTTP_UPSTREAM_WEIGHT
                  |NGX_HTTP_UPSTREAM_MAX_FAILS
                  |NGX_HTTP_UPSTREAM_FAIL_TIMEOUT
                  |NGX_HTTP_UPSTREAM_DOWN;

    return NGX_CONF_OK;
}


char *
ngx_http_pourover_conf_cut(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pourover_main_conf_t  *pmcf = conf;

    ngx_str_t                    *value;
    ngx_http_pourover_service_t  *ps;

    value = cf->args->elts;

    ps = ngx_http_pourover_new_service(cf, pmcf, &value[1], SERVICE_CUT);
    if (ps == NULL
        || ngx_http_pourover_service_params(cf, ps, 2, &cmd->name) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pourover_conf_service(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pourover_loc_conf_t  *plcf = conf;

    ngx_str_t  *value;

    if (plcf->service_name.data) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    plcf->service_name = value[1];
    plcf->service_line = cf->conf_file->line;
    plcf->service_file = ngx_pnalloc(cf->pool,
                                     cf->conf_file->file.name.len + 1);
    if (plcf->service_file == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn(plcf->service_file, cf->conf_file->file.name.data,
                       cf->conf_file->file.name.len + 1);

    return NGX_CONF_OK;
}


/*
 * What clients sent is removed before a location is known, so that one cannot
 * let it pass.
 */

char *
ngx_http_pourover_conf_headers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pourover_loc_conf_t  *plcf = conf;

    ngx_str_t  *value;

    if (plcf->headers != NGX_CONF_UNSET_UINT) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        plcf->headers = NGX_HTTP_POUROVER_HEADERS_ON;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        plcf->headers = NGX_HTTP_POUROVER_HEADERS_OFF;

    } else if (ngx_strcmp(value[1].data, "pass") == 0
               && !(cf->cmd_type & NGX_HTTP_LOC_CONF))
    {
        plcf->headers = NGX_HTTP_POUROVER_HEADERS_PASS;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_headers cannot be \"%V\" here; right is "
                           "on or off, or pass for a whole server", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
