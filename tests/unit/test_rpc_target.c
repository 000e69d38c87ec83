/* Targets: the forms, what is refused and with which words, and one address for each. */
#include "support/t.h"
#include "rpc/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static void test_the_forms_of_a_target(void **state)
{
    (void) state;
    static const struct {
        const char *text, *again, *host;
        bool tls;
        uint16_t port;
        const char *path;
    } rows[] = {
        {"localhost:50051", "grpc://localhost:50051", "localhost", false, 50051, ""},
        {"grpc://a.b-c.d:1", "grpc://a.b-c.d:1", "a.b-c.d", false, 1, ""},
        {"GRPCS://10.0.0.7:443", "grpcs://10.0.0.7:443", "10.0.0.7", true, 443, ""},
        {"http://x", "grpc://x:80", "x", false, 80, ""},
        {"https://x", "grpcs://x:443", "x", true, 443, ""},
        {"https://[::1]", "grpcs://[::1]:443", "::1", true, 443, ""},
        {"[::1]:8080", "grpc://[::1]:8080", "::1", false, 8080, ""},
        {"[fe80::1%eth0]:1", "grpc://[fe80::1%eth0]:1", "fe80::1%eth0", false, 1, ""},
        {"my_host.:65535", "grpc://my_host.:65535", "my_host.", false, 65535, ""},
        {"grpc:1", "grpc://grpc:1", "grpc", false, 1, ""},
        {"unix:/run/a b:c", NULL, "", false, 0, ""},
        {"unix:/run/a", "unix:/run/a", "", false, 0, "/run/a"},
        {"unix:///run/a", "unix:/run/a", "", false, 0, "/run/a"},
        {"unix:////run/a", "unix:////run/a", "", false, 0, "//run/a"},
        {"grpcs+unix:/run/a", "grpcs+unix:/run/a", "", true, 0, "/run/a"},
        {"https+unix:///run/a", "grpcs+unix:/run/a", "", true, 0, "/run/a"},
    };
    T_TABLE(row, rows)
    {
        struct rpc_target target, back;
        struct err err = {0};
        char text[400];
        if (row->again == NULL) {
            assert_int_equal(rpc_target_parse(str_of(row->text), &target, &err), ERR_INVALID);
            continue;
        }
        t_check(rpc_target_parse(str_of(row->text), &target, &err) == 0, "%s", err.msg);
        assert_string_equal(target.host, row->host);
        assert_string_equal(target.path, row->path);
        assert_int_equal(target.port, row->port);
        assert_int_equal(target.tls, row->tls);
        rpc_target_text(&target, text, sizeof text);
        assert_string_equal(text, row->again);
        assert_int_equal(rpc_target_parse(str_of(text), &back, NULL), 0);
        assert_memory_equal(&back, &target, sizeof back);
    }
}

#define HINT "write HOST:PORT, grpcs://HOST:PORT for TLS, or unix:/path"
static const struct {
    const char *text, *message;
} refused[] = {
    {"", "the target is empty: " HINT},
    {"foo", "target \"foo\": the port is missing: " HINT},
    {"grpcs://foo", "target \"grpcs://foo\": the port is missing: " HINT},
    {":80", "target \":80\": the host is missing: " HINT},
    {"grpc://", "target \"grpc://\": the host is missing: " HINT},
    {"foo:", "target \"foo:\": port \"\" is no number from 1 to 65535"},
    {"foo:0", "target \"foo:0\": port \"0\" is no number from 1 to 65535"},
    {"foo:080", "target \"foo:080\": port \"080\" is no number from 1 to 65535"},
    {"foo:65536", "target \"foo:65536\": port \"65536\" is no number from 1 to 65535"},
    {"grcps://a:1", "target \"grcps://a:1\": there is no scheme \"grcps\", did you mean \"grpcs\""},
    {"htps://a:1", "target \"htps://a:1\": there is no scheme \"htps\", did you mean \"https\""},
    {"grpc+unix:/a",
     "target \"grpc+unix:/a\": there is no scheme \"grpc+unix\", did you mean \"grpcs+unix\""},
    {"dns:///a:1",
     "target \"dns:///a:1\": there is no scheme \"dns\"; there are grpc, grpcs, http, https, "
     "unix, grpcs+unix and https+unix"},
    {"::1:80",
     "target \"::1:80\": more than one \":\": an IPv6 address stands in brackets, [::1]:PORT; "
     "a scheme is followed by \"://\""},
    {"grpc:a:1", "target \"grpc:a:1\": more than one \":\": an IPv6 address stands in brackets, "
                 "[::1]:PORT; a scheme is followed by \"://\""},
    {"[::1", "target \"[::1\": the \"]\" behind the IPv6 address is missing"},
    {"[::1]80", "target \"[::1]80\": behind the \"]\" stands something else than \":PORT\""},
    {"[::1]", "target \"[::1]\": the port is missing: " HINT},
    {"[a]:1", "target \"[a]:1\": \"a\" in brackets is no IPv6 address"},
    {"[]:1", "target \"[]:1\": \"\" in brackets is no IPv6 address"},
    {"u@h:1", "target \"u@h:1\": a user or password does not belong here"},
    {"a..b:1", "target \"a..b:1\": \"a..b\" is no host name"},
    {"*:1", "target \"*:1\": \"*\" is no host name"},
    {"1.2.3:1", "target \"1.2.3:1\": \"1.2.3\" is no IPv4 address: write four numbers up to "
                "255"},
    {"256.1.1.1:1", "target \"256.1.1.1:1\": \"256.1.1.1\" is no IPv4 address: write four "
                    "numbers up to 255"},
    {"0x7f000001:1", "target \"0x7f000001:1\": \"0x7f000001\" is no IPv4 address: write four "
                     "numbers up to 255"},
    {"http://a:1/x",
     "target \"http://a:1/x\": a target ends with its port: leave out \"/\" and what follows"},
    {"unix:a", "target \"unix:a\": a unix socket has an absolute path: unix:/run/app.sock"},
    {"unix://a", "target \"unix://a\": a unix socket has an absolute path: unix:/run/app.sock"},
    {"unix:", "target \"unix:\": a unix socket has an absolute path: unix:/run/app.sock"},
    {"a b:1", "the target has the byte 0x20 at place 2: blanks and control characters do not "
              "belong there"},
    {"a\xff:1", "the target is no UTF-8 text: " HINT},
};

