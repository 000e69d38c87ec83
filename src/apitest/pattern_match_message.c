/* Patterns of messages: what an Any holds, unknown fields, oneofs, whole values of variables. */
#include "apitest/pattern_int.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "proto/wire.h"
#include "proto/wkt.h"

#include <string.h>

enum { DEPTH_MAX = 128, UNKNOWN_SHOWN = 8, SHORT_MAX = 24, TEXT_MAX = 64 * 1024 * 1024 };

static bool match_typed(struct match *m, const struct apitest_pattern *p,
                        const struct apitest_value *v)
{
    if (v->kind != APITEST_MESSAGE) {
        return apitest_differs(m, p, v, NULL, NULL, "%s", "");
    }
    const struct proto_msg *any = v->proto.msg;
    struct str name = apitest_type_name(proto_str(any, 1));
    if (!str_eq(name, p->type_name)) {
        char expected[192];
        struct buf b;
        buf_init_fixed(&b, expected, sizeof expected);
        buf_add_cstr(&b, "\"@type\": ");
        buf_add_str(&b, apitest_cut(p->type_name, 160));
        return apitest_differs(m, p, v, expected, NULL, "%s",
                               name.len == 0 ? "the Any is empty" : "another type");
    }
    if (p->children == 0) {
        return true;
    }
    if (p->child[0]->op == PAT_FIELDS && p->child[0]->subject.desc == any->desc) {
        return apitest_pattern_match(m, p->child[0], v); /* of unknown type: its bytes */
    }
    struct proto_msg *inner = apitest_made(m, any);
    struct err err = {0};
    if (inner == NULL) {
        if (proto_any_unpack(any, any->desc->file->pool, &inner, &err) < 0) {
            return apitest_differs(m, p, v, NULL, NULL, "%s", err.msg);
        }
        apitest_made_put(m, any, inner);
    }
    struct apitest_value value = apitest_value_of_message(inner);
    return apitest_pattern_match(m, p->child[0], &value);
}

static void show_unknown(const struct match *m, const struct proto_unknown *u, struct buf *b)
{
    static const char *const kind[] = {"varint", "64 bits", "bytes", "group", "?", "32 bits"};
    static const char hex[] = "0123456789abcdef";
    buf_addf(b, "field %u (%s) ", u->number, kind[u->wire_type < 6 ? u->wire_type : 4]);
    if (u->wire_type != 2 && u->wire_type != 3) {
        buf_add_u64(b, u->number_value);
    } else if (apitest_hides(m->secrets, u->bytes)) {
        apitest_redact_cut(m->secrets, u->bytes, true, SHORT_MAX, b);
    } else if (u->wire_type == 2 && str_is_utf8(u->bytes) &&
               str_find_char(u->bytes, '\0') == u->bytes.len) {
        apitest_text_show(u->bytes, SHORT_MAX, b);
    } else {
        for (size_t i = 0; i < u->bytes.len && i < SHORT_MAX / 2; i++) {
            unsigned char c = (unsigned char) u->bytes.ptr[i];
            buf_add_char(b, hex[c >> 4]);
            buf_add_char(b, hex[c & 15]);
        }
        buf_add_cstr(b, u->bytes.len > SHORT_MAX / 2 ? "..." : "");
    }
}

/* Tells of the unknown fields of one message. */
static bool deny_here(struct match *m, const struct apitest_pattern *p, const struct proto_msg *msg)
{
    if (msg->unknown.len == 0) {
        return true;
    }
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 4096);
    struct proto_unknown it = {.rest = msg->unknown};
    size_t n = 0;
    while (proto_unknown_next(&it)) {
        if (n++ < UNKNOWN_SHOWN) {
            buf_add_cstr(&b, n > 1 ? ", " : "");
            show_unknown(m, &it, &b);
        }
    }
    if (n > UNKNOWN_SHOWN) {
        buf_addf(&b, " and %zu more", n - UNKNOWN_SHOWN);
    }
    buf_add_char(&b, '\0');
    struct apitest_value v = apitest_value_of_message(msg);
    return apitest_differs(m, p, &v, "no unknown fields ($unknown: deny)", b.ptr,
                           "not in " STR_FMT ": the other side knows another schema",
                           STR_ARG(apitest_cut(msg->desc->full_name, 200)));
}

static bool deny_unknown(struct match *m, const struct apitest_pattern *p,
                         const struct proto_msg *msg, unsigned depth);

