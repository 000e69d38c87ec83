/* The binary form of messages: each trap of its reader, and random messages there and back. */
#include "support/t.h"

#include "base/arena.h"
#include "base/buf.h"
#include "support/rich.h"
#include "support/rich_random.h"

static struct proto_pool *pool;

static int set_up(void **state)
{
    (void) state;
    pool = rich_pool();
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    proto_pool_free(pool);
    return 0;
}

/* "0a 02 ff" as bytes. */
static struct str from_hex(struct arena *arena, const char *hex)
{
    char *out = arena_alloc(arena, strlen(hex) / 2 + 1);
    size_t n = 0;
    assert_non_null(out);
    for (const char *c = hex; *c != '\0'; c++) {
        if (*c == ' ') {
            continue;
        }
        unsigned byte;
        assert_int_equal(sscanf(c, "%2x", &byte), 1); /* NOLINT(cert-err34-c) */
        out[n++] = (char) (uint8_t) byte;
        c++;
    }
    return (struct str){out, n};
}

static void to_hex(struct str bytes, struct buf *b)
{
    for (size_t i = 0; i < bytes.len; i++) {
        buf_addf(b, "%s%02x", i > 0 ? " " : "", (unsigned) (uint8_t) bytes.ptr[i]);
    }
}

static struct proto_msg *message_new(struct arena *arena, const char *type)
{
    const struct proto_message_desc *desc = proto_pool_message(pool, str_of(type));
    t_check(desc != NULL, "no %s", type);
    struct proto_msg *msg = proto_msg_new(arena, desc);
    assert_non_null(msg);
    return msg;
}

/* The bytes (copied to their exact length, so that ASan sees a read behind them) as a message. */
static int read_hex(struct proto_msg *msg, const char *hex, unsigned flags, struct err *err)
{
    struct str bytes = from_hex(msg->arena, hex);
    char *exact = malloc(bytes.len + (bytes.len == 0));
    assert_non_null(exact);
    memcpy(exact, bytes.ptr, bytes.len);
    int status = proto_wire_read((struct str){exact, bytes.len}, msg, flags, err);
    free(exact);
    return status;
}

struct good {
    const char *what, *type, *in, *out; /* out NULL: as it came in */
};

