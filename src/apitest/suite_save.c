/* `save:`: names of variables and the paths to their values, checked before anything is called. */
#include "apitest/suite_int.h"

#include "apitest/value_int.h"
#include "base/num.h"

#include <string.h>

/* `path` or `{path: .., secret: true}`. */
static const struct conf_node *save_path(struct suite_reader *r, const struct conf_node *value,
                                         bool *ret_secret)
{
    static const struct conf_key keys[] = {
        {"path", CONF_WANT_TEXT, CONF_REQUIRED, "where the value is", NULL},
        {"secret", CONF_WANT_BOOL, 0, "true: it is never shown", NULL},
        {NULL, CONF_WANT_ANY, 0, NULL, NULL},
    };
    *ret_secret = false;
    if (value->kind == CONF_SCALAR) {
        return value;
    }
    if (conf_check_keys(r->diags, value, "a save", keys) != 0) {
        return NULL;
    }
    const struct conf_node *secret = conf_get(value, "secret");
    if (secret != NULL && conf_bool(r->diags, secret, ret_secret) != 0) {
        return NULL;
    }
    return conf_get(value, "path");
}

/* A path inside a message; whole: as it was written. */
static int check_inside(struct suite_reader *r, const struct conf_node *node, struct str inside,
                        const struct proto_message_desc *desc)
{
    struct err err = {0};
    const struct proto_field_desc *last;
    if (apitest_path_check(desc, inside, &last, &err) == 0) {
        return 0;
    }
    const char *what = strstr(err.msg, "no field \"");
    return conf_error(r->diags, node, "\"" STR_FMT "\": %s", STR_ARG(apitest_cut(node->text, 128)),
                      what == NULL ? err.msg : what);
}

/* "responses[0].order.id" */
static int check_reply(struct suite_reader *r, const struct conf_node *node,
                       const struct proto_method_desc *method)
{
    static const struct str begin = {"responses[", sizeof "responses[" - 1};
    struct str rest = {node->text.ptr + begin.len, node->text.len - begin.len};
    size_t close = str_find_char(rest, ']');
    uint64_t index = 0;
    bool good =
        close < rest.len && num_u64((struct str){rest.ptr, close}, 0, UINT32_MAX, &index) == 0;
    rest = good ? (struct str){rest.ptr + close + 1, rest.len - close - 1} : rest;
    if (!good || (rest.len > 0 && rest.ptr[0] != '.')) {
        return conf_error(r->diags, node,
                          "\"" STR_FMT "\": write the number of a message and a field in it: "
                          "responses[0].id",
                          STR_ARG(apitest_cut(node->text, 128)));
    }
    if (index > 0 && !method->server_streaming) {
        return conf_error(r->diags, node,
                          "\"" STR_FMT "\": " STR_FMT " is %s: one message comes, responses[0]",
                          STR_ARG(apitest_cut(node->text, 128)), STR_ARG(method->name),
                          proto_method_kind(method));
    }
    if (rest.len == 0) {
        return 0;
    }
    return check_inside(r, node, (struct str){rest.ptr + 1, rest.len - 1}, method->output);
}

/* "headers.x-served-by", "trailers.x" */
static bool is_header(struct str path)
{
    static const char *const begins[] = {"headers.", "trailers."};
    for (size_t i = 0; i < 2; i++) {
        struct str begin = str_of(begins[i]);
        if (path.len > begin.len && str_starts_with(path, begin)) {
            return true;
        }
    }
    return false;
}

static int check_path(struct suite_reader *r, const struct conf_node *node,
                      const struct proto_method_desc *method)
{
    struct str path = node->text;
    if (is_header(path) || str_eq_cstr(path, "status")) {
        return 0;
    }
    if (method == NULL) {
        bool json = str_eq_cstr(path, "json") || str_starts_with(path, STR("json.")) ||
                    str_starts_with(path, STR("json["));
        return json || str_eq_cstr(path, "body")
                   ? 0
                   : conf_error(r->diags, node,
                                "\"" STR_FMT
                                "\": what can be saved of an HTTP answer is json.FIELD, "
                                "body, status, headers.NAME, trailers.NAME",
                                STR_ARG(apitest_cut(path, 128)));
    }
    if (str_starts_with(path, STR("responses["))) {
        return check_reply(r, node, method);
    }
    return str_eq_cstr(path, "error.code") || str_eq_cstr(path, "error.message")
               ? 0
               : conf_error(r->diags, node,
                            "\"" STR_FMT "\": what can be saved of a call is responses[0].FIELD, "
                            "status, error.code, error.message, headers.NAME, trailers.NAME",
                            STR_ARG(apitest_cut(path, 128)));
}

void suite_saves(struct suite_reader *r, const struct conf_node *map,
                 const struct proto_method_desc *method, bool is_step, struct apitest_save **ret,
                 size_t *ret_len)
{
    if (map == NULL || map->kind != CONF_MAP) {
        return;
    }
    struct apitest_save *save = suite_alloc(r, map->len, sizeof *save);
    size_t n = 0;
    for (size_t i = 0; i < map->len; i++) {
        const struct conf_node *key = map->entry[i].key;
        bool secret;
        const struct conf_node *path = save_path(r, map->entry[i].value, &secret);
        int status = path == NULL ? ERR_INVALID
                     : is_step    ? check_inside(r, path, path->text, method->output)
                                  : check_path(r, path, method);
        if (status == 0 && suite_variable(r->diags, key) == 0) {
            save[n++] = (struct apitest_save){key->text, path->text, secret, path->pos};
        }
    }
    *ret = save;
    *ret_len = n;
}
