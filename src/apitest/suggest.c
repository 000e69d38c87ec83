/* "did you mean": names of descriptors need not end in NUL, so they are copied first. */
#include "apitest/suggest_int.h"

#include "apitest/value_int.h"
#include "base/mem.h"
#include "conf/diag.h"
#include "proto/pool.h"

#include <string.h>

enum { NAMES_MAX = 1024, OFTEN = 16 };

bool apitest_nearest(struct str word, struct str (*name)(const void *ctx, size_t i),
                     const void *ctx, size_t n, char out[APITEST_NAME_SIZE])
{
    n = n > NAMES_MAX ? NAMES_MAX : n;
    char(*copy)[APITEST_NAME_SIZE] = mem_array(n + 1, sizeof *copy);
    const char **choice = mem_array(n + 1, sizeof *choice);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct str s = name(ctx, i);
        if (s.len > 0 && s.len < APITEST_NAME_SIZE) {
            memcpy(copy[kept], s.ptr, s.len);
            choice[kept] = copy[kept];
            kept++;
        }
    }
    const char *near = str_nearest(word, choice, kept);
    if (near != NULL) {
        memcpy(out, near, strlen(near) + 1);
    }
    mem_free(choice);
    mem_free(copy);
    return near != NULL;
}

static struct str field_name(const void *ctx, size_t i)
{
    const struct proto_message_desc *desc = ctx;
    return desc->field[i].name;
}

bool apitest_nearest_field(const struct proto_message_desc *desc, struct str word,
                           char out[APITEST_NAME_SIZE])
{
    return apitest_nearest(word, field_name, desc, desc->fields, out);
}

static struct str member_key(const void *ctx, size_t i)
{
    const struct apitest_json *json = ctx;
    return json->member[i].key;
}

bool apitest_nearest_key(const struct apitest_json *json, struct str word,
                         char out[APITEST_NAME_SIZE])
{
    return json->kind == APITEST_JSON_OBJECT &&
           apitest_nearest(word, member_key, json, json->len, out);
}

void apitest_error_unknown(struct conf_diags *diags, const struct conf_node *node, const char *what,
                           struct str (*name)(const void *ctx, size_t i), const void *ctx, size_t n,
                           size_t listed)
{
    char near[APITEST_NAME_SIZE], list[240];
    struct buf b;
    if (apitest_nearest(node->text, name, ctx, n, near)) {
        (void) conf_error(diags, node, "%s: did you mean \"%s\"?", what, near);
        return;
    }
    buf_init_fixed(&b, list, sizeof list);
    for (size_t i = 0; i < listed && i < OFTEN; i++) {
        buf_add_cstr(&b, i == 0 ? "" : ", ");
        buf_add_str(&b, name(ctx, i));
    }
    (void) conf_error(diags, node, "%s: it has %s%s", what, listed == 0 ? "none" : list,
                      listed > OFTEN || b.failed ? ", ..." : "");
}

static void unknown_field(const struct conf_node *key, const struct proto_message_desc *desc,
                          struct conf_diags *diags)
{
    char what[256];
    struct buf w;
    buf_init_fixed(&w, what, sizeof what);
    buf_addf(&w, "no field \"" STR_FMT "\" in " STR_FMT, STR_ARG(apitest_cut(key->text, 64)),
             STR_ARG(apitest_cut(desc->full_name, 128)));
    apitest_error_unknown(diags, key, what, field_name, desc, desc->fields, desc->fields);
}

const struct proto_field_desc *apitest_field_of_key(const struct conf_node *key,
                                                    const struct proto_message_desc *desc,
                                                    struct conf_diags *diags)
{
    struct str name = key->text;
    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']') {
        struct str inner = {name.ptr + 1, name.len - 2};
        const struct proto_field_desc *field = proto_pool_extension(desc->file->pool, inner);
        if (field == NULL || field->parent != desc) {
            (void) conf_error(diags, key, "no extension \"" STR_FMT "\" of " STR_FMT,
                              STR_ARG(inner), STR_ARG(desc->full_name));
            return NULL;
        }
        return field;
    }
    const struct proto_field_desc *field = proto_field_by_any_name(desc, name);
    if (field == NULL) {
        unknown_field(key, desc, diags);
    }
    return field;
}
