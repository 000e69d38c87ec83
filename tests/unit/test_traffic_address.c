/* Addresses of peers as text; see traffic/address.h. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "support/t.h"
#include "traffic/address.h"

static const struct row {
    const char *text;
    int family; /* 0: none */
} rows[] = {
    {"10.0.1.11:8080", AF_INET},
    {"0.0.0.0:1", AF_INET},
    {"255.255.255.255:65535", AF_INET},
    {"[::1]:8080", AF_INET6},
    {"[2001:db8::1:2]:1", AF_INET6},
    {"[::ffff:10.0.0.1]:80", AF_INET6},
    {"unix:/run/app.sock", AF_UNIX},
    {"unix:/", AF_UNIX},
    {"unix:/run/a:b]:80", AF_UNIX},
    {"", 0},
    {":", 0},
    {":80", 0},
    {"10.0.1.11", 0},
    {"10.0.1.11:", 0},
    {"10.0.1.11:0", 0},
    {"10.0.1.11:65536", 0},
    {"10.0.1.11:+80", 0},
    {"10.0.1.11:80 ", 0},
    {" 10.0.1.11:80", 0},
    {"10.0.1:80", 0},
    {"10.0.1.256:80", 0},
    {"010.0.1.1:80", 0},
    {"::1:8080", 0},
    {"[::1]", 0},
    {"[::1]:", 0},
    {"[]:80", 0},
    {"[10.0.0.1]:80", 0},
    {"[fe80::1%eth0]:80", 0},
    {"[1:2:3:4:5:6:7:8:9]:80", 0},
    {"app:8080", 0},
    {"localhost:80", 0},
    {"unix:", 0},
    {"unix:run/app.sock", 0},
    {"unix:/\xff", 0},
    {"UNIX:/run/app.sock", 0},
    {"unix:/"
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
     "567890123456789012345",
     AF_UNIX},
    {"unix:/"
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
     "5678901234567890123456",
     0},
};

static void test_addresses_and_what_is_none(void **state)
{
    (void) state;
    T_TABLE(row, rows)
    {
        struct address address;
        struct err err;
        int rc = address_read(str_of(row->text), &address, &err);
        t_check((rc == 0) == (row->family != 0), "%s", row->text);
        if (rc == 0) {
            t_check(address.sa.any.sa_family == row->family, "%s", row->text);
        } else {
            t_check(strstr(err.msg, "right is") != NULL, "%s: %s", row->text, err.msg);
        }
    }
}

static void test_the_bytes_are_those_of_the_address(void **state)
{
    (void) state;
    struct address address;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    char text[INET6_ADDRSTRLEN];

    assert_int_equal(address_read(STR("10.0.1.11:8080"), &address, NULL), 0);
    assert_int_equal(address.len, sizeof(in));
    memcpy(&in, &address.sa, sizeof(in));
    assert_int_equal(ntohl(in.sin_addr.s_addr), 0x0a00010b);
    assert_int_equal(ntohs(in.sin_port), 8080);

    assert_int_equal(address_read(STR("[2001:db8:0:0::5]:443"), &address, NULL), 0);
    assert_int_equal(address.len, sizeof(in6));
    memcpy(&in6, &address.sa, sizeof(in6));
    assert_string_equal(inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text)), "2001:db8::5");
    assert_int_equal(ntohs(in6.sin6_port), 443);

    assert_int_equal(address_read(STR("unix:/run/app.sock"), &address, NULL), 0);
    assert_string_equal(address.sa.un.sun_path, "/run/app.sock");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_and_what_is_none),
        cmocka_unit_test(test_the_bytes_are_those_of_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
