/* Pools: where files come from, in which order, and what is found in them. */
#include "support/descriptor.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "proto/pool.h"
#include "proto/wire.h"
#include "proto_descriptors.h"

#define ALL ((struct str){(const char *) proto_descriptors, sizeof proto_descriptors})

enum { SET_FILE = 1, FILE_NAME = 1, FILE_SOURCE_CODE_INFO = 9, FILES_MAX = 64 };

/* protoc's files, each by itself. */
struct files {
    struct arena arena;
    struct str bytes[FILES_MAX], name[FILES_MAX];
    size_t n;
};

static void files_read(struct files *files, struct proto_pool *pool)
{
    struct err err;
    files->n = 0;
    arena_init(&files->arena, (size_t) 1 << 26);
    struct proto_msg *set = proto_msg_new(
        &files->arena, proto_pool_message(pool, STR("google.protobuf.FileDescriptorSet")));
    assert_non_null(set);
    assert_int_equal(proto_wire_read(ALL, set, 0, &err), 0);
    const struct proto_field_desc *field = proto_field_of(set, SET_FILE);
    assert_in_range(proto_len(set, field), 6, FILES_MAX);
    struct proto_unknown it = {.rest = ALL}; /* a set is a list of fields of number 1 */
    while (proto_unknown_next(&it)) {
        files->name[files->n] = proto_str(proto_item(set, field, files->n).msg, FILE_NAME);
        files->bytes[files->n++] = it.bytes;
    }
}

static struct buf file_bytes(const struct proto_pool *pool, struct str name)
{
    struct buf b;
    struct err err;
    const struct proto_file_desc *file = proto_pool_file(pool, name);
    t_check(file != NULL, STR_FMT " is not there", STR_ARG(name));
    buf_init(&b, 1 << 24);
    assert_int_equal(proto_wire_write(file->source, 0, &b, &err), 0);
    return b;
}

static void test_the_first_file_is_what_protoc_says(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct files files;
    bool found = false;
    files_read(&files, pool);
    assert_int_equal(proto_pool_files(pool), 1);
    for (size_t i = 0; i < files.n; i++) {
        if (str_eq_cstr(files.name[i], "google/protobuf/descriptor.proto")) {
            struct buf ours = file_bytes(pool, files.name[i]);
            found = true;
            assert_int_equal(ours.len, files.bytes[i].len);
            assert_memory_equal(ours.ptr, files.bytes[i].ptr, ours.len);
            buf_done(&ours);
        }
    }
    assert_true(found);
    arena_done(&files.arena);
    proto_pool_free(pool);
}

static void test_files_come_in_any_order_and_more_than_once(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int round = 0; round < 20; round++) {
        struct proto_pool *pool = proto_pool_new();
        struct files files;
        struct err err = {0};
        struct str bytes[FILES_MAX + 2];
        files_read(&files, pool);
        memcpy(bytes, files.bytes, files.n * sizeof bytes[0]);
        bytes[files.n] = files.bytes[0];
        bytes[files.n + 1] = files.bytes[files.n - 1];
        for (size_t i = files.n + 1; i > 0; i--) {
            size_t k = (size_t) t_random_below(&random, i + 1);
            struct str kept = bytes[i];
            bytes[i] = bytes[k];
            bytes[k] = kept;
        }
        t_check(proto_pool_add_files(pool, bytes, files.n + 2, &err) == 0, "%s", err.msg);
        assert_int_equal(proto_pool_files(pool), files.n);
        for (size_t i = 0; i < files.n; i++) {
            struct buf ours = file_bytes(pool, files.name[i]);
            /* protoc writes a custom option in pieces, which are one when it is known. */
            if (strstr(files.name[i].ptr, "options") == NULL) {
                assert_int_equal(ours.len, files.bytes[i].len);
                assert_memory_equal(ours.ptr, files.bytes[i].ptr, ours.len);
            }
            buf_done(&ours);
        }
        arena_done(&files.arena);
        proto_pool_free(pool);
    }
}

static void test_a_set_can_be_added_twice(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    assert_int_equal(proto_pool_add_set(pool, ALL, &err), 0);
    size_t n = proto_pool_files(pool);
    assert_int_equal(proto_pool_add_set(pool, ALL, &err), 0);
    assert_int_equal(proto_pool_files(pool), n);
    assert_int_equal(proto_pool_add_set(pool, STR(""), &err), 0);
    assert_null(proto_pool_file_at(pool, n));
    proto_pool_free(pool);
}

