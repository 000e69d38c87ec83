/* From bytes to messages: see wire.h. */
#include "proto/index_int.h"
#include "proto/message_int.h"
#include "proto/wire_int.h"

#include <stdarg.h>
#include <stdio.h>

struct reader {
    struct wire_cursor c;
    const uint8_t *begin; /* of all bytes, for places in errors */
    const uint8_t *last;  /* end of all bytes */
    struct arena *arena;
    char *copy; /* of all bytes, for strings that are not borrowed; NULL: not made yet */
    struct err *err;
    unsigned flags;
    size_t depth;
    bool extensions; /* some were read: required fields may be below any message */
};

__attribute__((format(printf, 3, 4))) static int fail(struct reader *r, struct str thing,
                                                      const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(r->err, ERR_INVALID, STR_FMT ": %s (at byte %zu)", STR_ARG(thing), text,
                   (size_t) (r->c.at - r->begin));
}

static int fault(struct reader *r, struct str thing)
{
    return fail(r, thing, "%s", r->c.fault);
}

static int full(struct reader *r, struct str thing)
{
    return err_set(r->err, ERR_FULL, STR_FMT ": the message takes more than %zu bytes of memory",
                   STR_ARG(thing), r->arena->max_bytes);
}

/* A length and that many bytes. */
static int read_bytes(struct reader *r, struct str thing, struct str *ret)
{
    uint64_t len;
    if (!proto_wire_varint(&r->c, &len)) {
        return fault(r, thing);
    }
    if (len > (uint64_t) (r->c.end - r->c.at)) {
        return fail(r, thing, "%llu bytes were announced, %zu are left", (unsigned long long) len,
                    (size_t) (r->c.end - r->c.at));
    }
    *ret = (struct str){(const char *) r->c.at, (size_t) len};
    r->c.at += len;
    return 0;
}

/* Bytes that live as long as the message. */
static int keep(struct reader *r, struct str thing, struct str bytes, struct str *ret)
{
    if ((r->flags & PROTO_WIRE_BORROW) != 0 || bytes.len == 0) {
        *ret = bytes;
        return 0;
    }
    if (r->copy == NULL) {
        struct str all = {(const char *) r->begin, (size_t) (r->last - r->begin)};
        r->copy = arena_strdup(r->arena, all);
        if (r->copy == NULL) {
            return full(r, thing);
        }
    }
    *ret = (struct str){r->copy + ((const uint8_t *) bytes.ptr - r->begin), bytes.len};
    return 0;
}

static int keep_unknown(struct reader *r, struct proto_msg *msg, const uint8_t *from)
{
    struct str bytes = {(const char *) from, (size_t) (r->c.at - from)};
    return proto_unknown_add(msg, bytes) ? 0 : full(r, msg->desc->full_name);
}

static union proto_value from_varint(enum proto_type type, uint64_t number)
{
    union proto_value value = PROTO_ZERO;
    if (type == PROTO_BOOL) {
        value.boolean = number != 0;
    } else if (type == PROTO_SINT32) {
        uint32_t low = (uint32_t) number;
        value.u32 = low >> 1 ^ (0 - (low & 1));
    } else if (type == PROTO_SINT64) {
        value.u64 = number >> 1 ^ (0 - (number & 1));
    } else if (type == PROTO_INT64 || type == PROTO_UINT64) {
        value.u64 = number;
    } else {
        value.u32 = (uint32_t) number;
    }
    return value;
}

static bool is_unknown_value(const struct proto_field_desc *field, union proto_value value)
{
    return field->type == PROTO_ENUM && field->enumeration->closed &&
           proto_enum_by_number(field->enumeration, value.i32) == NULL;
}

/* Appends or sets. */
static int store(struct reader *r, struct proto_msg *msg, const struct proto_field_desc *field,
                 union proto_value value)
{
    if (field->repeated) {
        return proto_add(msg, field, value) ? 0 : full(r, field->full_name);
    }
    if (field->is_extension) {
        return proto_set(msg, field, value) ? 0 : full(r, field->full_name);
    }
    msg->value[field->index] = value;
    if (field->has_presence) {
        proto_set_bit(msg, field);
        if (field->oneof != NULL) {
            proto_clear_others(msg, field);
        }
    }
    return 0;
}

