
/*
 * The directives about visitors: visitor, version_cookie, force.
 */

#include "ngx_http_pourover.h"


typedef struct {
    ngx_str_t                      max_age;
    ngx_str_t                      domain;
    ngx_str_t                      path;
    ngx_str_t                      samesite;
    ngx_flag_t                     httponly;
    ngx_flag_t                     partitioned;
} ngx_http_pourover_attributes_t;


static ngx_int_t ngx_http_pourover_visitor_param(ngx_conf_t *cf,
    ngx_http_pourover_visitor_t *visitor, ngx_http_pourover_attributes_t *a,
    ngx_str_t *arg);


/* one of the words; its index, or NGX_ERROR with the words told */

static ngx_int_t
ngx_http_pourover_word(ngx_conf_t *cf, const char *name, ngx_str_t *value,
    const char *const *words, const char *right)
{
    ngx_int_t  i;

    for (i = 0; words[i]; i++) {
        if (value->len == ngx_strlen(words[i])
            && ngx_strncmp(value->data, words[i], value->len) == 0)
        {
            return i;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%s cannot be \"%V\"; right is %s", name, value, right);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_pourover_name(ngx_conf_t *cf, const char *what, ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= ' ' || name->data[i] >= 0x7f
            || ngx_strchr("()<>@,;:\\\"/[]?={}", name->data[i]))
        {
            break;
        }
    }

    if (i < name->len || name->len == 0 || name->len > 64) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no name of a %s; right is a token of 1 "
                           "to 64 characters, such as release_track",
                           name, what);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_variable(ngx_conf_t *cf, ngx_str_t *text)
{
    ngx_str_t  name;

    if (text->len < 2 || text->data[0] != '$') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no variable; right is $NAME, such as "
                           "$http_x_user_id", text);
        return NGX_ERROR;
    }

    name.data = text->data + 1;
    name.len = text->len - 1;

    return ngx_http_get_variable_index(cf, &name);
}


static ngx_int_t
ngx_http_pourover_sources(ngx_conf_t *cf, ngx_http_pourover_visitor_t *visitor,
    ngx_str_t *list)
{
    ngx_str_t                    text;
    struct str                   rest, head;
    ngx_http_pourover_source_t  *source;

    rest = ngx_http_pourover_str(*list);

    while (str_cut(&rest, ',', &head)) {
        source = ngx_array_push(&visitor->sources);
        if (source == NULL) {
            return NGX_ERROR;
        }

        source->cookie = str_starts_with(head, STR("cookie:"));
        source->index = NGX_ERROR;

        text.data = (u_char *) head.ptr;
        text.len = head.len;

        if (!source->cookie) {
            source->index = ngx_http_pourover_variable(cf, &text);
            if (source->index == NGX_ERROR) {
                return NGX_ERROR;
            }

            continue;
        }

        text.data += sizeof("cookie:") - 1;
        text.len -= sizeof("cookie:") - 1;

        if (visitor->cookie.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pourover_visitor: \"cookie:%V\" is the second "
                               "cookie to issue; one is the most, read others "
                               "by $cookie_NAME", &text);
            return NGX_ERROR;
        }

        if (ngx_http_pourover_name(cf, "cookie", &text) != NGX_OK) {
            return NGX_ERROR;
        }

        visitor->cookie = text;
    }

    return NGX_OK;
}


/* prefixes that browsers attach conditions to, in any letters */

static ngx_uint_t
ngx_http_pourover_has_prefix(ngx_str_t *name, const char *prefix)
{
    size_t  len;

    len = ngx_strlen(prefix);

    return name->len >= len
           && ngx_strncasecmp(name->data, (u_char *) prefix, len) == 0;
}