#define FOO                                                                          \
    "{'name':'foo.proto','messageType':[{'name':'Foo','field':[{'name':'some_name'," \
    "'number':1,'type':'TYPE_INT32','label':'LABEL_OPTIONAL'%s}]}]%s}"

static void test_what_says_nothing_may_differ_between_copies_of_a_file(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    char text[512];
    const struct {
        const char *field, *file;
        int status;
    } rows[] = {
        {"", "", 0},
        {",'jsonName':'someName'", "", 0},
        {"", ",'sourceCodeInfo':{'location':[{'path':[4],'span':[1,2,3]}]}", 0},
        {"", ",'syntax':'proto2'", 0},
        {",'jsonName':'other'", "", ERR_CONFLICT},
        {"", ",'syntax':'proto3'", ERR_CONFLICT},
        {",'defaultValue':'1'", "", ERR_CONFLICT},
    };
    T_TABLE(row, rows)
    {
        (void) snprintf(text, sizeof text, FOO, row->field, row->file);
        t_check(t_add(pool, text, &err) == row->status, "%s: %s", text, err.msg);
    }
    assert_string_equal(err.msg,
                        "foo.proto: is there twice, with different content; take one of the two");
    proto_pool_free(pool);
}

static void test_missing_imports_are_named(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    assert_err(t_add(pool, "{'name':'a.proto','dependency':['x/b.proto']}", &err), &err,
               ERR_NOT_FOUND,
               "a.proto: imports \"x/b.proto\", which is not there: add that file too");
    assert_int_equal(proto_pool_files(pool), 1);
    assert_int_equal(t_add(pool, "{'name':'x/b.proto'}", &err), 0);
    assert_int_equal(t_add(pool, "{'name':'a.proto','dependency':['x/b.proto']}", &err), 0);
    /* A weak import may be missing. */
    assert_int_equal(
        t_add(pool, "{'name':'w.proto','dependency':['no.proto'],'weakDependency':[0]}", &err), 0);
    assert_err(t_add(pool, "{'name':'p.proto','publicDependency':[0]}", &err), &err, ERR_INVALID,
               "p.proto: import 0 is public, but there are 0");
    assert_err(t_add(pool, "{'package':'p'}", &err), &err, ERR_INVALID,
               "a file without a name is among the descriptors");
    proto_pool_free(pool);
}

static void test_imports_in_a_circle_are_refused(void **state)
{
    (void) state;
    static const char bytes[] = "\x0a\x12\x0a\x07"
                                "a.proto\x1a\x07"
                                "b.proto\x0a\x12\x0a\x07"
                                "b.proto\x1a\x07"
                                "a.proto";
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    assert_err(proto_pool_add_set(pool, (struct str){bytes, sizeof bytes - 1}, &err), &err,
               ERR_INVALID,
               "b.proto: imports \"a.proto\", which imports it in turn: a cycle of 2 files");
    static const char self[] = "\x0a\x12\x0a\x07"
                               "a.proto\x1a\x07"
                               "a.proto";
    assert_int_equal(proto_pool_add_set(pool, (struct str){self, sizeof self - 1}, &err),
                     ERR_INVALID);
    assert_int_equal(proto_pool_add_set(pool, STR("no set"), &err), ERR_INVALID);
    t_check(strncmp(err.msg, "not a descriptor set", 20) == 0, "%s", err.msg);
    proto_pool_free(pool);
}

static void test_a_chain_of_imports_may_be_long(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    struct buf b;
    buf_init(&b, 1 << 24);
    for (int i = 0; i < 20000; i++) { /* each imports the next; the last is alone */
        char mem[64];
        int n = i == 19999
                    ? snprintf(mem, sizeof mem, "\x0a\x0a\x0a\x08%08d", i)
                    : snprintf(mem, sizeof mem, "\x0a\x14\x0a\x08%08d\x1a\x08%08d", i, i + 1);
        buf_add(&b, mem, (size_t) n);
    }
    t_check(proto_pool_add_set(pool, buf_str(&b), &err) == 0, "%s", err.msg);
    assert_int_equal(proto_pool_files(pool), 20001);
    assert_str(proto_pool_file_at(pool, 1)->name, "00019999");
    buf_done(&b);
    proto_pool_free(pool);
}