static const struct good goods[] = {
    {"nothing", "rich2.Two", "", NULL},
    {"a scalar of each wire type", "rich2.Two", "09 00 00 00 00 00 00 f0 3f 15 01 02 03 04 18 01",
     NULL},
    {"fields go by number", "rich2.Two", "28 05 18 07", "18 07 28 05"},
    {"the last of a singular field wins", "rich2.Two", "28 05 28 06", "28 06"},
    {"an int32 takes the low bits", "rich2.Two", "28 ff ff ff ff 1f",
     "28 ff ff ff ff ff ff ff ff ff 01"},
    {"a negative int32 has ten bytes", "rich2.Two", "28 ff ff ff ff ff ff ff ff ff 01", NULL},
    {"a uint32 takes the low bits", "rich2.Two", "68 81 80 80 80 10", "68 01"},
    {"a bool is true when any bit is set", "rich2.Two", "40 80 80 80 80 80 80 80 80 80 01",
     "40 01"},
    {"zigzag", "rich2.Two", "88 01 03 90 01 ff ff ff ff ff ff ff ff ff 01", NULL},
    {"numbers may be longer than needed", "rich2.Two", "a8 80 80 00 85 80 00", "28 05"},
    {"presence: a written zero is there", "rich2.Two", "28 00", NULL},
    {"no presence: a written zero is gone", "rich3.Three", "28 00 4a 00 40 00", ""},
    {"no presence: -0 is not the default", "rich3.Three", "09 00 00 00 00 00 00 00 80", NULL},
    {"optional in proto3 has presence", "rich3.Three", "a0 01 00", NULL},
    {"packed is read as unpacked", "rich2.Two", "ba 01 02 01 02", "b8 01 01 b8 01 02"},
    {"unpacked is read as packed", "rich3.Three", "b8 01 01 b8 01 02", "ba 01 02 01 02"},
    {"both at once", "rich3.Three", "b8 01 01 ba 01 02 02 03 b8 01 04", "ba 01 04 01 02 03 04"},
    {"an empty packed list is nothing", "rich3.Three", "ba 01 00", ""},
    {"packed = false in proto3", "rich3.Three", "c2 01 01 09", "c0 01 09"},
    {"another wire type is unknown", "rich2.Two", "2d 01 02 03 04 28 05", "28 05 2d 01 02 03 04"},
    {"a string of varint type is unknown", "rich2.Two", "48 01", NULL},
    {"a message of group type is unknown", "rich2.Two", "5b 08 01 5c", NULL},
    {"a group of message type is unknown", "rich2.Two", "52 02 08 01", NULL},
    {"unknown fields stay in order", "rich3.Three", "c8 3e 01 28 05 c3 3e 08 01 c4 3e c8 3e 02",
     "28 05 c8 3e 01 c3 3e 08 01 c4 3e c8 3e 02"},
    {"a group", "rich2.Two", "53 08 07 54", NULL},
    {"groups merge", "rich2.Two", "53 08 07 54 53 08 08 54", "53 08 08 54"},
    {"a group in a group", "rich2.Two", "53 1b 22 01 61 1c 54", NULL},
    {"repeated groups", "rich2.Two", "f3 01 08 01 f4 01 f3 01 f4 01", NULL},
    {"a message", "rich2.Two", "5a 02 28 05", NULL},
    {"messages merge", "rich2.Two", "5a 02 28 05 5a 02 18 06", "5a 04 18 06 28 05"},
    {"repeated messages do not", "rich2.Two", "fa 01 00 fa 01 02 28 01", NULL},
    {"a closed enum knows its numbers", "rich2.Two", "70 02", NULL},
    {"and puts others aside", "rich2.Two", "70 09 70 02", "70 02 70 09"},
    {"negative ones too", "rich2.Two", "70 fd ff ff ff ff ff ff ff ff 01", NULL},
    {"packed ones alone", "rich2.Two", "9a 02 04 01 09 02 07", "9a 02 02 01 02 98 02 09 98 02 07"},
    {"an open enum takes all", "rich3.Three", "70 09", NULL},
    {"the last member of a oneof wins", "rich2.Two", "98 03 01 a2 03 01 61", "a2 03 01 61"},
    {"a zero in a oneof is there", "rich3.Three", "98 03 00", NULL},
    {"messages of a oneof merge", "rich2.Two", "aa 03 02 28 05 aa 03 02 18 01",
     "aa 03 04 18 01 28 05"},
    {"but not when another came between", "rich2.Two", "aa 03 02 28 05 98 03 01 aa 03 02 18 01",
     "aa 03 02 18 01"},
    {"an unknown value leaves a oneof alone", "rich2.Two", "98 03 01 b0 03 09",
     "98 03 01 b0 03 09"},
    {"a map is written by key", "rich2.Two", "ca 02 05 0a 01 62 10 01 ca 02 05 0a 01 61 10 02",
     "ca 02 05 0a 01 61 10 02 ca 02 05 0a 01 62 10 01"},
    {"the last of equal keys wins", "rich2.Two", "ca 02 05 0a 01 61 10 01 ca 02 05 0a 01 61 10 02",
     "ca 02 05 0a 01 61 10 02"},
    {"values of equal keys do not merge", "rich2.Two",
     "d2 02 06 08 01 12 02 28 05 d2 02 06 08 01 12 02 18 01", "d2 02 06 08 01 12 02 18 01"},
    {"key and value may be left out", "rich2.Two", "ca 02 00 d2 02 00",
     "ca 02 04 0a 00 10 00 d2 02 04 08 00 12 00"},
    {"value before key", "rich2.Two", "ca 02 05 10 07 0a 01 61", "ca 02 05 0a 01 61 10 07"},
    {"a key twice: the last", "rich2.Two", "ca 02 08 0a 01 61 0a 01 62 10 07",
     "ca 02 05 0a 01 62 10 07"},
    {"an entry with an unknown value is put aside", "rich2.Two", "da 02 04 08 01 10 09", NULL},
    {"a bool key", "rich2.Two", "da 02 04 08 02 10 05", "da 02 04 08 01 10 05"},
    {"an extension", "rich2.Two", "a0 06 05", NULL},
    {"extensions stand between fields", "rich2.Two", "82 7d 00 a0 06 05 f8 ff ff ff 0f 01",
     "a0 06 05 82 7d 00 f8 ff ff ff 0f 01"},
    {"an extension of wrong wire type", "rich2.Two", "a5 06 01 02 03 04", NULL},
    {"a number nobody extends", "rich2.Two", "b0 09 01", NULL},
    {"an extension that is a group", "rich2.Two", "cb 06 08 01 cc 06", NULL},
    {"packed values of a closed enum in an extension", "rich2.Two", "ba 06 02 01 09",
     "ba 06 01 01 b8 06 09"},
    {"a message set", "rich2.Set", "0b 10 e8 07 1a 02 08 05 0c", NULL},
    {"message before type", "rich2.Set", "0b 1a 02 08 05 10 e8 07 0c",
     "0b 10 e8 07 1a 02 08 05 0c"},
    {"a type nobody has", "rich2.Set", "0b 10 05 1a 02 08 05 0c", NULL},
    {"a message set as plain extension", "rich2.Set", "c2 3e 02 08 05",
     "0b 10 e8 07 1a 02 08 05 0c"},
    {"items of one type merge", "rich2.Set",
     "0b 10 e8 07 1a 02 08 05 0c 0b 10 e8 07 1a 02 08 06 0c", "0b 10 e8 07 1a 02 08 06 0c"},
    {"strings of proto2 may be no UTF-8", "rich2.Two", "4a 01 ff", NULL},
    {"bytes may be anything", "rich3.Three", "62 02 ff 00", NULL},
    {"NUL and four bytes of UTF-8", "rich3.Three", "4a 05 00 f0 9f 98 80", NULL},
    {"the greatest number", "rich2.Two", "f8 ff ff ff 0f 01", NULL},
    {"required and there", "rich2.Needs", "08 01 12 02 08 02", NULL},
};

