/*
 * The JSON form of messages: reading the types that have a form of their own.  See json.h.
 *
 * An Any is read twice: its type may stand behind the members that need it.
 */
#include "base/mem.h"
#include "proto/json_int.h"
#include "proto/pool.h"
#include "proto/text_int.h"
#include "proto/wire.h"
#include "proto/wkt.h"

/* Numbers of the fields of google.protobuf.Value. */
enum { VALUE_NULL = 1, VALUE_NUMBER, VALUE_STRING, VALUE_BOOL, VALUE_STRUCT, VALUE_LIST };

static int refuse_token(struct proto_json *j, const struct proto_msg *msg, enum json_token token,
                        const char *right)
{
    return proto_json_refuse(j, ERR_INVALID, "%s where a " STR_FMT " belongs: write it %s",
                             proto_json_token_name(token), STR_ARG(msg->desc->full_name), right);
}

/* Timestamp, Duration, FieldMask. */
static int read_text(struct proto_json *j, enum json_token token, struct proto_msg *msg)
{
    struct str text;
    if (token != JSON_STRING) {
        return refuse_token(j, msg, token, "as a string");
    }
    int rc = proto_json_text(j, &text);
    if (rc < 0) {
        return rc;
    }
    struct err why;
    rc = proto_wkt_read_text(msg, text, &why);
    return rc < 0 ? proto_json_refuse(j, why.code, "%s", why.msg) : 0;
}

static int read_wrapper(struct proto_json *j, enum json_token token, struct proto_msg *msg)
{
    const struct proto_field_desc *field = proto_field_of(msg, 1);
    union proto_value value;
    int rc = proto_json_scalar(j, token, field, field, &value);
    return rc == 0 && !proto_set(msg, field, value) ? proto_json_refuse_full(j) : rc;
}

static int read_struct(struct proto_json *j, enum json_token token, struct proto_msg *msg)
{
    if (token != JSON_OBJ_BEGIN) {
        return refuse_token(j, msg, token, "in { }");
    }
    return proto_json_entries(j, msg, proto_field_of(msg, 1));
}

static int read_list_value(struct proto_json *j, enum json_token token, struct proto_msg *msg)
{
    const struct proto_field_desc *values = proto_field_of(msg, 1);
    if (token != JSON_ARR_BEGIN) {
        return refuse_token(j, msg, token, "in [ ]");
    }
    for (;;) {
        token = json_next(&j->r);
        if (token == JSON_ARR_END) {
            return 0;
        }
        if (token == JSON_ERROR) {
            return proto_json_refuse_text(j);
        }
        struct proto_msg *item = proto_add_message(msg, values);
        int rc = item == NULL ? proto_json_refuse_full(j) : proto_json_message(j, token, item);
        if (rc < 0) {
            return rc;
        }
    }
}

static uint32_t value_number(enum json_token token)
{
    switch (token) {
    case JSON_NUMBER:
        return VALUE_NUMBER;
    case JSON_STRING:
        return VALUE_STRING;
    case JSON_TRUE:
    case JSON_FALSE:
        return VALUE_BOOL;
    case JSON_OBJ_BEGIN:
        return VALUE_STRUCT;
    case JSON_ARR_BEGIN:
        return VALUE_LIST;
    case JSON_NULL:
    case JSON_ERROR:
    case JSON_END:
    case JSON_OBJ_END:
    case JSON_ARR_END:
    case JSON_KEY:
        break;
    }
    return VALUE_NULL;
}

static int read_any_value(struct proto_json *j, enum json_token token, struct proto_msg *msg)
{
    const struct proto_field_desc *field = proto_field_of(msg, value_number(token));
    union proto_value value = {.u64 = 0};
    if (field->type == PROTO_MESSAGE) {
        struct proto_msg *inner = proto_mutable(msg, field);
        return inner == NULL ? proto_json_refuse_full(j) : proto_json_message(j, token, inner);
    }
    int rc = token == JSON_NULL ? 0 : proto_json_scalar(j, token, field, field, &value);
    return rc == 0 && !proto_set(msg, field, value) ? proto_json_refuse_full(j) : rc;
}

/* ---- Any. ---- */

/*
 * Looks for "@type" in the object of which "{" was read; the reader is then where it was.
 * ret_type without ptr: there is none; ret_empty: the object has no member at all.
 */
static int find_type(struct proto_json *j, struct str *ret_type, bool *ret_empty)
{
    struct json_reader start = j->r;
    struct str type = {NULL, 0};
    bool empty = true;
    enum json_token token = json_next(&j->r);
    int rc = 0;
    while (token == JSON_KEY) {
        struct str name = j->r.value;
        empty = false;
        rc = j->r.escaped ? proto_json_text(j, &name) : 0;
        if (rc < 0) {
            return rc;
        }
        if (str_eq(name, STR("@type"))) {
            token = json_next(&j->r);
            if (token == JSON_ERROR) {
                break;
            }
            if (token != JSON_STRING) {
                return proto_json_refuse(j, ERR_INVALID, "\"@type\" is %s: write a string",
                                         proto_json_token_name(token));
            }
            rc = proto_json_text(j, &type);
            break;
        }
        if (json_skip(&j->r) < 0) {
            return proto_json_refuse_text(j);
        }
        token = json_next(&j->r);
    }
    if (token == JSON_ERROR) {
        return proto_json_refuse_text(j);
    }
    if (rc == 0) {
        j->r = start;
        *ret_type = type;
        *ret_empty = empty;
    }
    return rc;
}