static void test_nothing_of_a_refused_file_stays(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    assert_int_equal(t_add(pool,
                           "{'name':'a.proto','messageType':[{'name':'Good'}],"
                           "'extension':[{'name':'e','extendee':'.google.protobuf.FileOptions',"
                           "'number':50000,'type':'TYPE_INT32','label':'LABEL_OPTIONAL'}],"
                           "'service':[{'name':'S','method':[{'name':'M','inputType':'Good',"
                           "'outputType':'Bad'}]}]}",
                           &err),
                     ERR_INVALID);
    assert_string_equal(err.msg, "a.proto: S.M: its response \"Bad\" is no message of this file or "
                                 "its imports");
    assert_null(proto_pool_message(pool, STR("Good")));
    assert_null(proto_pool_extension(pool, STR("e")));
    assert_null(proto_pool_extension_by_number(
        pool, proto_pool_message(pool, STR("google.protobuf.FileOptions")), 50000));
    assert_int_equal(t_add(pool, "{'name':'a.proto','messageType':[{'name':'Good'}]}", &err), 0);
    assert_non_null(proto_pool_message(pool, STR("Good")));
    proto_pool_free(pool);
}

static void test_built_in_files_come_when_they_are_asked_for(void **state)
{
    (void) state;
    const struct {
        const char *name;
        enum proto_wkt wkt;
    } rows[] = {
        {"google.protobuf.Any", PROTO_WKT_ANY},
        {"google.protobuf.Timestamp", PROTO_WKT_TIMESTAMP},
        {"google.protobuf.Duration", PROTO_WKT_DURATION},
        {"google.protobuf.FieldMask", PROTO_WKT_FIELD_MASK},
        {"google.protobuf.Struct", PROTO_WKT_STRUCT},
        {"google.protobuf.Value", PROTO_WKT_VALUE},
        {"google.protobuf.ListValue", PROTO_WKT_LIST_VALUE},
        {"google.protobuf.Empty", PROTO_WKT_EMPTY},
        {"google.protobuf.DoubleValue", PROTO_WKT_WRAPPER},
        {"google.protobuf.FloatValue", PROTO_WKT_WRAPPER},
        {"google.protobuf.Int64Value", PROTO_WKT_WRAPPER},
        {"google.protobuf.UInt64Value", PROTO_WKT_WRAPPER},
        {"google.protobuf.Int32Value", PROTO_WKT_WRAPPER},
        {"google.protobuf.UInt32Value", PROTO_WKT_WRAPPER},
        {"google.protobuf.BoolValue", PROTO_WKT_WRAPPER},
        {"google.protobuf.StringValue", PROTO_WKT_WRAPPER},
        {"google.protobuf.BytesValue", PROTO_WKT_WRAPPER},
        {"google.protobuf.Api", PROTO_WKT_NONE},
        {"google.rpc.Status", PROTO_WKT_NONE},
        {"google.rpc.BadRequest.FieldViolation", PROTO_WKT_NONE},
        {"grpc.reflection.v1.ServerReflectionRequest", PROTO_WKT_NONE},
        {"grpc.reflection.v1alpha.ServerReflectionRequest", PROTO_WKT_NONE},
        {"grpc.health.v1.HealthCheckRequest", PROTO_WKT_NONE},
    };
    struct proto_pool *all = proto_pool_new();
    T_TABLE(row, rows)
    {
        struct proto_pool *fresh = proto_pool_new();
        const struct proto_message_desc *desc = proto_pool_message(fresh, str_of(row->name));
        t_check(desc != NULL && desc->wkt == row->wkt, "%s", row->name);
        desc = proto_pool_message(all, str_of(row->name));
        t_check(desc != NULL && desc->wkt == row->wkt, "%s", row->name);
        proto_pool_free(fresh);
    }
    assert_true(proto_pool_enum(all, STR("google.protobuf.NullValue"))->is_null_value);
    assert_non_null(proto_pool_service(all, STR("grpc.health.v1.Health")));
    assert_null(proto_pool_message(all, STR("google.protobuf.Nothing")));
    assert_null(proto_pool_message(all, STR("google.protobuf")));
    assert_null(proto_pool_message(all, STR("")));
    assert_null(proto_pool_enum(all, STR("google.protobuf.Any")));
    assert_null(proto_pool_file(all, STR("google/protobuf/nothing.proto")));
    assert_non_null(proto_pool_file(all, STR("google/rpc/code.proto")));
    proto_pool_free(all);
}

