/* Codes by name and number, and what HTTP and HTTP/2 stand for. */
#include "rpc/status.h"
#include "support/t.h"

static void test_each_code_is_found_by_its_name_and_number(void **state)
{
    (void) state;
    for (uint32_t i = 0; i < RPC_CODES; i++) {
        enum rpc_code code = RPC_OK;
        char number[8];
        assert_true(rpc_code_parse(str_of(rpc_code_name(i)), &code));
        assert_int_equal(code, i);
        (void) snprintf(number, sizeof number, "%u", i);
        code = RPC_OK;
        assert_true(rpc_code_parse(str_of(number), &code));
        assert_int_equal(code, i);
    }
    assert_null(rpc_code_name(17));
    assert_null(rpc_code_name(UINT32_MAX));
    assert_string_equal(rpc_code_name(5), "NOT_FOUND");
    assert_string_equal(rpc_code_name(16), "UNAUTHENTICATED");
}

static void test_other_words_are_no_codes(void **state)
{
    (void) state;
    const char *const rows[] = {"", "17", "-1", "05", "NOTFOUND", "NOT_FOUND ", "2.0"};
    enum rpc_code code = RPC_ABORTED;
    T_TABLE(row, rows)
    {
        t_check(!rpc_code_parse(str_of(*row), &code), "\"%s\"", *row);
    }
    assert_int_equal(code, RPC_ABORTED);
    assert_true(rpc_code_parse(STR("not_Found"), &code));
    assert_int_equal(code, RPC_NOT_FOUND);
}

static void test_an_http_status_stands_for_a_code(void **state)
{
    (void) state;
    static const struct {
        unsigned status;
        enum rpc_code code;
    } rows[] = {
        {400, RPC_INTERNAL},      {401, RPC_UNAUTHENTICATED}, {403, RPC_PERMISSION_DENIED},
        {404, RPC_UNIMPLEMENTED}, {429, RPC_UNAVAILABLE},     {502, RPC_UNAVAILABLE},
        {503, RPC_UNAVAILABLE},   {504, RPC_UNAVAILABLE},     {500, RPC_UNKNOWN},
        {200, RPC_UNKNOWN},       {302, RPC_UNKNOWN},         {0, RPC_UNKNOWN},
    };
    T_TABLE(row, rows)
    {
        t_check(rpc_code_of_http(row->status) == row->code, "%u", row->status);
    }
}

static void test_an_http2_error_stands_for_a_code(void **state)
{
    (void) state;
    static const struct {
        uint32_t error;
        enum rpc_code code;
        const char *name;
    } rows[] = {
        {0, RPC_INTERNAL, "NO_ERROR"},
        {1, RPC_INTERNAL, "PROTOCOL_ERROR"},
        {2, RPC_INTERNAL, "INTERNAL_ERROR"},
        {3, RPC_INTERNAL, "FLOW_CONTROL_ERROR"},
        {4, RPC_INTERNAL, "SETTINGS_TIMEOUT"},
        {5, RPC_UNKNOWN, "STREAM_CLOSED"},
        {6, RPC_INTERNAL, "FRAME_SIZE_ERROR"},
        {7, RPC_UNAVAILABLE, "REFUSED_STREAM"},
        {8, RPC_CANCELLED, "CANCEL"},
        {9, RPC_INTERNAL, "COMPRESSION_ERROR"},
        {10, RPC_INTERNAL, "CONNECT_ERROR"},
        {11, RPC_RESOURCE_EXHAUSTED, "ENHANCE_YOUR_CALM"},
        {12, RPC_PERMISSION_DENIED, "INADEQUATE_SECURITY"},
        {13, RPC_UNKNOWN, "HTTP_1_1_REQUIRED"},
    };
    T_TABLE(row, rows)
    {
        assert_int_equal(rpc_code_of_h2(row->error), row->code);
        assert_string_equal(rpc_h2_error_name(row->error), row->name);
    }
    assert_int_equal(rpc_code_of_h2(14), RPC_UNKNOWN);
    assert_int_equal(rpc_code_of_h2(UINT32_MAX), RPC_UNKNOWN);
    assert_null(rpc_h2_error_name(14));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_code_is_found_by_its_name_and_number),
        cmocka_unit_test(test_other_words_are_no_codes),
        cmocka_unit_test(test_an_http_status_stands_for_a_code),
        cmocka_unit_test(test_an_http2_error_stands_for_a_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
