/* A router's address and the calls to its API. */
#include "gateway/router.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>

#define MAX_ANSWER_BYTES ((size_t) 4 * 1024 * 1024)
#define MAX_ADDRESS      2048

/* Cuts the name in front of the first '=', if that stands before any ':' or '/'. */
static struct str take_name(struct str *text)
{
    for (size_t i = 0; i < text->len; i++) {
        char c = text->ptr[i];
        if (c == ':' || c == '/') {
            break;
        }
        if (c == '=') {
            struct str name = {text->ptr, i};
            *text = (struct str){text->ptr + i + 1, text->len - i - 1};
            return name;
        }
    }
    return (struct str){NULL, 0};
}

static int wrong_address(struct str text, struct err *err)
{
    return err_set(
        err, ERR_INVALID,
        "router \"" STR_FMT "\" is not an address of a router's API: write "
        "http://127.0.0.1:9900/pourover or unix:/run/pourover.sock:/pourover, with NAME= "
        "in front if you like",
        STR_ARG(text));
}

/* "/SOCKET:/PATH" */
static bool parse_unix(struct str rest, struct router *r)
{
    size_t colon = str_find_char(rest, ':');
    if (colon == 0 || rest.ptr[0] != '/' || colon + 1 >= rest.len || rest.ptr[colon + 1] != '/') {
        return false;
    }
    struct str path = {rest.ptr + colon + 1, rest.len - colon - 1};
    struct buf url;
    buf_init(&url, 4096);
    buf_add_cstr(&url, "http://localhost");
    buf_add_str(&url, path);
    r->url = mem_strdup_str(buf_str(&url));
    buf_done(&url);
    r->socket = mem_strdup_str((struct str){rest.ptr, colon});
    return true;
}

/* Host and port of a URL that is valid. */
static struct str authority_of(const char *url)
{
    struct str rest = str_of(strstr(url, "://") + 3);
    rest.len = str_find_char(rest, '/');
    return rest;
}

int router_parse(struct str text, struct router *ret, struct err *err)
{
    struct router r = {0};
    struct str rest = text;
    struct str name = take_name(&rest);
    if (text.len > MAX_ADDRESS) {
        return err_set(err, ERR_INVALID, "the address of a router is longer than %d bytes",
                       MAX_ADDRESS);
    }
    if (str_starts_with(rest, STR("unix:"))) {
        (void) parse_unix((struct str){rest.ptr + 5, rest.len - 5}, &r);
    } else {
        r.url = mem_strdup_str(rest);
    }
    if (r.url == NULL || !http_url_is_valid(r.url) || strpbrk(r.url, "?,") != NULL) {
        router_done(&r);
        return wrong_address(text, err);
    }
    if (name.len == 0) {
        name = r.socket != NULL ? str_of(r.socket) : authority_of(r.url);
    }
    r.name = mem_strdup_str(name);
    for (size_t len = strlen(r.url); len > 0 && r.url[len - 1] == '/'; len--) {
        r.url[len - 1] = '\0';
    }
    *ret = r;
    return 0;
}

void router_done(struct router *r)
{
    mem_free(r->name);
    mem_free(r->url);
    mem_free(r->socket);
    *r = (struct router){0};
}

bool router_split_equal(const struct router_split *a, const struct router_split *b)
{
    return a->share_ppm == b->share_ppm && a->enabled == b->enabled && a->revision == b->revision &&
           strcmp(a->salt, b->salt) == 0;
}

bool router_split_raises(const struct router_split *from, const struct router_split *to)
{
    return to->share_ppm > from->share_ppm || (to->enabled && !from->enabled) ||
           strcmp(to->salt, from->salt) != 0;
}

bool router_patch_only_lowers(const struct router_patch *patch)
{
    bool to_zero = !patch->has_share || patch->share_ppm == 0;
    bool off = !patch->has_enabled || !patch->enabled;
    return to_zero && off && !patch->has_salt;
}

struct router_split router_patched(const struct router_split *split,
                                   const struct router_patch *patch, uint64_t revision)
{
    struct router_split s = *split;
    s.revision = revision;
    if (patch->has_share) {
        s.share_ppm = patch->share_ppm;
    }
    if (patch->has_enabled) {
        s.enabled = patch->enabled;
    }
    if (patch->has_salt) {
        memcpy(s.salt, patch->salt, sizeof s.salt);
    }
    return s;
}

void router_write_put(struct buf *b, const struct router_patch *patch, uint64_t revision,
                      const uint64_t *if_revision)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    if (patch->has_share) {
        json_kv_u64(&w, "share_ppm", patch->share_ppm);
    }
    if (patch->has_salt) {
        json_kv_cstr(&w, "salt", patch->salt);
    }
    if (patch->has_enabled) {
        json_kv_bool(&w, "enabled", patch->enabled);
    }
    json_kv_u64(&w, "revision", revision);
    if (if_revision != NULL) {
        json_kv_u64(&w, "if_revision", *if_revision);
    } else {
        json_kv_cstr(&w, "if_revision", "any");
    }
    json_obj_end(&w);
}

struct waiting {
    router_fn fn;
    void *ctx;
};

static void answered(const struct http_response *res, const struct err *err, void *ctx)
{
    struct waiting *w = ctx;
    if (err != NULL) {
        w->fn(0, (struct str){NULL, 0}, err, w->ctx);
    } else if (res->status >= 200 && res->status <= 299) {
        w->fn(res->status, res->body, NULL, w->ctx);
    } else {
        struct err refused = {0};
        router_parse_error(res->status, res->body, &refused);
        w->fn(res->status, res->body, &refused, w->ctx);
    }
    mem_free(w);
}

struct http_call *router_call(struct http_client *http, const struct router *r, const char *token,
                              const char *method, const char *path, struct str body,
                              uint64_t timeout_ms, router_fn fn, void *ctx)
{
    _cleanup_(buf_done) struct buf url, bearer;
    buf_init(&url, 8192);
    buf_init(&bearer, 8192);
    buf_addf(&url, "%s/%s", r->url, path);
    const char *header[3] = {NULL};
    size_t n = 0;
    if (body.ptr != NULL) {
        header[n++] = "Content-Type: application/json";
    }
    if (token != NULL && token[0] != '\0') {
        buf_addf(&bearer, "Authorization: Bearer %s", token);
        header[n++] = bearer.ptr;
    }
    struct waiting *w = mem_alloc(sizeof *w);
    w->fn = fn;
    w->ctx = ctx;
    struct http_request req = {
        .method = method,
        .url = url.ptr,
        .socket = r->socket,
        .headers = header,
        .body = body,
        .timeout_ms = timeout_ms > 0 ? timeout_ms : 1,
        .max_bytes = MAX_ANSWER_BYTES,
    };
    return http_start(http, &req, answered, w);
}
