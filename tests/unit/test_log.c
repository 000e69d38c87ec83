/* The log: one line a call whatever the values are, levels, secrets, and what does not fit. */
#include "base/log.h"
#include "support/t.h"

#include <unistd.h>

#define LINE_START "time=1970-01-01T00:00:01.007Z level=info msg="

static void test_each_kind_of_field(void **state)
{
    (void) state;
    char line[1000];
    struct buf b;
    char name[] = "shop";
    const struct secret token = {STR("hunter2")};
    const struct log_field fields[] = {
        LOG_STR("release", name), LOG_STR("track", STR("canary")), LOG_STR("empty", ""),
        LOG_U64("u", UINT64_MAX), LOG_I64("i", INT64_MIN),         LOG_DOUBLE("d", 0.25),
        LOG_BOOL("b", true),      LOG_STR("token", token),         LOG_END_,
    };
    buf_init_fixed(&b, line, sizeof line);
    log_format(&b, 1007, LOG_LEVEL_INFO, "step started", fields);
    assert_string_equal(line, LINE_START
                        "\"step started\" release=shop track=canary empty=\"\" "
                        "u=18446744073709551615 i=-9223372036854775808 d=0.25 b=true token=***\n");
    assert_null(strstr(line, "hunter2"));
}

static void test_values_cannot_break_out_of_their_field(void **state)
{
    (void) state;
    const struct {
        struct str value;
        const char *written;
    } rows[] = {
        {STR("plain-1.2:3/x_y"), "plain-1.2:3/x_y"},
        {STR("two words"), "\"two words\""},
        {STR("a=b"), "\"a=b\""},
        {STR("say \"x\""), "\"say \\\"x\\\"\""},
        {STR("back\\slash"), "\"back\\\\slash\""},
        {STR("x\nlevel=error msg=forged"), "\"x\\nlevel=error msg=forged\""},
        {STR("nul\0byte"), "\"nul\\u0000byte\""},
        {STR("\x1b[31mred"), "\"\\u001b[31mred\""},
        {STR("\x7f"), "\"\\u007f\""},
        {STR("\xc2\x9b"
             "31m"),
         "\"\\u009b31m\""}, /* the one-byte CSI of terminals */
        {STR("\xff"), "\"\xef\xbf\xbd\""},
        {STR("\xc3\xa4"), "\"\xc3\xa4\""},
    };
    T_TABLE(row, rows)
    {
        char line[300], wanted[300];
        struct buf b;
        const struct log_field fields[] = {LOG_STR("v", row->value), LOG_END_};
        buf_init_fixed(&b, line, sizeof line);
        log_format(&b, 1007, LOG_LEVEL_INFO, "m", fields);
        (void) snprintf(wanted, sizeof wanted, LINE_START "m v=%s\n", row->written);
        assert_string_equal(line, wanted);
    }
}

static void test_a_field_that_does_not_fit_is_left_out(void **state)
{
    (void) state;
    char line[128], value[200];
    struct buf b;
    memset(value, 'x', sizeof value);
    const struct log_field fields[] = {
        LOG_U64("a", 1),
        LOG_STR("long", ((struct str){value, sizeof value})),
        LOG_U64("z", 2),
        LOG_END_,
    };
    buf_init_fixed(&b, line, sizeof line);
    log_format(&b, 1007, LOG_LEVEL_INFO, "m", fields);
    assert_string_equal(line, LINE_START "m a=1 z=2 cut=true\n");
    assert_false(b.failed);
}

/* Calls the log with stderr in a pipe and returns what came out. */
static size_t capture(void (*function)(void), char *out, size_t size)
{
    int fds[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(fds), 0);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    function();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void) close(saved);
    (void) close(fds[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(fds[0], out + len, size - 1 - len)) > 0) {
        len += (size_t) n;
    }
    (void) close(fds[0]);
    out[len] = '\0';
    return len;
}

static void log_at_each_level(void)
{
    log_error("e");
    log_warn("w", LOG_U64("n", 1));
    log_info("i", LOG_U64("n", 1), LOG_STR("s", "t"));
    log_debug("d");
}

static void assert_levels(enum log_level level, const char *wanted)
{
    char out[2000], mem[200];
    struct buf got;
    log_set_level(level);
    struct str line, rest = {out, capture(log_at_each_level, out, sizeof out)};
    buf_init_fixed(&got, mem, sizeof mem);
    while (str_cut(&rest, '\n', &line) && line.len > 0) {
        assert_true(str_starts_with(line, STR("time=20")));
        size_t time_len = str_find_char(line, ' ');
        buf_add(&got, line.ptr + time_len, line.len - time_len);
        buf_add_char(&got, ';');
    }
    assert_string_equal(got.ptr, wanted);
    log_set_level(LOG_LEVEL_INFO);
}

static void test_lines_above_the_level_are_not_written(void **state)
{
    (void) state;
    assert_levels(LOG_LEVEL_ERROR, " level=error msg=e;");
    assert_levels(LOG_LEVEL_INFO, " level=error msg=e; level=warn msg=w n=1;"
                                  " level=info msg=i n=1 s=t;");
    assert_levels(LOG_LEVEL_DEBUG, " level=error msg=e; level=warn msg=w n=1;"
                                   " level=info msg=i n=1 s=t; level=debug msg=d;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_field),
        cmocka_unit_test(test_values_cannot_break_out_of_their_field),
        cmocka_unit_test(test_a_field_that_does_not_fit_is_left_out),
        cmocka_unit_test(test_lines_above_the_level_are_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
