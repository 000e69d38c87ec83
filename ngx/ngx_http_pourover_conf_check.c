
/*
 * The directives about the health of peers: check, passive.
 */

#include "ngx_http_pourover_check.h"

#include "base/num.h"


#define NGX_HTTP_POUROVER_DAY  (24 * 60 * 60 * 1000)

#define NGX_HTTP_POUROVER_ANY  (1 << CHECK_KIND_HTTP | 1 << CHECK_KIND_GRPC   \
                                | 1 << CHECK_KIND_TCP)


enum {
    PARAM_INTERVAL,
    PARAM_TIMEOUT,
    PARAM_JITTER,
    PARAM_RISE,
    PARAM_FALL,
    PARAM_PORT,
    PARAM_TLS,
    PARAM_TLS_NAME,
    PARAM_TLS_VERIFY,
    PARAM_URI,
    PARAM_HOST,
    PARAM_METHOD,
    PARAM_STATUS,
    PARAM_HEADER,
    PARAM_BODY,
    PARAM_SERVICE,
    PARAM_SEND,
    PARAM_EXPECT,
    PARAM_COUNT
};


static const struct {
    const char                    *name;
    unsigned                       kinds;         /* bits of enum check_kind */
} ngx_http_pourover_params[PARAM_COUNT] = {
    [PARAM_INTERVAL] = { "interval", NGX_HTTP_POUROVER_ANY },
    [PARAM_TIMEOUT] = { "timeout", NGX_HTTP_POUROVER_ANY },
    [PARAM_JITTER] = { "jitter", NGX_HTTP_POUROVER_ANY },
    [PARAM_RISE] = { "rise", NGX_HTTP_POUROVER_ANY },
    [PARAM_FALL] = { "fall", NGX_HTTP_POUROVER_ANY },
    [PARAM_PORT] = { "port", NGX_HTTP_POUROVER_ANY },
    [PARAM_TLS] = { "tls", NGX_HTTP_POUROVER_ANY },
    [PARAM_TLS_NAME] = { "tls_name", NGX_HTTP_POUROVER_ANY },
    [PARAM_TLS_VERIFY] = { "tls_verify", NGX_HTTP_POUROVER_ANY },
    [PARAM_URI] = { "uri", 1 << CHECK_KIND_HTTP },
    [PARAM_HOST] = { "host", 1 << CHECK_KIND_HTTP | 1 << CHECK_KIND_GRPC },
    [PARAM_METHOD] = { "method", 1 << CHECK_KIND_HTTP },
    [PARAM_STATUS] = { "status", 1 << CHECK_KIND_HTTP },
    [PARAM_HEADER] = { "header", 1 << CHECK_KIND_HTTP },
    [PARAM_BODY] = { "body", 1 << CHECK_KIND_HTTP },
    [PARAM_SERVICE] = { "service", 1 << CHECK_KIND_GRPC },
    [PARAM_SEND] = { "send", 1 << CHECK_KIND_TCP },
    [PARAM_EXPECT] = { "expect", 1 << CHECK_KIND_TCP },
};


/* what one directive says: texts whose data is NULL are not there */

typedef struct {
    ngx_conf_t                    *cf;
    ngx_http_pourover_service_t   *service;
    ngx_http_pourover_check_t     *check;
    ngx_str_t                      text[PARAM_COUNT];
} ngx_http_pourover_check_conf_t;


/* the service of the upstream block; NULL: told */

static ngx_http_pourover_service_t *
ngx_http_pourover_conf_block(ngx_conf_t *cf, ngx_command_t *cmd)
{
    ngx_http_pourover_srv_conf_t  *pscf;

    pscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_pourover_module);

    if (pscf->service == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V: write \"pourover zone=NAME;\" above it in the "
                           "same upstream", &cmd->name);
    }

    return pscf->service;
}


/* milliseconds, 0: told; text->data NULL: ret_ms is left as it is */

static ngx_int_t
ngx_http_pourover_conf_time(ngx_conf_t *cf, const char *name, ngx_str_t *text,
    ngx_msec_t *ret_ms)
{
    ngx_int_t  ms;

    if (text->data == NULL) {
        return NGX_OK;
    }

    ms = ngx_parse_time(text, 0);

    if (ms == NGX_ERROR || ms == 0 || ms > NGX_HTTP_POUROVER_DAY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s \"%V\" is no time from 1ms to 1d; right is "
                           "such as 2s or 500ms", name, text);
        return NGX_ERROR;
    }

    *ret_ms = (ngx_msec_t) ms;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_conf_number(ngx_conf_t *cf, const char *name,
    ngx_str_t *text, uint64_t max, uint64_t *ret_number)
{
    if (text->data == NULL
        || num_u64(ngx_http_pourover_str(*text), 1, max, ret_number) == 0)
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%s \"%V\" is no whole number from 1 to %uL; such a "
                       "one is right", name, text, max);

    return NGX_ERROR;
}


