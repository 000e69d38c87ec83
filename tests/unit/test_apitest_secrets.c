/* Secrets are hidden in all forms in which they may come out. */
#include "support/t.h"

#include "apitest/scope.h"
#include "base/json.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *redacted(const struct apitest_secrets *secrets, struct str text, struct buf *b)
{
    buf_clear(b);
    apitest_redact(secrets, text, b);
    return b->ptr == NULL ? "" : b->ptr;
}

static void add(struct apitest_secrets *secrets, const char *value)
{
    struct err err = {0};
    t_check(apitest_secrets_add(secrets, str_of(value), &err) == 0, "%s", err.msg);
}

static void test_every_form_is_hidden(void **state)
{
    (void) state;
    static const struct {
        const char *secret, *text, *wanted;
    } rows[] = {
        {"hunter22", "password: hunter22!", "password: ***!"},
        {"hunter22", "hunter2", "hunter2"},
        {"hunter22", "", ""},
        {"hunter22", "hunter22hunter22", "***"},
        {"hunter22", "hunter22, hunter22", "***, ***"},
        {"abab", "xabababx", "x***x"},
        /* base64: alone with and without padding, and at each alignment in something longer */
        {"hunter22", "aHVudGVyMjI=", "***="},
        {"hunter22", "aHVudGVyMjI", "***"},
        {"hunter22", "Basic YTpodW50ZXIyMg==", "Basic YT***=="}, /* a:hunter22 */
        {"hunter22", "YWI6aHVudGVyMjI7", "YWI6***7"},            /* ab:hunter22; */
        {"hunter22", "YWJjOmh1bnRlcjIyIQ==", "YWJjO***IQ=="},    /* abc:hunter22! */
        {"a?>~b\xff\xfe", "YT8-fmL__g", "***"},                  /* the alphabet of URLs */
        {"a?>~b\xff\xfe", "YT8+fmL//g==", "***=="},
        /* percent-encoded, by those who encode much and those who encode little */
        {"p@ss word/1", "?k=p%40ss%20word%2F1&x", "?k=***&x"},
        {"p@ss word/1", "?k=p%40ss%20word%2f1&x", "?k=***&x"},
        {"p@ss word/1", "?k=p%40ss+word%2F1&x", "?k=***&x"},
        {"p@ss word/1", "?k=p%40ss%20word/1&x", "?k=***&x"},
        {"it's!", "it's! it%27s%21", "*** ***"},
        {"50%\xc3\xa4x", "50%25%C3%A4x", "***"}, /* grpc-message */
        /* escaped for JSON and XML */
        {"a\"b\\c\n", "{\"k\":\"a\\\"b\\\\c\\n\"}", "{\"k\":\"***\"}"},
        {"a/b/c/d", "a\\/b\\/c\\/d", "***"},
        {"na\xc3\xafve", "na\\u00efve na\\u00EFve", "*** ***"},
        {"x\xf0\x9f\x98\x80y", "x\\ud83d\\ude00y", "***"},
        {"a<b>&\"c'", "a&lt;b&gt;&amp;&quot;c&#39;", "***"},
        {"a<b>&\"c'", "a&lt;b&gt;&amp;\"c'", "***"},
        {"hunter22", "68756e7465723232", "***"},
        {"Zebra\xff!", "5A65627261FF21", "***"},
    };
    struct buf b;
    buf_init(&b, 1 << 16);
    T_TABLE(row, rows)
    {
        struct apitest_secrets secrets;
        apitest_secrets_init(&secrets);
        add(&secrets, row->secret);
        const char *got = redacted(&secrets, str_of(row->text), &b);
        t_check(strcmp(got, row->wanted) == 0, "%s: %s is not %s", row->text, got, row->wanted);
        apitest_secrets_done(&secrets);
    }
    buf_done(&b);
}

