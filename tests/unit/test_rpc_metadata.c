/* Metadata: what may be given, -bin values there and back, joined by commas or not. */
#include "rpc/metadata.h"

#include "base/cleanup.h"
#include "rpc/call_int.h"
#include "support/t.h"

static void test_good_metadata_pass(void **state)
{
    (void) state;
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"authorization", "Bearer x"},
        {"x-a_b.c", ""},
        {"x-bin", "\x01\xff"},
        {"x", "~ !"},
        {"grpc-trace-bin", "\1"},
        {"grpcx", "1"},
        {"0", "1"},
    };
    T_TABLE(row, rows)
    {
        struct err err = {0};
        t_check(rpc_metadata_check(str_of(row->name), str_of(row->value), &err) == 0, "%s: %s",
                row->name, err.msg);
    }
    assert_int_equal(rpc_metadata_check(STR("x"), (struct str){NULL, 0}, NULL), 0);
}

static void test_bad_metadata_are_refused_with_words(void **state)
{
    (void) state;
    static const struct {
        const char *name, *value, *message;
    } rows[] = {
        {"", "1", "metadata: the name is empty"},
        {":path", "/", "metadata \":path\": a pseudo header cannot be set here"},
        {"X-Up", "1", "metadata \"X-Up\": names are written in lower case"},
        {"a b", "1",
         "metadata \"a b\": byte 2 of the name is 0x20; it may have a-z, 0-9, \"-\", \"_\" and "
         "\".\" only"},
        {"a\n", "1",
         "metadata \"a\": byte 2 of the name is 0x0a; it may have a-z, 0-9, \"-\", \"_\" and \".\" "
         "only"},
        {"grpc-timeout", "1S",
         "metadata \"grpc-timeout\": names that begin with \"grpc-\" belong to gRPC"},
        {"te", "trailers", "metadata \"te\": the client sets it, or HTTP/2 forbids it"},
        {"connection", "x", "metadata \"connection\": the client sets it, or HTTP/2 forbids it"},
        {"x", "a\xc3\xa4",
         "metadata \"x\": byte 2 of the value is 0xc3, which is not printable ASCII: name it "
         "\"...-bin\" to send any bytes"},
        {"x", "a\r\ny: 1",
         "metadata \"x\": byte 2 of the value is 0x0d, which is not printable ASCII: name it "
         "\"...-bin\" to send any bytes"},
        {"x", " a",
         "metadata \"x\": the value begins or ends with a blank, which servers take away"},
    };
    T_TABLE(row, rows)
    {
        struct err err = {0};
        int rc = rpc_metadata_check(str_of(row->name), str_of(row->value), &err);
        assert_err(rc, &err, ERR_INVALID, row->message);
        assert_int_equal(rpc_metadata_check(str_of(row->name), str_of(row->value), NULL),
                         ERR_INVALID);
    }
}

static void test_a_header_is_found_by_its_name(void **state)
{
    (void) state;
    static const struct rpc_header item[] = {
        {{"a", 1}, {"1", 1}}, {{"b", 1}, {"2", 1}}, {{"a", 1}, {"3", 1}}};
    struct rpc_headers headers = {item, 3};
    assert_ptr_equal(rpc_headers_find(headers, "a"), &item[0]);
    assert_ptr_equal(rpc_headers_find(headers, "b"), &item[1]);
    assert_null(rpc_headers_find(headers, "c"));
    assert_null(rpc_headers_find((struct rpc_headers){NULL, 0}, "a"));
}

/* Reads all values of a -bin header, "|" between them. */
static int read_bin(const char *wire, struct buf *out, struct err *err)
{
    struct rpc_fields fields = {.bytes = NULL};
    int rc = rpc_fields_add(&fields, STR("x-bin"), str_of(wire), err);
    struct rpc_headers values = rpc_fields_view(&fields);
    for (size_t i = 0; i < values.len; i++) {
        buf_add_cstr(out, i > 0 ? "|" : "");
        buf_add_str(out, values.item[i].value);
    }
    rpc_fields_done(&fields);
    return rc;
}

static void test_bin_values_may_be_joined_by_commas(void **state)
{
    (void) state;
    static const struct {
        const char *wire, *values;
    } rows[] = {
        {"q6ur", "\xab\xab\xab"}, {"Zg", "f"},           {"Zg==", "f"},         {"", ""},
        {"Zg,Zm8=", "f|fo"},      {"Zg==, Zm8", "f|fo"}, {" Zg , ,Zg", "f||f"},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(buf_done) struct buf out;
        struct err err = {0};
        buf_init(&out, 64);
        t_check(read_bin(row->wire, &out, &err) == 0, "\"%s\": %s", row->wire, err.msg);
        assert_str(buf_str(&out), row->values);
    }
}

static void test_bad_bin_values_are_refused(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf out;
    struct err err = {0};
    buf_init(&out, 64);
    assert_err(read_bin("Zg,Z$", &out, &err), &err, ERR_INVALID,
               "character 2 is \"$\", which base64 has not");
}

static void test_bin_bytes_come_back(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (size_t len = 0; len < 3000; len += 1 + (size_t) t_random_below(&random, 100)) {
        struct rpc_fields fields = {.bytes = NULL};
        _cleanup_(buf_done) struct buf wire;
        char *bytes = malloc(len + 1);
        assert_non_null(bytes);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char) (uint8_t) t_random(&random);
        }
        buf_init(&wire, 8192);
        rpc_bin_encode((struct str){bytes, len}, &wire);
        assert_int_equal(str_find_char(buf_str(&wire), '='), wire.len);
        assert_int_equal(rpc_fields_add(&fields, STR("x-bin"), buf_str(&wire), NULL), 0);
        struct rpc_headers back = rpc_fields_view(&fields);
        assert_int_equal(back.len, 1);
        assert_int_equal(back.item[0].value.len, len);
        assert_memory_equal(back.item[0].value.ptr, bytes, len);
        rpc_fields_done(&fields);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_metadata_pass),
        cmocka_unit_test(test_bad_metadata_are_refused_with_words),
        cmocka_unit_test(test_a_header_is_found_by_its_name),
        cmocka_unit_test(test_bin_values_may_be_joined_by_commas),
        cmocka_unit_test(test_bad_bin_values_are_refused),
        cmocka_unit_test(test_bin_bytes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
