#pragma once
/* Random messages of any type. */
#include "support/t.h"

#include "proto/message.h"
#include "proto/pool.h"

static inline struct str rich_text(struct t_random *random, struct arena *arena, bool utf8)
{
    static const char *const pieces[] = {"a", "B", "\xc3\xa9", "\xf0\x9f\x98\x80",
                                         "0", "_", "\x7f"};
    char mem[64];
    size_t n = 0;
    for (uint64_t count = t_random_below(random, 8); count > 0; count--) {
        const char *piece = pieces[t_random_below(random, T_LEN(pieces))];
        for (; *piece != '\0'; piece++) {
            mem[n++] = *piece;
        }
    }
    if (!utf8 && n > 0) {
        mem[t_random_below(random, n)] = (char) (uint8_t) t_random(random);
    }
    const char *copy = arena_strdup(arena, (struct str){mem, n});
    assert_non_null(copy);
    return (struct str){copy, n};
}

static inline void rich_fill(struct t_random *random, struct proto_msg *msg, int depth);

/* Numbers of all lengths, the ends of their ranges among them. */
static inline uint64_t rich_number(struct t_random *random)
{
    uint64_t bits = t_random(random) >> t_random_below(random, 64);
    switch (t_random_below(random, 8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return UINT64_C(1) << t_random_below(random, 64);
    default:
        return bits;
    }
}

static inline union proto_value rich_value(struct t_random *random, struct proto_msg *msg,
                                           const struct proto_field_desc *field, int depth)
{
    union proto_value value = {.bytes = {NULL, 0}};
    uint64_t number = rich_number(random);
    if (field->message != NULL) {
        value.msg = proto_msg_new(msg->arena, field->message);
        assert_non_null(value.msg);
        rich_fill(random, value.msg, depth - 1);
    } else if (field->type == PROTO_STRING || field->type == PROTO_BYTES) {
        value.bytes = rich_text(random, msg->arena, field->type == PROTO_STRING);
    } else if (field->type == PROTO_BOOL) {
        value.boolean = (number & 1) != 0;
    } else if (field->type == PROTO_ENUM) {
        const struct proto_enum_desc *desc = field->enumeration;
        value.i32 = desc->value[number % desc->values].number;
        value.i32 = !desc->closed && number % 3 == 0 ? (int32_t) number : value.i32;
    } else if (field->type == PROTO_INT64 || field->type == PROTO_UINT64 ||
               field->type == PROTO_SINT64 || field->type == PROTO_FIXED64 ||
               field->type == PROTO_SFIXED64 || field->type == PROTO_DOUBLE) {
        value.u64 = number;
    } else {
        value.u32 = (uint32_t) number;
    }
    return value;
}

static inline void rich_set(struct t_random *random, struct proto_msg *msg,
                            const struct proto_field_desc *field, int depth)
{
    if (!field->repeated) {
        assert_true(proto_set(msg, field, rich_value(random, msg, field, depth)));
        return;
    }
    for (uint64_t n = t_random_below(random, 4) * t_random_below(random, 8); n > 0; n--) {
        if (!field->is_map) {
            assert_true(proto_add(msg, field, rich_value(random, msg, field, depth)));
            continue;
        }
        if (field->message == NULL) {
            fail_msg("a map without a type");
            return;
        }
        const struct proto_field_desc *value = proto_map_value(field);
        struct proto_msg *entry =
            proto_map_entry(msg, field, rich_value(random, msg, proto_map_key(field), depth));
        assert_non_null(entry);
        assert_true(proto_set(entry, value, rich_value(random, entry, value, depth)));
    }
}

/* Sets some fields; what is required always. */
static inline void rich_fill(struct t_random *random, struct proto_msg *msg, int depth)
{
    const struct proto_message_desc *desc = msg->desc;
    for (size_t i = 0; i < desc->fields; i++) {
        const struct proto_field_desc *field = &desc->field[i];
        if (field->required ||
            (t_random_below(random, 4) == 0 && (field->message == NULL || depth > 0))) {
            rich_set(random, msg, field, depth);
        }
    }
    for (size_t f = 0; depth > 0 && f < proto_pool_files(desc->file->pool); f++) {
        const struct proto_file_desc *file = proto_pool_file_at(desc->file->pool, f);
        for (size_t i = 0; i < file->extensions; i++) {
            if (file->extension[i]->parent == desc && t_random_below(random, 4) == 0) {
                rich_set(random, msg, file->extension[i], depth);
            }
        }
    }
}