static void test_a_well_known_name_with_another_shape_is_a_plain_message(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    t_check(
        t_add(pool,
              "{'name':'own.proto','package':'google.protobuf','messageType':["
              "{'name':'Timestamp','field':[{'name':'seconds','number':1,'type':'TYPE_STRING'}]},"
              "{'name':'Duration'},"
              "{'name':'ListValue','field':[{'name':'values','number':1,"
              "'type':'TYPE_MESSAGE','label':'LABEL_REPEATED','typeName':'ListValue'}]}]}",
              &err) == 0,
        "%s", err.msg);
    assert_int_equal(proto_pool_message(pool, STR("google.protobuf.Timestamp"))->wkt, 0);
    assert_int_equal(proto_pool_message(pool, STR("google.protobuf.Duration"))->wkt, 0);
    assert_int_equal(proto_pool_message(pool, STR("google.protobuf.ListValue"))->wkt, 0);
    /* The built-in file of that message has no place any more. */
    assert_null(proto_pool_file(pool, STR("google/protobuf/timestamp.proto")));
    proto_pool_free(pool);
}

static void test_another_version_of_a_file_of_protobuf_changes_nothing(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    assert_int_equal(t_add(pool,
                           "{'name':'google/protobuf/descriptor.proto','package':'google.protobuf',"
                           "'messageType':[{'name':'FeatureSet'}]}",
                           &err),
                     0);
    assert_null(proto_pool_message(pool, STR("google.protobuf.FeatureSet")));
    proto_pool_free(pool);
}

/* The same number is another option to a file that does not know the first. */
static void test_custom_options_are_read_by_what_a_file_can_see(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct err err;
    const struct {
        const char *file, *imports, *extension;
    } rows[] = {
        {"one.proto", "'google/protobuf/descriptor.proto'",
         "{'name':'one','number':50000,'type':'TYPE_INT32',"
         "'extendee':'.google.protobuf.MessageOptions','label':'LABEL_OPTIONAL'}"},
        {"two.proto", "'google/protobuf/descriptor.proto'", ""},
        {"three.proto", "'one.proto'", ""},
    };
    T_TABLE(row, rows)
    {
        char text[512];
        _cleanup_(buf_done) struct buf b;
        buf_init(&b, 4096);
        (void) snprintf(text, sizeof text,
                        "{'name':'%s','dependency':[%s],'extension':[%s],"
                        "'messageType':[{'name':'M%c','options':{}}]}",
                        row->file, row->imports, row->extension, row->file[1]);
        struct proto_msg *file = t_file(pool, text);
        struct proto_msg *message = proto_item(file, proto_field_of(file, 4), 0).msg;
        struct proto_msg *options = proto_get(message, proto_field_of(message, 7)).msg;
        options->unknown = STR("\x80\xb5\x18\x07"); /* 50000: 7 */
        assert_int_equal(proto_wire_write(file, 0, &b, &err), 0);
        struct str bytes = buf_str(&b);
        for (int twice = 0; twice < 2; twice++) {
            t_check(proto_pool_add_files(pool, &bytes, 1, &err) == 0, "%s", err.msg);
        }
        const struct proto_message_desc *desc =
            proto_pool_file(pool, str_of(row->file))->message[0];
        bool seen = row->file[1] != 'w';
        assert_int_equal(desc->options->extensions, seen ? 1 : 0);
        assert_int_equal(desc->options->unknown.len, seen ? 0 : 4);
        if (seen) {
            const struct proto_field_desc *one = proto_pool_extension(pool, STR("one"));
            assert_int_equal(proto_get(desc->options, one).i32, 7);
        }
    }
    proto_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_file_is_what_protoc_says),
        cmocka_unit_test(test_files_come_in_any_order_and_more_than_once),
        cmocka_unit_test(test_a_set_can_be_added_twice),
        cmocka_unit_test(test_what_says_nothing_may_differ_between_copies_of_a_file),
        cmocka_unit_test(test_missing_imports_are_named),
        cmocka_unit_test(test_imports_in_a_circle_are_refused),
        cmocka_unit_test(test_a_chain_of_imports_may_be_long),
        cmocka_unit_test(test_nothing_of_a_refused_file_stays),
        cmocka_unit_test(test_built_in_files_come_when_they_are_asked_for),
        cmocka_unit_test(test_a_well_known_name_with_another_shape_is_a_plain_message),
        cmocka_unit_test(test_another_version_of_a_file_of_protobuf_changes_nothing),
        cmocka_unit_test(test_custom_options_are_read_by_what_a_file_can_see),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
