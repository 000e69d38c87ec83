/* The state file's text: what is written reads back, what is damaged is never believed. */
#include "base/siphash.h"
#include "support/t.h"
#include "traffic/state.h"

#define NOW UINT64_C(1763766000000)

static struct split split_of(uint32_t share_ppm, const char *salt, bool enabled, uint64_t revision)
{
    struct split split = {.share_ppm = share_ppm, .enabled = enabled, .revision = revision};
    split.salt_len = (uint8_t) strlen(salt);
    memcpy(split.salt, salt, split.salt_len);
    return split;
}

static const struct state_header HEADER = {0x9d0c6f2a41b7e835, NOW, 3};

static size_t text_write(char *out, size_t size)
{
    struct buf buf;
    struct split a = split_of(0, "r7", true, 3), b = split_of(1000000, "r42", false, 41);
    struct split c = split_of(1, "A-Z.0_9", true, 9007199254740991u);

    buf_init_fixed(&buf, out, size);
    state_put_header(&buf, &HEADER);
    state_put_service(&buf, STR("shop"), &a);
    state_put_service(&buf, STR("student-api"), &b);
    state_put_service(&buf, STR("quo\"te \xc3\xa4"), &c);
    state_put_end(&buf, 3);
    assert_false(buf.failed);
    return buf.len;
}

/* Names of the services that are believed, and how many lines are not; -1: refused. */
static int text_read(struct str text, struct split *ret_split, unsigned *ret_good, struct err *err)
{
    struct state_reader reader;
    struct state_header header;
    struct state_service service;
    struct str line;
    enum state_item item;
    int bad = 0;

    *ret_good = 0;
    if (state_read(&reader, text, &header, err) != 0) {
        return -1;
    }
    while ((item = state_next(&reader, &service, &line, err)) != STATE_END) {
        if (item == STATE_BAD) {
            bad++;
        } else if (*ret_good < 3) {
            ret_split[(*ret_good)++] = service.split;
        }
    }
    return bad;
}

static void test_what_is_written_reads_back(void **state)
{
    (void) state;
    char mem[2048];
    struct str text = {mem, text_write(mem, sizeof mem)}, line;
    struct state_reader reader;
    struct state_header header;
    struct state_service service;
    struct err err;

    assert_int_equal(state_read(&reader, text, &header, &err), 0);
    assert_memory_equal(&header, &HEADER, sizeof header);
    assert_int_equal(state_next(&reader, &service, &line, &err), STATE_SERVICE);
    assert_str(state_name(&service), "shop");
    assert_int_equal(state_next(&reader, &service, &line, &err), STATE_SERVICE);
    assert_str(state_name(&service), "student-api");
    assert_int_equal(service.split.share_ppm, 1000000);
    assert_false(service.split.enabled);
    assert_int_equal(service.split.revision, 41);
    assert_str(((struct str){service.split.salt, service.split.salt_len}), "r42");
    assert_int_equal(state_next(&reader, &service, &line, &err), STATE_SERVICE);
    assert_str(state_name(&service), "quo\"te \xc3\xa4");
    assert_int_equal(service.split.revision, 9007199254740991u);
    assert_int_equal(state_next(&reader, &service, &line, &err), STATE_END);
    assert_int_equal(state_next(&reader, &service, &line, &err), STATE_END);
}

static void test_a_line_can_be_carried_into_another_text(void **state)
{
    (void) state;
    char mem[2048], other[2048];
    struct str text = {mem, text_write(mem, sizeof mem)}, line;
    struct state_reader reader;
    struct state_header header;
    struct state_service service;
    struct buf buf;
    struct err err;

    assert_int_equal(state_read(&reader, text, &header, &err), 0);
    buf_init_fixed(&buf, other, sizeof other);
    state_put_header(&buf, &header);
    while (state_next(&reader, &service, &line, &err) == STATE_SERVICE) {
        state_put_line(&buf, line);
    }
    state_put_end(&buf, 3);
    assert_int_equal(buf.len, text.len);
    assert_memory_equal(buf.ptr, text.ptr, text.len);
}

static void test_a_text_cut_anywhere_is_refused(void **state)
{
    (void) state;
    char mem[2048];
    size_t len = text_write(mem, sizeof mem);
    struct split split[3];
    unsigned good;
    struct err err;

    for (size_t cut = 0; cut < len; cut++) {
        char *exact = malloc(cut + 1); /* ASan sees a read behind the cut */
        assert_non_null(exact);
        memcpy(exact, mem, cut);
        char *moved = memmove(exact + 1, exact, cut);
        int rc = text_read((struct str){moved, cut}, split, &good, &err);
        free(exact);
        t_check(rc == -1, "cut at %zu of %zu: believed", cut, len);
        assert_int_equal(err.code, ERR_INVALID);
        t_check(strlen(err.msg) > 10, "cut at %zu: \"%s\"", cut, err.msg);
    }
}

static bool split_same(const struct split *a, const struct split *b)
{
    return a->share_ppm == b->share_ppm && a->enabled == b->enabled && a->revision == b->revision &&
           str_eq((struct str){a->salt, a->salt_len}, (struct str){b->salt, b->salt_len});
}

