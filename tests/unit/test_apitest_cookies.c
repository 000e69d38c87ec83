/* Cookies of a visitor between requests of a test. */
#include "apitest/cookies.h"
#include "support/t.h"

#include "base/buf.h"

#define NOW_S 1700000000

struct row {
    const char *set[3]; /* Set-Cookie headers of answers to `path` */
    const char *path;
    const char *ask; /* path of the next request */
    const char *cookie;
};

static const struct row rows[] = {
    {{"id=1"}, "/", "/", "id=1"},
    {{"id=1; Path=/; HttpOnly", "b=2"}, "/", "/x", "id=1; b=2"},
    {{"id=1", "id=2"}, "/", "/", "id=2"},
    {{"id=1; Max-Age=0"}, "/", "/", ""},
    {{"id=1", "id=; Max-Age=0"}, "/", "/", ""},
    {{"id=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, "/", "/", ""},
    {{"id=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT"}, "/", "/", "id=1"},
    {{"id=1; max-age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, "/", "/", "id=1"},
    {{"id=1; Path=/shop"}, "/", "/shop/x?y", "id=1"},
    {{"id=1; Path=/shop"}, "/", "/shopping", ""},
    {{"id=1; Path=/shop"}, "/", "/", ""},
    {{"id=1"}, "/a/b/c?x=/d/e", "/a/b/z", "id=1"},
    {{"id=1"}, "/a/b/c", "/a/z", ""},
    {{"nothing"}, "/", "/", ""},
    {{"=x"}, "/", "/", ""},
    {{"a=b=c"}, "/", "/", "a=b=c"},
    {{" a = b ; Path = / "}, "/", "/", "a=b"},
    {{""}, "/", "/", ""},
};

static void test_what_is_set_is_sent_where_it_belongs(void **state)
{
    (void) state;
    T_TABLE(row, rows)
    {
        struct cookies cookies = {0};
        struct buf b;
        buf_init(&b, 1000);
        for (size_t i = 0; i < T_LEN(row->set) && row->set[i] != NULL; i++) {
            cookies_take(&cookies, str_of(row->set[i]), str_of(row->path), NOW_S);
        }
        cookies_header(&cookies, str_of(row->ask), &b);
        t_check(str_eq_cstr(buf_str(&b), row->cookie), "%s at %s, asked %s: \"" STR_FMT "\"",
                row->set[0], row->path, row->ask, STR_ARG(buf_str(&b)));
        buf_done(&b);
        cookies_done(&cookies);
    }
}

static void test_a_server_cannot_fill_the_memory(void **state)
{
    (void) state;
    struct cookies cookies = {0};
    for (int i = 0; i < 1000; i++) {
        char text[32];
        (void) snprintf(text, sizeof text, "c%d=x", i);
        cookies_take(&cookies, str_of(text), STR("/"), NOW_S);
    }
    assert_int_equal(cookies.list.len, COOKIES_MAX);
    cookies_done(&cookies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_set_is_sent_where_it_belongs),
        cmocka_unit_test(test_a_server_cannot_fill_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