static ngx_int_t
ngx_http_pourover_make_attributes(ngx_conf_t *cf,
    ngx_http_pourover_visitor_t *visitor, ngx_http_pourover_attributes_t *a)
{
    size_t       len;
    u_char      *p;
    ngx_int_t    seconds;
    ngx_uint_t   host;

    seconds = ngx_parse_time(&a->max_age, 1);
    if (seconds == NGX_ERROR || seconds == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_visitor: max_age \"%V\" is no time; right "
                           "is max_age=1y", &a->max_age);
        return NGX_ERROR;
    }

    if ((a->samesite.data[0] == 'n' || a->partitioned)
        && visitor->secure == NGX_HTTP_POUROVER_OFF)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_visitor: browsers drop a cookie with %s "
                           "and secure=off; right is secure=on",
                           a->partitioned ? "partitioned=on" : "samesite=none");
        return NGX_ERROR;
    }

    host = ngx_http_pourover_has_prefix(&visitor->cookie, "__Host-");

    if ((host || ngx_http_pourover_has_prefix(&visitor->cookie, "__Secure-"))
        && (visitor->secure != NGX_HTTP_POUROVER_ON
            || (host && (a->domain.len || a->path.len > 1))))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_visitor: browsers drop the cookie \"%V\" "
                           "unless it has secure=on%s", &visitor->cookie,
                           host ? ", path=/ and no domain" : "");
        return NGX_ERROR;
    }

    len = sizeof("; Max-Age=; Path=; Domain=; SameSite=; HttpOnly; Partitioned")
          + NGX_INT64_LEN + a->path.len + a->domain.len + a->samesite.len;

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    visitor->attributes.data = p;

    p = ngx_sprintf(p, "; Max-Age=%i; Path=%V", seconds, &a->path);

    if (a->domain.len) {
        p = ngx_sprintf(p, "; Domain=%V", &a->domain);
    }

    p = ngx_sprintf(p, "; SameSite=%c%*s", a->samesite.data[0] - 'a' + 'A',
                    a->samesite.len - 1, a->samesite.data + 1);

    if (a->httponly) {
        p = ngx_cpymem(p, "; HttpOnly", sizeof("; HttpOnly") - 1);
    }

    if (a->partitioned) {
        p = ngx_cpymem(p, "; Partitioned", sizeof("; Partitioned") - 1);
    }

    visitor->attributes.len = p - visitor->attributes.data;

    return NGX_OK;
}