static int read_number(struct reader *r, const struct proto_field_desc *field, unsigned type,
                       union proto_value *ret)
{
    uint64_t number;
    *ret = PROTO_ZERO;
    if (type == WIRE_VARINT) {
        if (!proto_wire_varint(&r->c, &number)) {
            return fault(r, field->full_name);
        }
        *ret = from_varint(field->type, number);
    } else if (!proto_wire_fixed(&r->c, type == WIRE_64 ? 8 : 4, &number)) {
        return fault(r, field->full_name);
    } else if (type == WIRE_64) {
        ret->u64 = number;
    } else {
        ret->u32 = (uint32_t) number;
    }
    return 0;
}

/* A value that a closed enum does not know, out of a packed list: as if it stood alone. */
static int keep_value(struct reader *r, struct proto_msg *msg, const struct proto_field_desc *field,
                      int32_t value)
{
    char mem[24];
    size_t n = 0;
    const uint64_t parts[] = {(uint64_t) field->number << 3, (uint64_t) (int64_t) value};
    for (size_t i = 0; i < 2; i++) {
        uint64_t rest = parts[i];
        for (; rest >= 0x80; rest >>= 7) {
            mem[n++] = (char) (uint8_t) (rest | 0x80);
        }
        mem[n++] = (char) (uint8_t) rest;
    }
    return proto_unknown_add(msg, (struct str){mem, n}) ? 0 : full(r, field->full_name);
}

static size_t count_numbers(struct str bytes, unsigned type)
{
    if (type != WIRE_VARINT) {
        return bytes.len / (type == WIRE_64 ? 8 : 4);
    }
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        n += (uint8_t) bytes.ptr[i] < 0x80;
    }
    return n;
}

static int read_packed(struct reader *r, struct proto_msg *msg,
                       const struct proto_field_desc *field, unsigned type)
{
    struct str bytes = {NULL, 0};
    int status = read_bytes(r, field->full_name, &bytes);
    if (status != 0 || bytes.len == 0) {
        return status;
    }
    struct proto_list *list = proto_list_room(msg, field, count_numbers(bytes, type));
    if (list == NULL) {
        return full(r, field->full_name);
    }
    const uint8_t *end = r->c.end;
    r->c.at = (const uint8_t *) bytes.ptr;
    r->c.end = r->c.at + bytes.len;
    while (status == 0 && r->c.at < r->c.end) {
        union proto_value value;
        status = read_number(r, field, type, &value);
        if (status != 0) {
            break;
        }
        if (is_unknown_value(field, value)) {
            status = keep_value(r, msg, field, value.i32);
        } else {
            list->item[list->len++] = value;
        }
    }
    r->c.end = end;
    return status;
}

static int read_fields(struct reader *r, struct proto_msg *msg, uint32_t group);

/* The fields of a message that lies in bytes. */
static int read_inside(struct reader *r, struct proto_msg *msg, struct str thing, struct str bytes)
{
    if (r->depth == PROTO_DEPTH_MAX) {
        return fail(r, thing, "messages are nested more than %d deep", PROTO_DEPTH_MAX);
    }
    const uint8_t *at = r->c.at, *end = r->c.end;
    r->c.at = (const uint8_t *) bytes.ptr;
    r->c.end = r->c.at + bytes.len;
    r->depth++;
    int status = bytes.len == 0 ? 0 : read_fields(r, msg, 0);
    r->depth--;
    if (status == 0) {
        r->c.at = at;
        r->c.end = end;
    }
    return status;
}

/* What the wire left out is set: a key always is, a value too. */
static bool complete_entry(struct proto_msg *entry)
{
    for (size_t i = 0; i < 2; i++) {
        const struct proto_field_desc *field = &entry->desc->field[i];
        if (proto_has(entry, field)) {
            continue;
        }
        if (field->message != NULL ? proto_mutable(entry, field) == NULL
                                   : !proto_set(entry, field, field->fallback)) {
            return false;
        }
    }
    return true;
}