static void
ngx_http_pourover_conf_bad_param(ngx_conf_t *cf, enum check_kind kind,
    ngx_str_t *arg)
{
    static const char *const  takes[] = {
        [CHECK_KIND_HTTP] = ("http takes uri= host= method= status= header= "
                             "body="),
        [CHECK_KIND_GRPC] = "grpc takes service= host=",
        [CHECK_KIND_TCP] = "tcp takes send= expect=",
    };

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "pourover_check: invalid parameter \"%V\"; %s interval= "
                       "timeout= jitter= rise= fall= port= tls= tls_name= "
                       "tls_verify=", arg, takes[kind]);
}


/* each parameter once, and only those of the kind */

static ngx_int_t
ngx_http_pourover_conf_collect(ngx_http_pourover_check_conf_t *cc)
{
    ngx_str_t        *value, v;
    ngx_uint_t        i, p;
    enum check_kind   kind;

    value = cc->cf->args->elts;
    kind = cc->check->plan.kind;
    ngx_str_null(&v);

    for (i = 2; i < cc->cf->args->nelts; i++) {

        for (p = 0; p < PARAM_COUNT; p++) {
            if ((ngx_http_pourover_params[p].kinds >> kind & 1)
                && ngx_http_pourover_conf_param(&value[i],
                                             ngx_http_pourover_params[p].name,
                                             &v))
            {
                break;
            }
        }

        if (p == PARAM_COUNT) {
            ngx_http_pourover_conf_bad_param(cc->cf, kind, &value[i]);
            return NGX_ERROR;
        }

        if (cc->text[p].data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0,
                               "pourover_check: %s= is there twice; once is "
                               "right", ngx_http_pourover_params[p].name);
            return NGX_ERROR;
        }

        cc->text[p] = v;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_conf_jitter(ngx_http_pourover_check_conf_t *cc)
{
    uint64_t    percent;
    ngx_str_t  *text;
    struct str  digits;

    text = &cc->text[PARAM_JITTER];

    if (text->data == NULL) {
        return NGX_OK;
    }

    digits = ngx_http_pourover_str(*text);

    if (!str_ends_with(digits, STR("%"))
        || num_u64((struct str) { digits.ptr, digits.len - 1 }, 0, 50,
                   &percent)
           != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0,
                           "pourover_check: jitter \"%V\" is no percentage "
                           "from 0%% to 50%%; right is jitter=10%%", text);
        return NGX_ERROR;
    }

    cc->check->jitter = (ngx_uint_t) percent;

    return NGX_OK;
}


/* what all kinds have */

static ngx_int_t
ngx_http_pourover_conf_schedule(ngx_http_pourover_check_conf_t *cc)
{
    uint64_t                    rise, fall, port;
    ngx_conf_t                 *cf;
    ngx_http_pourover_check_t  *check;

    cf = cc->cf;
    check = cc->check;
    check->interval = 2000;
    check->jitter = 10;
    rise = cc->service->rule.rise;
    fall = cc->service->rule.fall;
    port = 0;

    if (ngx_http_pourover_conf_time(cf, "pourover_check: interval",
                                    &cc->text[PARAM_INTERVAL],
                                    &check->interval)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    check->timeout = ngx_min(1000, check->interval);

    if (ngx_http_pourover_conf_time(cf, "pourover_check: timeout",
                                    &cc->text[PARAM_TIMEOUT], &check->timeout)
        != NGX_OK
        || ngx_http_pourover_conf_jitter(cc) != NGX_OK
        || ngx_http_pourover_conf_number(cf, "pourover_check: rise",
                                         &cc->text[PARAM_RISE], 1000, &rise)
           != NGX_OK
        || ngx_http_pourover_conf_number(cf, "pourover_check: fall",
                                         &cc->text[PARAM_FALL], 1000, &fall)
           != NGX_OK
        || ngx_http_pourover_conf_number(cf, "pourover_check: port",
                                         &cc->text[PARAM_PORT], 65535, &port)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (check->timeout > check->interval) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_check: timeout is %M ms, longer than the "
                           "interval of %M ms; at most the interval is right",
                           check->timeout, check->interval);
        return NGX_ERROR;
    }

    check->port = (in_port_t) port;
    cc->service->rule = (struct health_rule) { (uint32_t) rise,
                                               (uint32_t) fall };

    return NGX_OK;
}