/* {"@type": .., "value": ..} of a type that has a form of its own. */
static int read_inner_value(struct proto_json *j, struct proto_msg *inner)
{
    bool type = false, value = false;
    for (;;) {
        enum json_token token = json_next(&j->r);
        struct str name = j->r.value;
        char quoted[256];
        int rc = 0;
        if (token == JSON_OBJ_END) {
            break;
        }
        if (token == JSON_ERROR) {
            return proto_json_refuse_text(j);
        }
        if (j->r.escaped) {
            rc = proto_json_text(j, &name);
        }
        bool *seen = str_eq(name, STR("@type")) ? &type : &value;
        if (rc == 0 && seen == &value && !str_eq(name, STR("value"))) {
            if ((j->flags & PROTO_JSON_IGNORE_UNKNOWN) == 0) {
                return proto_json_refuse(
                    j, ERR_INVALID,
                    "no field %s in an Any of " STR_FMT ": it has \"@type\" and \"value\"",
                    proto_quoted(name, quoted), STR_ARG(inner->desc->full_name));
            }
            if (json_skip(&j->r) < 0) {
                return proto_json_refuse_text(j);
            }
            continue;
        }
        if (rc == 0 && *seen) {
            return proto_json_refuse(j, ERR_INVALID, "\"" STR_FMT "\" is there twice",
                                     STR_ARG(name));
        }
        *seen = true;
        token = rc == 0 ? json_next(&j->r) : token;
        rc = rc < 0 || seen == &type ? rc : proto_json_message(j, token, inner);
        if (rc < 0) {
            return rc;
        }
    }
    if (!value) {
        return proto_json_refuse(j, ERR_INVALID, "an Any of " STR_FMT " without \"value\"",
                                 STR_ARG(inner->desc->full_name));
    }
    return 0;
}

/* Type and bytes into the Any. */
static int pack(struct proto_json *j, struct proto_msg *any, struct str type,
                const struct proto_msg *inner)
{
    struct buf b;
    struct err why;
    buf_init(&b, any->arena->max_bytes);
    int rc = proto_wire_write(inner, 0, &b, &why);
    union proto_value value = {.bytes = {"", 0}};
    if (rc < 0) {
        rc = proto_json_refuse(j, why.code, "%s", why.msg);
    } else {
        char *copy = arena_strdup(any->arena, buf_str(&b));
        value.bytes = (struct str){copy, b.len};
        if (copy == NULL || !proto_set(any, proto_field_of(any, 2), value) ||
            !proto_set(any, proto_field_of(any, 1), (union proto_value){.bytes = type})) {
            rc = proto_json_refuse_full(j);
        }
    }
    buf_done(&b);
    return rc;
}

static int read_any(struct proto_json *j, enum json_token token, struct proto_msg *any)
{
    struct str type = {NULL, 0};
    bool empty = false;
    char quoted[256];
    if (token != JSON_OBJ_BEGIN) {
        return refuse_token(j, any, token, "in { }");
    }
    int rc = find_type(j, &type, &empty);
    if (rc < 0) {
        return rc;
    }
    if (empty) {
        (void) json_next(&j->r);
        return 0;
    }
    if (type.ptr == NULL) {
        return proto_json_refuse(j, ERR_INVALID, "an Any without \"@type\", its type");
    }
    const struct proto_message_desc *desc = proto_any_type(j->pool, type);
    if (desc == NULL) {
        return proto_json_refuse(j, ERR_INVALID, "the type %s in an Any is not known",
                                 proto_quoted(type, quoted));
    }
    struct proto_msg *inner = proto_msg_new(j->arena, desc);
    if (inner == NULL) {
        return proto_json_refuse_full(j);
    }
    if (desc->wkt == PROTO_WKT_NONE || desc->wkt == PROTO_WKT_EMPTY) {
        rc = proto_json_members(j, inner, STR("@type"));
    } else {
        rc = read_inner_value(j, inner);
    }
    return rc < 0 ? rc : pack(j, any, type, inner);
}

int proto_json_wkt(struct proto_json *j, enum json_token token, struct proto_msg *msg)
{
    switch (msg->desc->wkt) {
    case PROTO_WKT_TIMESTAMP:
    case PROTO_WKT_DURATION:
    case PROTO_WKT_FIELD_MASK:
        return read_text(j, token, msg);
    case PROTO_WKT_WRAPPER:
        return read_wrapper(j, token, msg);
    case PROTO_WKT_STRUCT:
        return read_struct(j, token, msg);
    case PROTO_WKT_LIST_VALUE:
        return read_list_value(j, token, msg);
    case PROTO_WKT_VALUE:
        return read_any_value(j, token, msg);
    case PROTO_WKT_ANY:
        return read_any(j, token, msg);
    case PROTO_WKT_NONE:
    case PROTO_WKT_EMPTY:
        break;
    }
    BUG("not a type with a form of its own");
}