static void test_bytes_are_read_and_written(void **state)
{
    (void) state;
    T_TABLE(row, goods)
    {
        for (unsigned flags = 0; flags < 4; flags += 2) {
            struct arena arena;
            struct buf out, hex;
            struct err err = {0};
            arena_init(&arena, 1 << 20);
            buf_init(&out, 1 << 16);
            buf_init(&hex, 1 << 16);
            struct proto_msg *msg = message_new(&arena, row->type);
            int status = proto_wire_read(from_hex(&arena, row->in), msg, flags, &err);
            t_check(status == 0, "%s: %s", row->what, err.msg);
            t_check(proto_wire_write(msg, 0, &out, &err) == 0, "%s: %s", row->what, err.msg);
            buf_add_cstr(&hex, "");
            to_hex(buf_str(&out), &hex);
            const char *wanted = row->out == NULL ? row->in : row->out;
            t_check(str_eq_cstr(buf_str(&hex), wanted) ||
                        str_eq(from_hex(&arena, wanted), buf_str(&out)),
                    "%s: %s, not %s", row->what, hex.ptr, wanted);
            buf_done(&out);
            buf_done(&hex);
            arena_done(&arena);
        }
    }
}

struct bad {
    const char *type, *in, *message;
};

static const struct bad bads[] = {
    {"rich2.Two", "28", "rich2.Two.i32: the bytes end inside a number (at byte 1)"},
    {"rich2.Two", "a8", "rich2.Two: the bytes end inside a number (at byte 0)"},
    {"rich2.Two", "28 ff ff ff ff ff ff ff ff ff ff 01",
     "rich2.Two.i32: a number has more than 64 bits (at byte 1)"},
    {"rich2.Two", "28 ff ff ff ff ff ff ff ff ff 02",
     "rich2.Two.i32: a number has more than 64 bits (at byte 1)"},
    {"rich2.Two", "00 01", "rich2.Two: a field has number 0 (at byte 1)"},
    {"rich2.Two", "0e 01", "rich2.Two: a field has wire type 6; 0 to 5 are known (at byte 1)"},
    {"rich2.Two", "0f 01", "rich2.Two: a field has wire type 7; 0 to 5 are known (at byte 1)"},
    {"rich2.Two", "f8 ff ff ff 1f 01",
     "rich2.Two: a field's number is above 536870911 (at byte 5)"},
    {"rich2.Two", "4a 05 61 62", "rich2.Two.s: 5 bytes were announced, 2 are left (at byte 2)"},
    {"rich2.Two", "5a 04 4a 05 61 62",
     "rich2.Two.s: 5 bytes were announced, 2 are left (at byte 4)"},
    {"rich2.Two", "4a ff ff ff ff ff ff ff ff ff 01 61",
     "rich2.Two.s: 18446744073709551615 bytes were announced, 1 are left (at byte 11)"},
    {"rich2.Two", "09 01 02 03", "rich2.Two.d: the bytes end inside a number (at byte 1)"},
    {"rich2.Two", "15 01 02 03", "rich2.Two.f: the bytes end inside a number (at byte 1)"},
    {"rich2.Two", "53 08 01", "rich2.Two.Gr: the bytes end inside group 10 (at byte 3)"},
    {"rich2.Two", "53 08 01 5c", "rich2.Two.Gr: group 11 ends, which did not begin (at byte 4)"},
    {"rich2.Two", "54", "rich2.Two: group 10 ends, which did not begin (at byte 1)"},
    {"rich2.Two", "5a 01 5c", "rich2.Two: group 11 ends, which did not begin (at byte 3)"},
    {"rich2.Two", "53 12 01 54 54", "rich2.Two: group 10 ends, which did not begin (at byte 4)"},
    {"rich2.Two", "c3 3e 08 01", "rich2.Two: the bytes end inside a group (at byte 4)"},
    {"rich2.Two", "c3 3e cb 3e c4 3e", "rich2.Two: a group ends that did not begin (at byte 6)"},
    {"rich2.Two", "c2 3e 05 61", "rich2.Two: the bytes end inside a field (at byte 3)"},
    {"rich2.Two", "aa 01 03 01 02 03", "rich2.Two.rd: the bytes end inside a number (at byte 3)"},
    {"rich3.Three", "ba 01 02 01 80",
     "rich3.Three.ri64: the bytes end inside a number (at byte 4)"},
    {"rich3.Three", "4a 01 ff", "rich3.Three.s: the string is not UTF-8 (at byte 3)"},
    {"rich3.Three", "4a 03 ed a0 80", "rich3.Three.s: the string is not UTF-8 (at byte 5)"},
    {"rich3.Three", "ca 02 03 0a 01 ff",
     "rich3.Three.ByStringEntry.key: the string is not UTF-8 (at byte 6)"},
    {"rich2.Set", "0b 10 e8 07", "rich2.Set: the bytes end inside a group (at byte 4)"},
    {"rich2.Set", "0b 10 e8 07 1a 02 08 0c", "rich2.Set: the bytes end inside a group (at byte 8)"},
    {"rich2.Needs", "", "rich2.Needs.id: is required and not there"},
    {"rich2.Needs", "08 01 12 00", "rich2.Needs.id: is required and not there"},
    {"rich2.Needs", "08 01 1a 02 08 01 1a 00", "rich2.Needs.id: is required and not there"},
    {"rich2.Needs", "08 01 22 02 08 01", "rich2.Needs.id: is required and not there"},
    {"rich2.Needs", "08 01 52 00", "rich2.Needs.id: is required and not there"},
    {"rich2.Two", "ea 03 00", "rich2.Needs.id: is required and not there"},
    {"rich2.Two", "c2 06 00", "rich2.Needs.id: is required and not there"},
    {"rich2.Two", "5a 03 ea 03 00", "rich2.Needs.id: is required and not there"},
};