/* The value of the entry was one that a closed enum does not know. */
static bool lost_value(const struct proto_msg *entry)
{
    const struct proto_field_desc *value = &entry->desc->field[1];
    struct proto_unknown it = {.rest = entry->unknown};
    if (value->type != PROTO_ENUM || !value->enumeration->closed || proto_has(entry, value)) {
        return false;
    }
    while (proto_unknown_next(&it)) {
        if (it.number == 2 && it.wire_type == WIRE_VARINT) {
            return true;
        }
    }
    return false;
}

static int read_entry(struct reader *r, struct proto_msg *msg, const struct proto_field_desc *field,
                      const uint8_t *start)
{
    struct str bytes = {NULL, 0};
    int status = read_bytes(r, field->full_name, &bytes);
    if (status != 0) {
        return status;
    }
    struct proto_msg *entry = proto_msg_new(r->arena, field->message);
    if (entry == NULL) {
        return full(r, field->full_name);
    }
    status = read_inside(r, entry, field->full_name, bytes);
    if (status != 0) {
        return status;
    }
    if (lost_value(entry)) {
        return keep_unknown(r, msg, start);
    }
    struct proto_list *list = proto_list_room(msg, field, 1);
    if (!complete_entry(entry) || list == NULL) {
        return full(r, field->full_name);
    }
    size_t place = proto_map_place(list, field, proto_entry_key(entry), r->arena);
    list->len += place == list->len;
    list->item[place].msg = entry;
    return 0;
}

/* The message that a field's bytes go into: a new one, or the one that is there. */
static struct proto_msg *target(struct proto_msg *msg, const struct proto_field_desc *field)
{
    return field->repeated ? proto_add_message(msg, field) : proto_mutable(msg, field);
}

static int read_message(struct reader *r, struct proto_msg *msg,
                        const struct proto_field_desc *field)
{
    struct str bytes = {NULL, 0};
    int status = read_bytes(r, field->full_name, &bytes);
    if (status != 0) {
        return status;
    }
    struct proto_msg *below = target(msg, field);
    return below == NULL ? full(r, field->full_name)
                         : read_inside(r, below, field->full_name, bytes);
}

static int read_group(struct reader *r, struct proto_msg *msg, const struct proto_field_desc *field)
{
    if (r->depth == PROTO_DEPTH_MAX) {
        return fail(r, field->full_name, "messages are nested more than %d deep", PROTO_DEPTH_MAX);
    }
    struct proto_msg *below = target(msg, field);
    if (below == NULL) {
        return full(r, field->full_name);
    }
    r->depth++;
    int status = read_fields(r, below, field->number);
    r->depth--;
    return status;
}

static int read_string(struct reader *r, struct proto_msg *msg,
                       const struct proto_field_desc *field)
{
    struct str bytes = {NULL, 0};
    union proto_value value = PROTO_ZERO;
    int status = read_bytes(r, field->full_name, &bytes);
    if (status == 0 && field->check_utf8 && !str_is_utf8(bytes)) {
        return fail(r, field->full_name, "the string is not UTF-8");
    }
    if (status == 0) {
        status = keep(r, field->full_name, bytes, &value.bytes);
    }
    return status == 0 ? store(r, msg, field, value) : status;
}

static int read_known(struct reader *r, struct proto_msg *msg, const struct proto_field_desc *field,
                      unsigned type, const uint8_t *start)
{
    if (type == WIRE_BYTES) {
        return field->message == NULL ? read_string(r, msg, field)
               : field->is_map        ? read_entry(r, msg, field, start)
                                      : read_message(r, msg, field);
    }
    if (type == WIRE_GROUP) {
        return read_group(r, msg, field);
    }
    union proto_value value;
    int status = read_number(r, field, type, &value);
    if (status != 0) {
        return status;
    }
    return is_unknown_value(field, value) ? keep_unknown(r, msg, start)
                                          : store(r, msg, field, value);
}

/* What an item of a message set has; the message may come before its type. */
struct item {
    uint64_t type;
    struct str message;
    bool has_type, has_message;
};