static void test_the_longest_of_several_is_hidden(void **state)
{
    (void) state;
    struct apitest_secrets secrets;
    struct buf b;
    buf_init(&b, 1 << 16);
    apitest_secrets_init(&secrets);
    add(&secrets, "secret");
    add(&secrets, "secret-and-more");
    add(&secrets, "more-still");
    assert_string_equal(redacted(&secrets, STR("a secret-and-more b"), &b), "a *** b");
    assert_string_equal(redacted(&secrets, STR("secret-and-"), &b), "***-and-");
    /* overlapping ones are hidden as one */
    assert_string_equal(redacted(&secrets, STR("secret-and-more-still!"), &b), "***!");
    assert_int_equal(secrets.value.len, 3);
    assert_str(secrets.value.ptr[0], "secret-and-more");
    assert_str(secrets.value.ptr[2], "secret");
    add(&secrets, "secret");
    assert_int_equal(secrets.value.len, 3);
    apitest_secrets_done(&secrets);
    buf_done(&b);
}

static size_t encode_base64(const unsigned char *in, size_t n, const char *digits, char *out)
{
    size_t len = 0;
    for (size_t bit = 0; bit < n * 8; bit += 6) {
        unsigned six = 0;
        for (size_t i = bit; i < bit + 6; i++) {
            six = six << 1 | (i < n * 8 ? (unsigned) in[i / 8] >> (7 - i % 8) & 1u : 0u);
        }
        out[len++] = digits[six];
    }
    out[len] = '\0';
    return len;
}

/* Whatever stands around it: no digit that holds a bit of the secret is left. */
static void test_random_neighbors_do_not_help(void **state)
{
    (void) state;
    static const char std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct t_random random = t_random_init();
    struct buf b;
    buf_init(&b, 1 << 16);
    for (int round = 0; round < 2000; round++) {
        unsigned char bytes[80];
        char secret[24], text[128];
        size_t len = 4 + t_random_below(&random, 16), before = t_random_below(&random, 20);
        size_t n = before + len + t_random_below(&random, 20);
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (unsigned char) (1 + t_random_below(&random, 255));
        }
        memcpy(secret, bytes + before, len);
        struct apitest_secrets secrets;
        struct err err = {0};
        apitest_secrets_init(&secrets);
        assert_int_equal(apitest_secrets_add(&secrets, (struct str){secret, len}, &err), 0);
        size_t text_len = encode_base64(bytes, n, round % 2 == 0 ? std : url, text);
        size_t first = before * 8 / 6, end = ((before + len) * 8 + 5) / 6;
        const char *got = redacted(&secrets, (struct str){text, text_len}, &b);
        char wanted[160];
        (void) snprintf(wanted, sizeof wanted, "%.*s***%s", (int) first, text, text + end);
        t_check(strcmp(got, wanted) == 0, "%s became %s, not %s", text, got, wanted);
        apitest_secrets_done(&secrets);
    }
    buf_done(&b);
}

static void test_what_our_own_writers_make_is_hidden(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    struct buf b, json;
    buf_init(&b, 1 << 16);
    buf_init(&json, 1 << 16);
    for (int round = 0; round < 500; round++) {
        char secret[16];
        size_t len = 4 + t_random_below(&random, 12);
        for (size_t i = 0; i < len; i++) {
            secret[i] = (char) (1 + t_random_below(&random, 255));
        }
        struct apitest_secrets secrets;
        struct err err = {0};
        apitest_secrets_init(&secrets);
        assert_int_equal(apitest_secrets_add(&secrets, (struct str){secret, len}, &err), 0);
        buf_clear(&json);
        json_quote(&json, (struct str){secret, len});
        assert_string_equal(redacted(&secrets, buf_str(&json), &b), "\"***\"");
        apitest_secrets_done(&secrets);
    }
    buf_done(&b);
    buf_done(&json);
}