static void test_what_is_wrong_is_refused_with_its_place(void **state)
{
    (void) state;
    T_TABLE(row, bads)
    {
        struct arena arena;
        struct err err = {0};
        arena_init(&arena, 1 << 20);
        int status = read_hex(message_new(&arena, row->type), row->in, 0, &err);
        t_check(status == ERR_INVALID, "%s is read", row->in);
        t_check(strcmp(err.msg, row->message) == 0, "%s: %s", row->in, err.msg);
        arena_done(&arena);
    }
}

static void test_what_is_required_may_be_missing_when_asked_so(void **state)
{
    (void) state;
    struct arena arena;
    struct buf b;
    struct err err;
    arena_init(&arena, 1 << 20);
    buf_init(&b, 100);
    struct proto_msg *msg = message_new(&arena, "rich2.Needs");
    assert_int_equal(read_hex(msg, "12 00", PROTO_WIRE_PARTIAL, &err), 0);
    assert_err(proto_wire_write(msg, 0, &b, &err), &err, ERR_INVALID,
               "rich2.Needs.id: is required and not set");
    assert_int_equal(b.len, 0);
    assert_int_equal(proto_wire_write(msg, PROTO_WIRE_PARTIAL, &b, &err), 0);
    assert_int_equal(b.len, 2);
    /* What one piece lacks another may bring. */
    assert_int_equal(read_hex(msg, "08 01 12 02 08 01", 0, &err), 0);
    buf_done(&b);
    arena_done(&arena);
}

