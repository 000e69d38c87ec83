/* The lowest part of the binary form: see wire_int.h. */
#include "proto/wire_int.h"

bool proto_wire_varint_long(struct wire_cursor *c, uint64_t *ret)
{
    uint64_t value = 0;
    const uint8_t *at = c->at;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (at == c->end) {
            c->fault = "the bytes end inside a number";
            return false;
        }
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) {
            c->at = at;
            *ret = value;
            return true;
        }
    }
    c->fault = "a number has more than 64 bits";
    return false;
}

bool proto_wire_tag(struct wire_cursor *c, uint32_t *ret_number, unsigned *ret_type)
{
    uint64_t tag;
    if (!proto_wire_varint(c, &tag)) {
        return false;
    }
    if (tag > UINT32_MAX || tag >> 3 == 0) {
        c->fault = tag >> 3 == 0 ? "a field has number 0" : "a field's number is above 536870911";
        return false;
    }
    if ((tag & 7) > WIRE_32) {
        c->fault = (tag & 7) == 6 ? "a field has wire type 6; 0 to 5 are known"
                                  : "a field has wire type 7; 0 to 5 are known";
        return false;
    }
    *ret_number = (uint32_t) tag >> 3;
    *ret_type = (unsigned) (tag & 7);
    return true;
}

bool proto_wire_fixed(struct wire_cursor *c, size_t size, uint64_t *ret)
{
    if ((size_t) (c->end - c->at) < size) {
        c->fault = "the bytes end inside a number";
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t) c->at[i] << (8 * i);
    }
    c->at += size;
    *ret = value;
    return true;
}

static bool skip_bytes(struct wire_cursor *c, uint64_t n)
{
    if (n > (uint64_t) (c->end - c->at)) {
        c->fault = "the bytes end inside a field";
        return false;
    }
    c->at += n;
    return true;
}

static bool skip_one(struct wire_cursor *c, unsigned type)
{
    uint64_t number;
    switch (type) {
    case WIRE_VARINT:
        return proto_wire_varint(c, &number);
    case WIRE_64:
        return skip_bytes(c, 8);
    case WIRE_BYTES:
        return proto_wire_varint(c, &number) && skip_bytes(c, number);
    case WIRE_32:
        return skip_bytes(c, 4);
    default:
        c->fault = "a group ends that did not begin";
        return false;
    }
}

bool proto_wire_skip(struct wire_cursor *c, uint32_t number, unsigned type, size_t depth)
{
    uint32_t open[PROTO_DEPTH_MAX]; /* groups that have not ended */
    size_t n = 0;
    for (;;) {
        if (type == WIRE_GROUP) {
            if (depth + n >= PROTO_DEPTH_MAX) {
                c->fault = "messages are nested more than 100 deep";
                return false;
            }
            open[n++] = number;
        } else if (type == WIRE_END_GROUP && n > 0 && open[n - 1] == number) {
            n--;
        } else if (!skip_one(c, type)) {
            return false;
        }
        if (n == 0) {
            return true;
        }
        if (c->at == c->end) {
            c->fault = "the bytes end inside a group";
            return false;
        }
        if (!proto_wire_tag(c, &number, &type)) {
            return false;
        }
    }
}

unsigned proto_wire_type(enum proto_type type)
{
    static const uint8_t types[] = {
        [PROTO_DOUBLE] = WIRE_64,     [PROTO_FLOAT] = WIRE_32,      [PROTO_FIXED64] = WIRE_64,
        [PROTO_FIXED32] = WIRE_32,    [PROTO_STRING] = WIRE_BYTES,  [PROTO_GROUP] = WIRE_GROUP,
        [PROTO_MESSAGE] = WIRE_BYTES, [PROTO_BYTES] = WIRE_BYTES,   [PROTO_SFIXED32] = WIRE_32,
        [PROTO_SFIXED64] = WIRE_64,   [PROTO_SINT64] = WIRE_VARINT,
    };
    return types[type];
}

/* What is inside a group of which the begin was read; c moves behind its end. */
static bool take_group(struct wire_cursor *c, uint32_t group, struct str *ret)
{
    const uint8_t *start = c->at;
    while (c->at < c->end) {
        const uint8_t *at = c->at;
        uint32_t number;
        unsigned type;
        if (!proto_wire_tag(c, &number, &type)) {
            return false;
        }
        if (type == WIRE_END_GROUP) {
            *ret = (struct str){(const char *) start, (size_t) (at - start)};
            return number == group;
        }
        if (!proto_wire_skip(c, number, type, 1)) {
            return false;
        }
    }
    return false;
}

bool proto_unknown_next(struct proto_unknown *it)
{
    if (it->rest.len == 0) {
        return false;
    }
    const uint8_t *begin = (const uint8_t *) it->rest.ptr;
    struct wire_cursor c = {.at = begin, .end = begin + it->rest.len};
    bool fine = proto_wire_tag(&c, &it->number, &it->wire_type);
    it->number_value = 0;
    it->bytes = (struct str){NULL, 0};
    if (!fine) {
        return false;
    }
    if (it->wire_type == WIRE_VARINT) {
        fine = proto_wire_varint(&c, &it->number_value);
    } else if (it->wire_type == WIRE_64 || it->wire_type == WIRE_32) {
        fine = proto_wire_fixed(&c, it->wire_type == WIRE_64 ? 8 : 4, &it->number_value);
    } else if (it->wire_type == WIRE_BYTES) {
        uint64_t len;
        fine = proto_wire_varint(&c, &len) && len <= (uint64_t) (c.end - c.at);
        if (fine) {
            it->bytes = (struct str){(const char *) c.at, (size_t) len};
            c.at += len;
        }
    } else {
        fine = it->wire_type == WIRE_GROUP && take_group(&c, it->number, &it->bytes);
    }
    it->rest = (struct str){(const char *) c.at, (size_t) (c.end - c.at)};
    return fine;
}

const struct proto_field_desc *proto_missing_field(const struct proto_msg *msg, bool in_all)
{
    const struct proto_message_desc *desc = msg->desc;
    for (size_t i = 0; i < desc->fields; i++) {
        if (desc->field[i].required && !proto_has(msg, &desc->field[i])) {
            return &desc->field[i];
        }
    }
    struct proto_iter it = {.msg = msg};
    while (proto_next(&it)) {
        const struct proto_message_desc *below = it.field->message;
        if (below == NULL || (!below->has_required && !in_all)) {
            continue;
        }
        size_t n = it.field->repeated ? it.value.list->len : 1;
        for (size_t i = 0; i < n; i++) {
            const struct proto_msg *one =
                it.field->repeated ? it.value.list->item[i].msg : it.value.msg;
            const struct proto_field_desc *missing = proto_missing_field(one, in_all);
            if (missing != NULL) {
                return missing;
            }
        }
    }
    return NULL;
}