static void test_short_ones_are_refused(void **state)
{
    (void) state;
    struct apitest_secrets secrets;
    struct err err = {0};
    apitest_secrets_init(&secrets);
    assert_err(apitest_secrets_add(&secrets, STR("abc"), &err), &err, ERR_INVALID,
               "a secret of 3 bytes cannot be hidden without hiding everything: at least 4 bytes "
               "are needed");
    apitest_secrets_done(&secrets);
}

static void write_file(char *path, const char *text, mode_t mode)
{
    (void) snprintf(path, 64, "/tmp/test_secrets_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void test_a_file_gives_names_and_values(void **state)
{
    (void) state;
    struct apitest_secrets secrets;
    struct err err = {0};
    struct str value;
    char path[64];
    apitest_secrets_init(&secrets);
    write_file(path, "# comment\n\nTOKEN=abc=def \r\n  KEY = value\n", 0600);
    t_check(apitest_secrets_read(&secrets, path, &err) == 0, "%s", err.msg);
    assert_int_equal(apitest_secrets_get(&secrets, STR("TOKEN"), &value, &err), 0);
    assert_str(value, "abc=def ");
    assert_int_equal(apitest_secrets_get(&secrets, STR("KEY"), &value, &err), 0);
    assert_str(value, " value");
    assert_int_equal(unlink(path), 0);
    /* of the environment: first with the prefix */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    assert_int_equal(setenv("POUROVER_SECRET_T_ENV", "with-prefix", 1), 0);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    assert_int_equal(setenv("T_ENV", "without", 1), 0);
    assert_int_equal(apitest_secrets_get(&secrets, STR("T_ENV"), &value, &err), 0);
    assert_str(value, "with-prefix");
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    assert_int_equal(unsetenv("POUROVER_SECRET_T_ENV"), 0);
    assert_int_equal(apitest_secrets_get(&secrets, STR("T_ENV"), &value, &err), 0);
    assert_str(value, "without");
    struct buf b;
    buf_init(&b, 1024);
    assert_string_equal(redacted(&secrets, STR("with-prefix without abc=def "), &b), "*** *** ***");
    buf_done(&b);
    assert_err(apitest_secrets_get(&secrets, STR("NO_SUCH"), &value, &err), &err, ERR_NOT_FOUND,
               "no secret \"NO_SUCH\": give it in --secrets FILE as NO_SUCH=VALUE, or set "
               "POUROVER_SECRET_NO_SUCH");
    apitest_secrets_done(&secrets);
}

static void test_bad_files_are_refused(void **state)
{
    (void) state;
    struct apitest_secrets secrets;
    struct err err = {0};
    char path[64], wanted[256];
    apitest_secrets_init(&secrets);
    write_file(path, "A=value\nnonsense\n", 0600);
    (void) snprintf(wanted, sizeof wanted, "%s:2: not a line of the form NAME=VALUE", path);
    assert_err(apitest_secrets_read(&secrets, path, &err), &err, ERR_INVALID, wanted);
    assert_int_equal(unlink(path), 0);
    write_file(path, "A=value\n", 0662);
    (void) snprintf(wanted, sizeof wanted, "%s may be written by others: chmod go-w %s", path,
                    path);
    assert_err(apitest_secrets_read(&secrets, path, &err), &err, ERR_DENIED, wanted);
    assert_int_equal(unlink(path), 0);
    (void) snprintf(wanted, sizeof wanted, "%s: No such file or directory", path);
    assert_err(apitest_secrets_read(&secrets, path, &err), &err, ERR_IO, wanted);
    apitest_secrets_done(&secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_is_hidden),
        cmocka_unit_test(test_the_longest_of_several_is_hidden),
        cmocka_unit_test(test_random_neighbors_do_not_help),
        cmocka_unit_test(test_what_our_own_writers_make_is_hidden),
        cmocka_unit_test(test_short_ones_are_refused),
        cmocka_unit_test(test_a_file_gives_names_and_values),
        cmocka_unit_test(test_bad_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