static void test_a_string_that_is_no_utf8_is_not_written(void **state)
{
    (void) state;
    struct arena arena;
    struct buf b;
    struct err err;
    arena_init(&arena, 1 << 20);
    buf_init(&b, 100);
    struct proto_msg *msg = message_new(&arena, "rich3.Three");
    const struct proto_field_desc *field = proto_field_by_name(msg->desc, STR("s"));
    assert_true(proto_set(msg, field, (union proto_value){.bytes = STR("\xff")}));
    assert_err(proto_wire_write(msg, 0, &b, &err), &err, ERR_INVALID,
               "rich3.Three.s: the string is not UTF-8");
    buf_done(&b);
    arena_done(&arena);
}

static void test_what_does_not_fit_is_said(void **state)
{
    (void) state;
    struct arena arena;
    struct buf b;
    struct err err;
    arena_init(&arena, 1 << 14);
    buf_init(&b, 10);
    struct proto_msg *msg = message_new(&arena, "rich3.Three");
    assert_int_equal(read_hex(msg, "4a 08 61 62 63 64 65 66 67 68", 0, &err), 0);
    assert_int_equal(proto_wire_write(msg, 0, &b, &err), 0);
    assert_int_equal(b.len, 10);
    assert_int_equal(proto_wire_write(msg, 0, &b, &err), ERR_FULL);
    assert_int_equal(b.len, 10);
    buf_done(&b);
    /* A few bytes of empty messages take much memory: the arena's bound holds. */
    int status = 0;
    for (int i = 0; i < 100 && status == 0; i++) {
        status = read_hex(msg, "fa 01 00 fa 01 00", 0, &err);
    }
    assert_int_equal(status, ERR_FULL);
    t_check(strstr(err.msg, "memory") != NULL, "%s", err.msg);
    arena_done(&arena);
}

/* depth messages in each other: `m` of proto3, `Gr.two` of proto2, or groups that nobody knows. */
static struct str nested(struct arena *arena, const char *kind, size_t depth)
{
    struct buf b, more;
    buf_init(&b, 1 << 20);
    buf_init(&more, 1 << 20);
    for (size_t i = 0; i < depth; i++) {
        buf_clear(&more);
        if (kind[0] == 'm') {
            buf_add_char(&more, 0x5a);
            buf_add_char(&more, (char) (uint8_t) (b.len < 128 ? b.len : (b.len & 127) | 128));
            if (b.len >= 128) {
                buf_add_char(&more, (char) (b.len >> 7));
            }
            buf_add_str(&more, buf_str(&b));
        } else {
            buf_add(&more, "\xc3\x3e", 2);
            buf_add_str(&more, buf_str(&b));
            buf_add(&more, "\xc4\x3e", 2);
        }
        struct buf kept = b;
        b = more;
        more = kept;
    }
    struct str copy = {arena_strdup(arena, buf_str(&b)), b.len};
    assert_non_null(copy.ptr);
    buf_done(&b);
    buf_done(&more);
    return copy;
}

static void test_nesting_has_a_limit(void **state)
{
    (void) state;
    const struct {
        const char *kind;
        size_t depth;
        int status;
    } rows[] = {
        {"message", 100, 0},
        {"message", 101, ERR_INVALID},
        {"message", 4000, ERR_INVALID},
        {"unknown group", 100, 0},
        {"unknown group", 101, ERR_INVALID},
        {"unknown group", 4000, ERR_INVALID},
    };
    T_TABLE(row, rows)
    {
        struct arena arena;
        struct err err = {0};
        struct buf b;
        arena_init(&arena, 1 << 22);
        buf_init(&b, 1 << 20);
        struct proto_msg *msg = message_new(&arena, "rich3.Three");
        int status = proto_wire_read(nested(&arena, row->kind, row->depth), msg, 0, &err);
        t_check(status == row->status, "%s %zu: %s", row->kind, row->depth, err.msg);
        if (status == 0) {
            assert_int_equal(proto_wire_write(msg, 0, &b, &err), 0);
            struct proto_msg *again = message_new(&arena, "rich3.Three");
            assert_int_equal(proto_wire_read(buf_str(&b), again, 0, &err), 0);
            assert_true(proto_equal(msg, again));
        }
        buf_done(&b);
        arena_done(&arena);
    }
}