/* Every byte, every bit: the text is refused, or one line is, or the byte was of no meaning. */
static void test_a_changed_byte_never_raises_a_share(void **state)
{
    (void) state;
    char mem[2048];
    size_t len = text_write(mem, sizeof mem);
    struct split before[3], after[3];
    unsigned good, refused = 0, bad = 0;
    struct err err;

    assert_int_equal(text_read((struct str){mem, len}, before, &good, &err), 0);
    for (size_t at = 0; at < len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            mem[at] = (char) (mem[at] ^ (1 << bit));
            int rc = text_read((struct str){mem, len}, after, &good, &err);
            mem[at] = (char) (mem[at] ^ (1 << bit));
            t_check(rc != 0, "bit %u of byte %zu changed, and all was believed", bit, at);
            refused += rc == -1;
            bad += rc == 1;
            for (unsigned i = 0; i < good; i++) {
                bool same = false;
                for (unsigned k = 0; k < 3; k++) {
                    same |= split_same(&after[i], &before[k]);
                }
                t_check(same, "byte %zu: a split that nobody wrote", at);
            }
        }
    }
    t_check(refused > 100 && bad > 1000, "%u texts refused, %u lines", refused, bad);
}

static void test_one_bad_line_leaves_the_others(void **state)
{
    (void) state;
    char mem[2048];
    size_t len = text_write(mem, sizeof mem);
    struct split split[3];
    unsigned good;
    struct err err;

    char *digit = strstr(mem, "1000000,");
    assert_non_null(digit);
    *digit = '2';
    assert_int_equal(text_read((struct str){mem, len}, split, &good, &err), 1);
    assert_int_equal(good, 2);
}

#define LINE(name, share, salt, enabled, revision)                                               \
    ("{\"name\":\"" name "\",\"share_ppm\":" share ",\"salt\":\"" salt "\",\"enabled\":" enabled \
     ",\"revision\":" revision)

/* Lines with a right sum and wrong values: a writer with a fault, or a forger. */
static void test_values_out_of_range_are_refused(void **state)
{
    (void) state;
    const char *const rows[] = {
        LINE("a", "1000001", "s", "true", "1"),
        LINE("a", "-1", "s", "true", "1"),
        LINE("a", "1", "", "true", "1"),
        LINE("a", "1", "a b", "true", "1"),
        LINE("a", "1", "s", "1", "1"),
        LINE("a", "1", "s", "true", "9007199254740992"),
        LINE("", "1", "s", "true", "1"),
        LINE("a", "1,\"share_ppm\":2", "s", "true", "1"),
        LINE("a", "1", "s", "true", "1,\"x\":1"),
        "{\"share_ppm\":1,\"salt\":\"s\",\"enabled\":true,\"revision\":1",
        "{\"end\":1",
    };
    static const uint8_t key[16];
    T_TABLE(row, rows)
    {
        char mem[1024];
        struct buf buf;
        struct state_header header = HEADER;
        struct split split[3];
        unsigned good;
        struct err err;

        header.services = 1;
        buf_init_fixed(&buf, mem, sizeof mem);
        state_put_header(&buf, &header);
        buf_addf(&buf, "%s,\"sum\":\"%016" PRIx64 "\"}\n", *row,
                 siphash24(key, *row, strlen(*row)));
        state_put_end(&buf, 1);
        t_check(text_read(buf_str(&buf), split, &good, &err) == 1, "believed: %s", *row);
    }
}

static void test_another_layout_is_told(void **state)
{
    (void) state;
    struct state_header header;
    struct err err;

    assert_err(state_read_header(STR("{\"pourover_state\":2,\"all\":\"else\"}\n"), &header, &err),
               &err, ERR_INVALID,
               "it was written by another version of pourover: its layout is 2, this one reads 1");
    assert_err(state_read_header(STR("not json\n"), &header, &err), &err, ERR_INVALID,
               "it does not begin as a state file of pourover does");
    assert_err(state_read_header(STR(""), &header, &err), &err, ERR_INVALID, "it is empty");
}

static void test_age_is_since_the_router_last_lived(void **state)
{
    (void) state;
    const uint64_t day = 86400000, week = 7 * day;
    const struct {
        uint64_t alive, now;
        bool good;
    } rows[] = {
        {NOW, NOW, true},        {NOW, NOW + week, true}, {NOW, NOW + week + 1, false},
        {NOW, NOW - 1000, true}, {NOW + day, NOW, true},  {NOW + day + 1, NOW, false},
        {INT64_MAX, NOW, false}, {0, NOW, false},
    };
    T_TABLE(row, rows)
    {
        struct state_header header = {1, row->alive, 0};
        struct err err;
        int rc = state_check_age(&header, row->now, week, &err);
        t_check((rc == 0) == row->good, "alive %" PRIu64 ", now %" PRIu64, row->alive, row->now);
    }
    struct state_header header = {1, NOW, 0};
    struct err err;
    assert_err(state_check_age(&header, NOW + 8 * day, week, &err), &err, ERR_INVALID,
               "it is too old: the router lived last at 2025-11-21T23:00:00.000Z, 691200 s ago, "
               "and state_max_age is 604800 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_a_line_can_be_carried_into_another_text),
        cmocka_unit_test(test_a_text_cut_anywhere_is_refused),
        cmocka_unit_test(test_a_changed_byte_never_raises_a_share),
        cmocka_unit_test(test_one_bad_line_leaves_the_others),
        cmocka_unit_test(test_values_out_of_range_are_refused),
        cmocka_unit_test(test_another_layout_is_told),
        cmocka_unit_test(test_age_is_since_the_router_last_lived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