static void test_what_is_refused_says_what_to_write(void **state)
{
    (void) state;
    T_TABLE(row, refused)
    {
        struct rpc_target target = {.port = 7};
        struct err err = {0};
        assert_err(rpc_target_parse(str_of(row->text), &target, &err), &err, ERR_INVALID,
                   row->message);
        assert_int_equal(target.port, 7);
    }
}

static void test_lengths_are_bounded(void **state)
{
    (void) state;
    struct rpc_target target;
    struct err err = {0};
    char text[400];
    (void) snprintf(text, sizeof text, "unix:/%0200d", 0);
    assert_int_equal(rpc_target_parse((struct str){text, 5 + 107}, &target, &err), 0);
    assert_int_equal(strlen(target.path), 107);
    assert_int_equal(rpc_target_parse((struct str){text, 5 + 108}, &target, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "at most 107 bytes, this one has 108"));
    memset(text, 'a', sizeof text);
    for (size_t i = 60; i < 300; i += 60) {
        text[i] = '.';
    }
    text[253] = ':';
    text[254] = '1';
    assert_int_equal(rpc_target_parse((struct str){text, 255}, &target, &err), 0);
    text[253] = 'a';
    text[254] = ':';
    text[255] = '1';
    assert_int_equal(rpc_target_parse((struct str){text, 256}, &target, &err), ERR_INVALID);
}

static struct rpc_address resolve(const char *text)
{
    struct rpc_target target;
    struct rpc_address address = {.sa_len = 0};
    struct err err = {0};
    t_check(rpc_target_parse(str_of(text), &target, &err) == 0, "%s", err.msg);
    t_check(rpc_target_resolve(&target, &address, &err) == 0, "%s", err.msg);
    return address;
}

static void test_a_target_has_one_address(void **state)
{
    (void) state;
    struct rpc_address address = resolve("127.0.0.3:81");
    struct sockaddr_in in4;
    assert_string_equal(address.text, "127.0.0.3:81");
    assert_int_equal(address.sa_len, sizeof in4);
    memcpy(&in4, &address.sa, sizeof in4);
    assert_int_equal(in4.sin_family, AF_INET);
    assert_int_equal(ntohs(in4.sin_port), 81);
    assert_int_equal(ntohl(in4.sin_addr.s_addr), 0x7f000003);

    struct sockaddr_in6 in6;
    address = resolve("grpcs://[::1]:443");
    assert_string_equal(address.text, "[::1]:443");
    memcpy(&in6, &address.sa, sizeof in6);
    assert_int_equal(in6.sin6_family, AF_INET6);
    assert_true(IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr));

    struct sockaddr_un un;
    address = resolve("unix:/run/x");
    assert_string_equal(address.text, "unix:/run/x");
    memcpy(&un, &address.sa, sizeof un);
    assert_int_equal(un.sun_family, AF_UNIX);
    assert_string_equal(un.sun_path, "/run/x");
}

static void test_a_name_that_is_none_is_told(void **state)
{
    (void) state;
    struct rpc_target target;
    struct rpc_address address;
    struct err err = {0};
    assert_int_equal(rpc_target_parse(STR("nobody.invalid:1"), &target, &err), 0);
    assert_int_equal(rpc_target_resolve(&target, &address, &err), ERR_UNREACHABLE);
    assert_non_null(strstr(err.msg, "no address for \"nobody.invalid\": "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_forms_of_a_target),
        cmocka_unit_test(test_what_is_refused_says_what_to_write),
        cmocka_unit_test(test_lengths_are_bounded),
        cmocka_unit_test(test_a_target_has_one_address),
        cmocka_unit_test(test_a_name_that_is_none_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