/* a text with its escapes undone; ptr NULL: it is not there */

static ngx_int_t
ngx_http_pourover_conf_escaped(ngx_http_pourover_check_conf_t *cc,
    ngx_uint_t param, struct str *ret_text)
{
    char        *room;
    ngx_str_t   *text;
    struct buf   buf;
    struct err   err;

    text = &cc->text[param];

    if (text->data == NULL) {
        return NGX_OK;
    }

    room = ngx_pnalloc(cc->cf->pool, text->len + 1);
    if (room == NULL) {
        return NGX_ERROR;
    }

    buf_init_fixed(&buf, room, text->len + 1);

    if (check_escapes_read(ngx_http_pourover_str(*text), &buf, &err) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0, "pourover_check: %s: %s",
                           ngx_http_pourover_params[param].name, err.msg);
        return NGX_ERROR;
    }

    *ret_text = buf_str(&buf);

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_conf_method(ngx_http_pourover_check_conf_t *cc)
{
    struct str  method;

    method = ngx_http_pourover_str(cc->text[PARAM_METHOD]);

    if (method.ptr && !str_eq(method, STR("GET"))
        && !str_eq(method, STR("HEAD")))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0,
                           "pourover_check: method cannot be \"%V\"; right is "
                           "GET or HEAD", &cc->text[PARAM_METHOD]);
        return NGX_ERROR;
    }

    cc->check->plan.head = str_eq(method, STR("HEAD"));

    return NGX_OK;
}


/* what is asked and what is to be heard */