static int read_item_parts(struct reader *r, struct proto_msg *msg, struct item *item)
{
    for (;;) {
        uint32_t number;
        unsigned type;
        const struct str thing = msg->desc->full_name;
        if (r->c.at == r->c.end) {
            return fail(r, thing, "the bytes end inside a group");
        }
        if (!proto_wire_tag(&r->c, &number, &type)) {
            return fault(r, thing);
        }
        if (number == 1 && type == WIRE_END_GROUP) {
            return 0;
        }
        if (number == 2 && type == WIRE_VARINT && !item->has_type) {
            item->has_type = true;
            if (!proto_wire_varint(&r->c, &item->type)) {
                return fault(r, thing);
            }
        } else if (number == 3 && type == WIRE_BYTES && !item->has_message) {
            item->has_message = true;
            int status = read_bytes(r, thing, &item->message);
            if (status != 0) {
                return status;
            }
        } else if (!proto_wire_skip(&r->c, number, type, r->depth + 1)) {
            return fault(r, thing);
        }
    }
}

static int read_item(struct reader *r, struct proto_msg *msg, const uint8_t *start)
{
    struct item item = {0};
    int status = read_item_parts(r, msg, &item);
    if (status != 0) {
        return status;
    }
    const struct proto_field_desc *field =
        item.has_type && item.has_message && item.type <= INT32_MAX
            ? proto_extension_of(msg->desc, (uint32_t) item.type)
            : NULL;
    if (field == NULL) {
        return keep_unknown(r, msg, start);
    }
    r->extensions = true;
    struct proto_msg *below = target(msg, field);
    return below == NULL ? full(r, field->full_name)
                         : read_inside(r, below, field->full_name, item.message);
}

static int read_field(struct reader *r, struct proto_msg *msg, uint32_t number, unsigned type,
                      const uint8_t *start)
{
    const struct proto_field_desc *field = proto_field_by_number(msg->desc, number);
    if (field == NULL && (r->flags & PROTO_WIRE_PLAIN) == 0) {
        field = proto_extension_of(msg->desc, number);
        r->extensions = r->extensions || field != NULL;
    }
    if (field != NULL) {
        unsigned wanted = proto_wire_type(field->type);
        if (type == wanted) {
            return read_known(r, msg, field, type, start);
        }
        if (type == WIRE_BYTES && field->repeated && wanted != WIRE_GROUP) {
            return read_packed(r, msg, field, wanted);
        }
    }
    if (!proto_wire_skip(&r->c, number, type, r->depth)) {
        return fault(r, field != NULL ? field->full_name : msg->desc->full_name);
    }
    return keep_unknown(r, msg, start);
}

/* Up to the end of the bytes, or of the group of that number. */
static int read_fields(struct reader *r, struct proto_msg *msg, uint32_t group)
{
    while (r->c.at < r->c.end) {
        const uint8_t *start = r->c.at;
        uint32_t number;
        unsigned type;
        if (!proto_wire_tag(&r->c, &number, &type)) {
            return fault(r, msg->desc->full_name);
        }
        if (type == WIRE_END_GROUP) {
            if (group == number) {
                return 0;
            }
            return fail(r, msg->desc->full_name, "group %u ends, which did not begin", number);
        }
        int status = type == WIRE_GROUP && number == 1 && msg->desc->message_set
                         ? read_item(r, msg, start)
                         : read_field(r, msg, number, type, start);
        if (status != 0) {
            return status;
        }
    }
    return group == 0 ? 0 : fail(r, msg->desc->full_name, "the bytes end inside group %u", group);
}

int proto_wire_read(struct str bytes, struct proto_msg *msg, unsigned flags, struct err *err)
{
    static const uint8_t nothing[1];
    const uint8_t *begin = bytes.len == 0 ? nothing : (const uint8_t *) bytes.ptr;
    struct reader r = {
        .c = {.at = begin, .end = begin + bytes.len},
        .begin = begin,
        .last = begin + bytes.len,
        .arena = msg->arena,
        .err = err,
        .flags = flags,
    };
    int status = read_fields(&r, msg, 0);
    if (status != 0 || (flags & PROTO_WIRE_PARTIAL) != 0 ||
        (!msg->desc->has_required && !r.extensions)) {
        return status;
    }
    const struct proto_field_desc *missing = proto_missing_field(msg, r.extensions);
    return missing == NULL ? 0
                           : err_set(err, ERR_INVALID, STR_FMT ": is required and not there",
                                     STR_ARG(missing->full_name));
}