static void test_unknown_fields_can_be_walked(void **state)
{
    (void) state;
    struct arena arena;
    struct err err;
    arena_init(&arena, 1 << 20);
    struct proto_msg *msg = message_new(&arena, "rich3.Three");
    /* The group ends behind a byte that looks like the front of a longer number. */
    assert_int_equal(read_hex(msg,
                              "c8 3e 96 01 c9 3e 01 00 00 00 00 00 00 80 ca 3e 02 68 69 "
                              "c3 3e 0d 01 02 03 ff c4 3e cd 3e 01 00 00 00",
                              0, &err),
                     0);
    const struct {
        uint32_t number;
        unsigned type;
        uint64_t value;
        const char *bytes;
    } rows[] = {
        {1001, 0, 150, ""},    {1001, 1, UINT64_C(0x8000000000000001), ""},
        {1001, 2, 0, "68 69"}, {1000, 3, 0, "0d 01 02 03 ff"},
        {1001, 5, 1, ""},
    };
    struct proto_unknown it = {.rest = msg->unknown};
    T_TABLE(row, rows)
    {
        assert_true(proto_unknown_next(&it));
        assert_int_equal(it.number, row->number);
        assert_int_equal(it.wire_type, row->type);
        assert_int_equal(it.number_value, row->value);
        assert_true(str_eq(it.bytes, from_hex(&arena, row->bytes)));
    }
    assert_false(proto_unknown_next(&it));
    assert_int_equal(it.rest.len, 0);
    struct proto_unknown broken = {.rest = STR("\x0a\x05x")};
    assert_false(proto_unknown_next(&broken));
    arena_done(&arena);
}

static void test_strings_are_views_only_when_asked_so(void **state)
{
    (void) state;
    for (unsigned flags = 0; flags < 4; flags += 2) {
        struct arena arena;
        struct err err;
        char bytes[] = "\x4a\x02hi\x62\x02yo";
        arena_init(&arena, 1 << 20);
        struct proto_msg *msg = message_new(&arena, "rich3.Three");
        assert_int_equal(proto_wire_read((struct str){bytes, 8}, msg, flags, &err), 0);
        bytes[2] = 'H';
        assert_str(proto_str(msg, 9), (flags & PROTO_WIRE_BORROW) != 0 ? "Hi" : "hi");
        assert_str(proto_str(msg, 12), "yo");
        arena_done(&arena);
    }
}

/* Linear in the size: a quadratic reader would run into the test's time limit by far. */
static void test_large_maps_and_lists_are_read(void **state)
{
    (void) state;
    struct arena arena;
    struct err err = {0};
    struct buf b;
    char key[32];
    enum { KEYS = 100000, ITEMS = 1000000 };
    arena_init(&arena, (size_t) 1 << 30);
    buf_init(&b, 1 << 28);
    struct proto_msg *msg = message_new(&arena, "rich3.Three");
    for (int i = 0; i < KEYS; i++) { /* backwards, and each twice */
        for (int k = 0; k < 2; k++) {
            (void) snprintf(key, sizeof key, "%08d", KEYS - i);
            buf_add(&b, "\xca\x02\x0e\x0a\x08", 5);
            buf_add(&b, key, 8);
            buf_add(&b, k == 0 ? "\x12\x02no" : "\x12\x02ok", 4);
        }
    }
    for (int i = 0; i < ITEMS; i++) {
        buf_add(&b, "\xb8\x01\x07\xc0\x3e\x01", 6);
    }
    t_check(proto_wire_read(buf_str(&b), msg, 0, &err) == 0, "%s", err.msg);
    const struct proto_field_desc *map = proto_field_by_name(msg->desc, STR("by_string"));
    assert_int_equal(proto_len(msg, map), KEYS);
    assert_int_equal(proto_len(msg, proto_field_by_name(msg->desc, STR("ri64"))), ITEMS);
    assert_int_equal(msg->unknown.len, 3 * ITEMS);
    struct proto_msg *entry =
        proto_map_find(msg, map, (union proto_value){.bytes = STR("00000777")});
    assert_non_null(entry);
    assert_str(proto_str(entry, 2), "ok");
    assert_null(proto_map_find(msg, map, (union proto_value){.bytes = STR("7")}));
    buf_clear(&b);
    assert_int_equal(proto_wire_write(msg, 0, &b, &err), 0);
    struct proto_msg *again = message_new(&arena, "rich3.Three");
    assert_int_equal(proto_wire_read(buf_str(&b), again, PROTO_WIRE_BORROW, &err), 0);
    assert_true(proto_equal(msg, again));
    buf_done(&b);
    arena_done(&arena);
}