static bool deny_field(struct match *m, const struct apitest_pattern *p,
                       const struct proto_iter *it, unsigned depth)
{
    bool good = true;
    if (!it->field->repeated) {
        return deny_unknown(m, p, it->value.msg, depth);
    }
    for (size_t i = 0; i < it->value.list->len; i++) {
        size_t back = m->path.len;
        const struct proto_msg *item = it->value.list->item[i].msg;
        if (it->field->is_map) {
            _cleanup_(buf_done) struct buf key;
            buf_init(&key, 256);
            apitest_key_text(it->field, item, &key);
            apitest_path_key(&m->path, buf_str(&key));
        } else {
            (void) apitest_path_index(m, i);
        }
        if (it->field->is_map && proto_map_value(it->field)->message != NULL) {
            item = proto_get(item, proto_map_value(it->field)).msg;
        }
        good = (item == NULL || deny_unknown(m, p, item, depth)) && good;
        apitest_path_back(m, back);
    }
    return good;
}

/* Of the message and all messages in it, also those in an Any. */
static bool deny_unknown(struct match *m, const struct apitest_pattern *p,
                         const struct proto_msg *msg, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        return true;
    }
    bool good = deny_here(m, p, msg);
    struct proto_iter it = {.msg = msg};
    size_t back = m->path.len;
    while (proto_next(&it)) {
        if (it.field->message != NULL) {
            apitest_path_field(&m->path, it.field);
            good = deny_field(m, p, &it, depth + 1) && good;
            apitest_path_back(m, back);
        }
    }
    struct proto_msg *inner = NULL;
    struct err err = {0};
    if (msg->desc->wkt == PROTO_WKT_ANY && proto_str(msg, 1).len > 0 &&
        proto_any_unpack(msg, msg->desc->file->pool, &inner, &err) == 0) {
        good = deny_unknown(m, p, inner, depth + 1) && good;
    }
    return good;
}

static bool match_oneof(struct match *m, const struct apitest_pattern *p,
                        const struct apitest_value *v)
{
    if (v->kind != APITEST_MESSAGE) {
        return apitest_differs(m, p, v, NULL, NULL, "%s", "");
    }
    const struct proto_field_desc *set = proto_which(v->proto.msg, p->branch->oneof);
    if (set == p->branch) {
        return true;
    }
    char got[160];
    struct buf b;
    buf_init_fixed(&b, got, sizeof got);
    buf_add_str(&b, set == NULL ? STR("none") : apitest_cut(set->name, 128));
    return apitest_differs(m, p, v, NULL, got, "of oneof " STR_FMT,
                           STR_ARG(apitest_cut(p->branch->oneof->name, 128)));
}

/* The value's JSON against the variable's, as `save` wrote it. */
static bool match_same(struct match *m, const struct apitest_pattern *p,
                       const struct apitest_value *v)
{
    static const struct subject text = {.kind = SUBJECT_TEXT};
    struct scalar wanted;
    const struct apitest_json *a = NULL, *b = NULL;
    struct err err = {0};
    if (!apitest_operand_now(m, p, &text, &p->operand, &wanted)) {
        return false;
    }
    if (v->kind == APITEST_ABSENT) {
        return apitest_differs(m, p, v, NULL, NULL, "%s", "");
    }
    _cleanup_(buf_done) struct buf got;
    buf_init(&got, TEXT_MAX);
    int r = apitest_json_parse(wanted.text, &m->arena, &a, &err);
    if (r < 0) {
        return apitest_differs(m, p, v, NULL, NULL, "the variable holds no JSON: %s", err.msg);
    }
    r = apitest_value_text(v, &got, &err);
    r = r < 0 ? r : apitest_json_parse(buf_str(&got), &m->arena, &b, &err);
    if (r < 0) {
        return apitest_differs(m, p, v, NULL, NULL, "it has no JSON form: %s", err.msg);
    }
    if (apitest_json_equal(a, b)) {
        return true;
    }
    struct apitest_value wants = apitest_value_of_json(a);
    _cleanup_(buf_done) struct buf shown;
    buf_init(&shown, TEXT_MAX);
    apitest_value_show_safe(m->secrets, &wants, 400, &shown);
    return apitest_differs(m, p, v, shown.ptr, NULL, "the value of " STR_FMT,
                           STR_ARG(apitest_cut(p->node->text, 128)));
}

bool apitest_match_message(struct match *m, const struct apitest_pattern *p,
                           const struct apitest_value *v)
{
    if (p->op == PAT_TYPED) {
        return match_typed(m, p, v);
    }
    if (p->op == PAT_ONEOF) {
        return match_oneof(m, p, v);
    }
    if (p->op == PAT_SAME) {
        return match_same(m, p, v);
    }
    return v->kind != APITEST_MESSAGE || deny_unknown(m, p, v->proto.msg, 0);
}