static ngx_int_t
ngx_http_pourover_conf_plan(ngx_http_pourover_check_conf_t *cc)
{
    struct err          err;
    struct str          status, header;
    struct check_plan  *plan;

    plan = &cc->check->plan;
    plan->host = ngx_http_pourover_str(cc->text[PARAM_HOST].data
                                       ? cc->text[PARAM_HOST]
                                       : cc->service->name);
    plan->uri = cc->text[PARAM_URI].data
                ? ngx_http_pourover_str(cc->text[PARAM_URI]) : STR("/");
    plan->body = ngx_http_pourover_str(cc->text[PARAM_BODY]);
    plan->service = ngx_http_pourover_str(cc->text[PARAM_SERVICE]);

    status = cc->text[PARAM_STATUS].data
             ? ngx_http_pourover_str(cc->text[PARAM_STATUS]) : STR("200-399");
    header = ngx_http_pourover_str(cc->text[PARAM_HEADER]);

    if (ngx_http_pourover_conf_method(cc) != NGX_OK
        || ngx_http_pourover_conf_escaped(cc, PARAM_SEND, &plan->send)
           != NGX_OK
        || ngx_http_pourover_conf_escaped(cc, PARAM_EXPECT, &plan->expect)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (check_statuses_read(status, &plan->statuses, &err) != 0
        || (header.ptr
            && check_header_read(header, &plan->header_name,
                                 &plan->header_text, &err) != 0)
        || check_plan_valid(plan, &err) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0, "pourover_check: %s",
                           err.msg);
        return NGX_ERROR;
    }

    return NGX_OK;
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_http_pourover_conf_ssl(ngx_http_pourover_check_conf_t *cc)
{
    ngx_ssl_t                  *ssl;
    ngx_str_t                  *verify;
    ngx_pool_cleanup_t         *cln;
    ngx_http_pourover_check_t  *check;

    check = cc->check;
    verify = &cc->text[PARAM_TLS_VERIFY];

    ssl = ngx_pcalloc(cc->cf->pool, sizeof(ngx_ssl_t));
    cln = ngx_pool_cleanup_add(cc->cf->pool, 0);
    if (ssl == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    ssl->log = cc->cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    check->ssl = ssl;
    check->tls_verify = verify->data != NULL;

    if (check->plan.kind == CHECK_KIND_GRPC
        && SSL_CTX_set_alpn_protos(ssl->ctx, (const u_char *) "\2h2", 3) != 0)
    {
        return NGX_ERROR;
    }

    if (verify->data == NULL) {
        return NGX_OK;
    }

    if (ngx_conf_full_name(cc->cf->cycle, verify, 1) != NGX_OK
        || ngx_ssl_trusted_certificate(cc->cf, ssl, verify, 9) != NGX_OK)
    {
        /* the reason was told without the place */
        ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0,
                           "pourover_check: tls_verify cannot take \"%V\"; "
                           "right is a file with the authorities' "
                           "certificates in PEM", verify);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* an address is no name for SNI, but a certificate may be for one */

static ngx_int_t
ngx_http_pourover_conf_tls_name(ngx_http_pourover_check_conf_t *cc)
{
    ngx_str_t  *name;

    name = &cc->text[PARAM_TLS_NAME];

    if (name->data == NULL) {
        name = &cc->text[PARAM_HOST];
    }

    if (name->data) {
        cc->check->tls_name = *name;    /* of the configuration: with a NUL */
        return NGX_OK;
    }

    if (cc->text[PARAM_TLS_VERIFY].data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0,
                           "pourover_check: tls_verify has no name to verify; "
                           "add tls_name=NAME as it stands in the "
                           "certificates of the peers");
        return NGX_ERROR;
    }

    return NGX_OK;
}

#endif


static ngx_int_t
ngx_http_pourover_conf_tls(ngx_http_pourover_check_conf_t *cc)
{
    struct str  tls;

    tls = ngx_http_pourover_str(cc->text[PARAM_TLS]);

    if (tls.ptr && !str_eq(tls, STR("on")) && !str_eq(tls, STR("off"))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0,
                           "pourover_check: tls cannot be \"%V\"; right is on "
                           "or off", &cc->text[PARAM_TLS]);
        return NGX_ERROR;
    }

    cc->check->plan.tls = str_eq(tls, STR("on"));

    if (!cc->check->plan.tls) {
        if (cc->text[PARAM_TLS_NAME].data || cc->text[PARAM_TLS_VERIFY].data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0,
                               "pourover_check: tls_name and tls_verify are "
                               "for checks over TLS; add tls=on");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

#if (NGX_HTTP_SSL)
    if (ngx_http_pourover_conf_tls_name(cc) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_pourover_conf_ssl(cc);
#else
    ngx_conf_log_error(NGX_LOG_EMERG, cc->cf, 0,
                       "pourover_check: tls=on needs an nginx that was built "
                       "with --with-http_ssl_module");
    return NGX_ERROR;
#endif
}


char *
ngx_http_pourover_conf_active(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                       *value;
    ngx_http_pourover_check_conf_t   cc;

    ngx_memzero(&cc, sizeof(ngx_http_pourover_check_conf_t));
    cc.cf = cf;
    cc.service = ngx_http_pourover_conf_block(cf, cmd);

    if (cc.service == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cc.service->check) {
        return (char *) "is duplicate";
    }

    cc.check = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_check_t));
    if (cc.check == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "http") == 0) {
        cc.check->plan.kind = CHECK_KIND_HTTP;

    } else if (ngx_strcmp(value[1].data, "grpc") == 0) {
        cc.check->plan.kind = CHECK_KIND_GRPC;

    } else if (ngx_strcmp(value[1].data, "tcp") == 0) {
        cc.check->plan.kind = CHECK_KIND_TCP;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_check cannot be \"%V\"; right is http, "
                           "grpc or tcp", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_pourover_conf_collect(&cc) != NGX_OK
        || ngx_http_pourover_conf_schedule(&cc) != NGX_OK
        || ngx_http_pourover_conf_plan(&cc) != NGX_OK
        || ngx_http_pourover_conf_tls(&cc) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cc.service->check = cc.check;
    cc.service->checked = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_pourover_conf_passive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    uint64_t                      fails;
    ngx_str_t                    *value, v;
    ngx_uint_t                    i;
    ngx_http_pourover_service_t  *ps;

    ps = ngx_http_pourover_conf_block(cf, cmd);
    if (ps == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ps->passive_set) {
        return (char *) "is duplicate";
    }

    ps->passive_set = 1;
    value = cf->args->elts;
    fails = 0;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        ps->passive_fails = 0;
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_pourover_conf_param(&value[i], "fails", &v)) {
            if (ngx_http_pourover_conf_number(cf, "pourover_passive: fails",
                                              &v, 1000000, &fails)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            ps->passive_fails = (ngx_uint_t) fails;
            continue;
        }

        if (ngx_http_pourover_conf_param(&value[i], "eject", &v)) {
            if (ngx_http_pourover_conf_time(cf, "pourover_passive: eject", &v,
                                            &ps->eject)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_passive: invalid parameter \"%V\"; it "
                           "takes [fails=N] [eject=TIME], or off alone",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