static void test_random_messages_come_back_equal(void **state)
{
    (void) state;
    static const char *const types[] = {"rich2.Two", "rich3.Three", "rich2.Needs", "rich2.Set"};
    struct t_random random = t_random_init();
    for (int round = 0; round < 400; round++) {
        struct arena arena;
        struct err err = {0};
        struct buf b, c;
        arena_init(&arena, 1 << 24);
        buf_init(&b, 1 << 22);
        buf_init(&c, 1 << 22);
        const char *type = types[round % (int) T_LEN(types)];
        struct proto_msg *msg = message_new(&arena, type), *again = message_new(&arena, type);
        rich_fill(&random, msg, 2);
        t_check(proto_wire_write(msg, 0, &b, &err) == 0, "%s", err.msg);
        t_check(proto_wire_read(buf_str(&b), again, 0, &err) == 0, "%s", err.msg);
        assert_true(proto_equal(msg, again));
        assert_true(proto_equal(again, msg));
        assert_int_equal(proto_wire_write(again, 0, &c, &err), 0);
        assert_int_equal(b.len, c.len);
        assert_int_equal(b.len == 0 ? 0 : memcmp(b.ptr, c.ptr, b.len), 0);
        /* Read upon itself, lists grow; a singular value stays. */
        assert_int_equal(proto_wire_read(buf_str(&b), again, PROTO_WIRE_BORROW, &err), 0);
        buf_done(&b);
        buf_done(&c);
        arena_done(&arena);
    }
}

static void test_broken_messages_do_no_harm(void **state)
{
    (void) state;
    static const char *const types[] = {"rich2.Two", "rich3.Three", "rich2.Needs"};
    struct t_random random = t_random_init();
    for (int round = 0; round < 1000; round++) {
        struct arena arena;
        struct err err = {0};
        struct buf b;
        arena_init(&arena, 1 << 24);
        buf_init(&b, 1 << 22);
        const char *type = types[round % (int) T_LEN(types)];
        struct proto_msg *msg = message_new(&arena, type);
        rich_fill(&random, msg, 2);
        assert_int_equal(proto_wire_write(msg, 0, &b, &err), 0);
        size_t len = b.len == 0 ? 0 : (size_t) t_random_below(&random, b.len + 1);
        char *bytes = malloc(len + 1);
        assert_non_null(bytes);
        memcpy(bytes, buf_str(&b).ptr == NULL ? "" : b.ptr, len);
        for (size_t i = 0; len > 0 && i < 1 + len / 32; i++) {
            bytes[t_random_below(&random, len)] = (char) (uint8_t) t_random(&random);
        }
        struct proto_msg *broken = message_new(&arena, type);
        int status = proto_wire_read((struct str){bytes, len}, broken, PROTO_WIRE_PARTIAL, &err);
        buf_clear(&b);
        if (status == 0) { /* what was read can be written, and reads as the same */
            struct proto_msg *again = message_new(&arena, type);
            t_check(proto_wire_write(broken, PROTO_WIRE_PARTIAL, &b, &err) == 0, "%s", err.msg);
            t_check(proto_wire_read(buf_str(&b), again, PROTO_WIRE_PARTIAL, &err) == 0, "%s",
                    err.msg);
            assert_true(proto_equal(broken, again));
        } else {
            assert_int_equal(status, err.code);
        }
        free(bytes);
        buf_done(&b);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_read_and_written),
        cmocka_unit_test(test_what_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(test_what_is_required_may_be_missing_when_asked_so),
        cmocka_unit_test(test_a_string_that_is_no_utf8_is_not_written),
        cmocka_unit_test(test_what_does_not_fit_is_said),
        cmocka_unit_test(test_nesting_has_a_limit),
        cmocka_unit_test(test_unknown_fields_can_be_walked),
        cmocka_unit_test(test_strings_are_views_only_when_asked_so),
        cmocka_unit_test(test_large_maps_and_lists_are_read),
        cmocka_unit_test(test_random_messages_come_back_equal),
        cmocka_unit_test(test_broken_messages_do_no_harm),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