char *
ngx_http_pourover_conf_visitor(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pourover_srv_conf_t  *pscf = conf;

    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_pourover_visitor_t     *visitor;
    ngx_http_pourover_attributes_t   a;

    if (pscf->visitor != NGX_CONF_UNSET_PTR) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        pscf->visitor = NULL;
        return NGX_CONF_OK;
    }

    visitor = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_visitor_t));
    if (visitor == NULL
        || ngx_array_init(&visitor->sources, cf->pool, 4,
                          sizeof(ngx_http_pourover_source_t)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    visitor->consent = NGX_ERROR;

    ngx_memzero(&a, sizeof(ngx_http_pourover_attributes_t));
    ngx_str_set(&a.max_age, "1y");
    ngx_str_set(&a.path, "/");
    ngx_str_set(&a.samesite, "lax");
    a.httponly = 1;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_pourover_visitor_param(cf, visitor, &a, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (visitor->sources.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_visitor has no id; right is "
                           "\"pourover_visitor id=cookie:pourover_id;\"");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_pourover_make_attributes(cf, visitor, &a) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    pscf->visitor = visitor;

    return NGX_CONF_OK;
}


/* max_age, domain, path: what goes into the cookie as it is */

static ngx_int_t
ngx_http_pourover_text_param(ngx_conf_t *cf, ngx_http_pourover_attributes_t *a,
    ngx_str_t *arg)
{
    ngx_str_t   v;
    ngx_uint_t  i;

    if (ngx_http_pourover_conf_param(arg, "max_age", &v)) {
        a->max_age = v;
        return NGX_OK;
    }

    if (ngx_http_pourover_conf_param(arg, "domain", &v)) {
        a->domain = v;

    } else if (ngx_http_pourover_conf_param(arg, "path", &v)) {
        a->path = v;

    } else {
        return NGX_DECLINED;
    }

    for (i = 0; i < v.len; i++) {
        if (v.data[i] <= ' ' || v.data[i] >= 0x7f || v.data[i] == ';') {
            break;
        }
    }

    if (i < v.len || v.len == 0 || (v.data == a->path.data && *v.data != '/')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_visitor: \"%V\" cannot stand in a cookie; "
                           "right is domain=example.com, path=/", arg);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_sign_param(ngx_conf_t *cf,
    ngx_http_pourover_visitor_t *visitor, ngx_str_t *path)
{
    ngx_str_t  secret;

    if (ngx_http_pourover_conf_secret(cf, path, ID_KEY_MIN, &secret)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    visitor->key.ptr = secret.data;
    visitor->key.len = secret.len;

    return NGX_OK;
}


/* parameters with a choice of words */

static ngx_int_t
ngx_http_pourover_word_param(ngx_conf_t *cf,
    ngx_http_pourover_visitor_t *visitor, ngx_http_pourover_attributes_t *a,
    ngx_str_t *arg)
{
    ngx_int_t                 n;
    ngx_str_t                 v;
    ngx_uint_t                i;
    static const char *const  auto_on_off[] = { "auto", "on", "off", NULL };
    static const char *const  off_on[] = { "off", "on", NULL };
    static const char *const  keep_switch[] = { "keep", "switch", NULL };
    static const char *const  stable_random[] = { "stable", "random", NULL };
    static const char *const  private_keep[] = { "private", "keep", NULL };
    static const char *const  samesite[] = { "lax", "strict", "none", NULL };

    static const struct {
        const char         *name;
        const char *const  *words;
        const char         *right;
    } table[] = {
        { "secure",           auto_on_off,   "auto, on or off" },
        { "share_connection", auto_on_off,   "auto, on or off" },
        { "httponly",         off_on,        "on or off" },
        { "partitioned",      off_on,        "on or off" },
        { "on_login",         keep_switch,   "keep or switch" },
        { "no_id",            stable_random, "stable or random" },
        { "cache",            private_keep,  "private or keep" },
        { "samesite",         samesite,      "lax, strict or none" }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!ngx_http_pourover_conf_param(arg, table[i].name, &v)) {
            continue;
        }

        n = ngx_http_pourover_word(cf, table[i].name, &v, table[i].words,
                                   table[i].right);
        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        switch (i) {
        case 0: visitor->secure = (ngx_uint_t) n; break;
        case 1: visitor->share_connection = (ngx_uint_t) n; break;
        case 2: a->httponly = n; break;
        case 3: a->partitioned = n; break;
        case 4: visitor->login_switch = (unsigned) n & 1; break;
        case 5: visitor->no_id_random = (unsigned) n & 1; break;
        case 6: visitor->cache_keep = (unsigned) n & 1; break;
        default: a->samesite = v; break;
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_pourover_visitor_param(ngx_conf_t *cf,
    ngx_http_pourover_visitor_t *visitor, ngx_http_pourover_attributes_t *a,
    ngx_str_t *arg)
{
    ngx_int_t  rc;
    ngx_str_t  v;

    if (ngx_http_pourover_conf_param(arg, "id", &v)) {
        return ngx_http_pourover_sources(cf, visitor, &v);
    }

    if (ngx_http_pourover_conf_param(arg, "consent", &v)) {
        visitor->consent = ngx_http_pourover_variable(cf, &v);
        return visitor->consent == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    if (ngx_http_pourover_conf_param(arg, "sign", &v)) {
        return ngx_http_pourover_sign_param(cf, visitor, &v);
    }

    rc = ngx_http_pourover_text_param(cf, a, arg);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_pourover_word_param(cf, visitor, a, arg);
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_visitor: invalid parameter \"%V\"; it "
                           "takes id= max_age= domain= path= samesite= secure= "
                           "httponly= partitioned= consent= on_login= no_id= "
                           "sign= share_connection= cache=", arg);
        return NGX_ERROR;
    }

    return rc;
}


char *
ngx_http_pourover_conf_version(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pourover_srv_conf_t  *pscf = conf;

    ngx_str_t                    *value, v;
    ngx_uint_t                    i;
    ngx_http_pourover_version_t  *version;

    if (pscf->version != NGX_CONF_UNSET_PTR) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        pscf->version = NULL;
        return NGX_CONF_OK;
    }

    version = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_version_t));
    if (version == NULL
        || ngx_http_pourover_name(cf, "cookie", &value[1]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    version->cookie = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_pourover_conf_param(&value[i], "stable", &v)) {
            version->value[TRACK_STABLE] = v;

        } else if (ngx_http_pourover_conf_param(&value[i], "canary", &v)) {
            version->value[TRACK_CANARY] = v;

        } else if (ngx_strcmp(value[i].data, "missing=cut") == 0) {
            version->missing_cut = 1;

        } else if (ngx_strcmp(value[i].data, "missing=stable") == 0) {
            version->missing_cut = 0;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pourover_version_cookie: invalid parameter "
                               "\"%V\"; it takes stable=VALUE canary=VALUE "
                               "[missing=stable|cut]", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (version->value[TRACK_STABLE].len == 0
        || version->value[TRACK_CANARY].len == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_version_cookie needs both values; right "
                           "is \"pourover_version_cookie %V stable=old "
                           "canary=new;\"", &version->cookie);
        return NGX_CONF_ERROR;
    }

    if (str_eq(ngx_http_pourover_str(version->value[TRACK_STABLE]),
               ngx_http_pourover_str(version->value[TRACK_CANARY])))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_version_cookie: \"%V\" cannot be both "
                           "stable and canary",
                           &version->value[TRACK_STABLE]);
        return NGX_CONF_ERROR;
    }

    pscf->version = version;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_pourover_force_source(ngx_conf_t *cf,
    ngx_http_pourover_force_t *force, ngx_str_t *text)
{
    ngx_uint_t                         i;
    ngx_http_pourover_force_source_t  *source;

    source = ngx_array_push(&force->sources);
    if (source == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(source, sizeof(ngx_http_pourover_force_source_t));
    source->index = NGX_ERROR;

    if (text->len > 7 && ngx_strncmp(text->data, "header:", 7) == 0) {
        source->header.data = text->data + 7;
        source->header.len = text->len - 7;

        for (i = 0; i < source->header.len; i++) {
            source->header.data[i] = source->header.data[i] == '_' ? '-'
                                     : ngx_tolower(source->header.data[i]);
        }

        if (source->header.len >= 11
            && ngx_strncmp(source->header.data, "x-pourover-", 11) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pourover_force: X-Pourover-... headers of "
                               "clients are removed; choose another name, such "
                               "as header:X-Release-Track");
            return NGX_ERROR;
        }

        return ngx_http_pourover_name(cf, "header", &source->header);
    }

    if (text->len > 7 && ngx_strncmp(text->data, "cookie:", 7) == 0) {
        source->cookie.data = text->data + 7;
        source->cookie.len = text->len - 7;

        return ngx_http_pourover_name(cf, "cookie", &source->cookie);
    }

    if (text->len && text->data[0] == '$') {
        source->index = ngx_http_pourover_variable(cf, text);
        return source->index == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "pourover_force: \"%V\" is no source; right is "
                       "header:NAME, cookie:NAME, $VARIABLE, allow=CIDR, "
                       "secret=FILE or off", text);

    return NGX_ERROR;
}


char *
ngx_http_pourover_conf_force(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pourover_loc_conf_t  *plcf = conf;

    ngx_int_t                   rc;
    ngx_str_t                  *value, v;
    ngx_uint_t                  i;
    ngx_http_pourover_force_t  *force;

    if (plcf->force != NGX_CONF_UNSET_PTR) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        plcf->force = NULL;
        return NGX_CONF_OK;
    }

    force = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_force_t));
    if (force == NULL
        || ngx_array_init(&force->sources, cf->pool, 2,
                          sizeof(ngx_http_pourover_force_source_t)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_pourover_conf_param(&value[i], "allow", &v)) {
            force->allow = ngx_http_pourover_conf_cidrs(cf, &v);
            rc = force->allow ? NGX_OK : NGX_ERROR;

        } else if (ngx_http_pourover_conf_param(&value[i], "secret", &v)) {
            rc = ngx_http_pourover_conf_secret(cf, &v, 8, &force->secret);

        } else {
            rc = ngx_http_pourover_force_source(cf, force, &value[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (force->sources.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_force has no source; right is "
                           "\"pourover_force header:X-Release-Track;\"");
        return NGX_CONF_ERROR;
    }

    plcf->force = force;

    return NGX_CONF_OK;
}
