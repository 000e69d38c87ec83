/* Where imports are found, in which order files come, and what bounds there are. */
#include "support/t.h"

#include "base/buf.h"
#include "base/mem.h"
#include "proto/builtin.h"
#include "proto/source.h"

#include <sys/stat.h>
#include <unistd.h>

struct file {
    const char *path, *text;
};

/* A disk with few files. */
struct disk {
    const struct file *files;
    size_t len;
};

static int read_disk(const char *path, struct buf *ret, struct err *err, void *ctx)
{
    const struct disk *disk = ctx;
    for (size_t i = 0; i < disk->len; i++) {
        if (strcmp(disk->files[i].path, path) == 0) {
            buf_add_cstr(ret, disk->files[i].text);
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "no file");
}

#define DISK(array)           \
    {                         \
        (array), T_LEN(array) \
    }

static void test_a_file_is_named_below_its_import_path(void **state)
{
    (void) state;
    static const struct {
        const char *path, *import_path, *name;
    } ROWS[] = {
        {"api/shop/v1/order.proto", "api", "shop/v1/order.proto"},
        {"./api//shop/./v1/order.proto", "api/", "shop/v1/order.proto"},
        {"api/shop/v1/order.proto", ".", "api/shop/v1/order.proto"},
        {"api/shop/v1/order.proto", "", "api/shop/v1/order.proto"},
        {"api/shop/v1/order.proto", "ap", "order.proto"},
        {"api/x/../shop/v1/order.proto", "api/shop", "v1/order.proto"},
        {"/srv/api/shop/v1/order.proto", "/srv/api", "shop/v1/order.proto"},
        {"/srv/api/shop/v1/order.proto", "/", "srv/api/shop/v1/order.proto"},
        {"/srv/api/shop/v1/order.proto", "api", "order.proto"},
        {"../api/order.proto", "..", "api/order.proto"},
        {"../api/order.proto", ".", "order.proto"},
    };
    T_TABLE(row, ROWS)
    {
        const struct file files[] = {{row->path, "syntax = \"proto3\";"}};
        struct disk disk = DISK(files);
        struct proto_source_options options = {
            .import_path = &row->import_path, .n_import_paths = 1, .read = read_disk, .ctx = &disk};
        struct proto_pool *pool = proto_pool_new();
        const struct proto_file_desc *file = NULL;
        struct err err = {0};
        t_check(proto_source_load(pool, row->path, &options, &file, &err) == 0, "%s", err.msg);
        assert_str(file->name, row->name);
        proto_pool_free(pool);
    }
}

static void test_imports_are_found_in_paths_then_above_the_file_then_built_in(void **state)
{
    (void) state;
    static const struct file FILES[] = {
        {"repo/shop/v1/order.proto",
         "syntax = \"proto3\"; import \"shop/v1/item.proto\"; import \"both.proto\"; import "
         "\"beside.proto\";"
         "import \"google/protobuf/empty.proto\"; import \"google/protobuf/duration.proto\";"},
        {"repo/shop/v1/item.proto", "syntax = \"proto3\"; package above;"},
        {"repo/shop/v1/beside.proto", "syntax = \"proto3\"; package beside;"},
        {"lib/both.proto", "syntax = \"proto3\"; package from_path;"},
        {"repo/both.proto", "syntax = \"proto3\"; package from_above;"},
        {"lib/google/protobuf/empty.proto", "syntax = \"proto3\"; package own_empty;"},
    };
    struct disk disk = DISK(FILES);
    const char *const paths[] = {"nowhere", "lib"};
    struct proto_source_options options = {
        .import_path = paths, .n_import_paths = 2, .read = read_disk, .ctx = &disk};
    struct proto_pool *pool = proto_pool_new();
    const struct proto_file_desc *file = NULL;
    struct err err = {0};
    t_check(proto_source_load(pool, FILES[0].path, &options, &file, &err) == 0, "%s", err.msg);
    assert_int_equal(file->imports, 5);
    assert_str(file->import[0]->package, "above");
    assert_str(file->import[1]->package, "from_path");
    assert_str(file->import[2]->package, "beside");
    assert_str(file->import[3]->package, "own_empty");
    assert_str(file->import[4]->package, "google.protobuf");
    proto_pool_free(pool);
}

static void test_a_missing_import_says_where_it_was_looked_for(void **state)
{
    (void) state;
    static const struct file FILES[] = {
        {"a/b/main.proto", "syntax = \"proto3\";\nimport public \"x/y.proto\";"}};
    struct disk disk = DISK(FILES);
    const char *const paths[] = {"lib", "/usr/include"};
    struct proto_source_options options = {
        .import_path = paths, .n_import_paths = 2, .read = read_disk, .ctx = &disk};
    struct proto_pool *pool = proto_pool_new();
    const struct proto_file_desc *file = NULL;
    struct err err = {0};
    int rc = proto_source_load(pool, FILES[0].path, &options, &file, &err);
    assert_err(rc, &err, ERR_NOT_FOUND,
               "no file \"x/y.proto\": looked for it in a/b, lib, /usr/include, a, . and among the "
               "built-in files");
    assert_string_equal(err.pos.file, "a/b/main.proto");
    assert_int_equal(err.pos.line, 2);
    assert_int_equal(err.pos.col, 16);
    proto_pool_free(pool);
}

static void test_a_file_that_is_there_already_is_taken(void **state)
{
    (void) state;
    static const struct file FILES[] = {
        {"a.proto", "syntax = \"proto3\"; import \"c.proto\"; message A { C c = 1; }"},
        {"b.proto", "syntax = \"proto3\"; import \"c.proto\"; message B { C c = 1; }"},
        {"c.proto", "syntax = \"proto3\"; message C {}"},
    };
    struct disk disk = DISK(FILES);
    struct proto_source_options options = {.read = read_disk, .ctx = &disk};
    struct proto_pool *pool = proto_pool_new();
    const struct proto_file_desc *a = NULL;
    const struct proto_file_desc *b = NULL;
    const struct proto_file_desc *again = NULL;
    struct err err = {0};
    assert_int_equal(proto_source_load(pool, "a.proto", &options, &a, &err), 0);
    assert_int_equal(proto_source_load(pool, "b.proto", &options, &b, &err), 0);
    assert_int_equal(proto_source_load(pool, "a.proto", &options, &again, &err), 0);
    assert_ptr_equal(a, again);
    assert_ptr_equal(a->import[0], b->import[0]);
    proto_pool_free(pool);
}

static void test_one_file_under_two_names_is_told(void **state)
{
    (void) state;
    static const struct file FILES[] = {
        {"shop/v1/a.proto", "syntax = \"proto3\"; package shop.v1; message A {}"},
        {"shop/v1/b.proto", "syntax = \"proto3\"; import \"shop/v1/a.proto\";"},
    };
    struct disk disk = DISK(FILES);
    struct proto_source_options options = {.read = read_disk, .ctx = &disk};
    struct proto_pool *pool = proto_pool_new();
    const struct proto_file_desc *file = NULL;
    struct err err = {0};
    assert_int_equal(proto_source_load(pool, "shop/v1/a.proto", &options, &file, &err), 0);
    assert_str(file->name, "a.proto");
    assert_err(
        proto_source_load(pool, "shop/v1/b.proto", &options, &file, &err), &err, ERR_INVALID,
        "\"shop.v1.A\" is a message already in a.proto: if both are one file, give an import "
        "path by which it has one name");
    assert_string_equal(err.pos.file, "shop/v1/a.proto");
    proto_pool_free(pool);
}

/* "head body*n tail" as one file. */
static int load_repeated(const char *head, const char *body, size_t n, const char *tail,
                         struct err *err)
{
    struct buf text;
    buf_init(&text, (size_t) 64 * 1024 * 1024);
    buf_add_cstr(&text, head);
    for (size_t i = 0; i < n; i++) {
        buf_add_cstr(&text, body);
    }
    buf_add_cstr(&text, tail);
    const struct file files[] = {{"main.proto", text.ptr}};
    struct disk disk = DISK(files);
    struct proto_source_options options = {.read = read_disk, .ctx = &disk};
    struct proto_pool *pool = proto_pool_new();
    const struct proto_file_desc *file = NULL;
    int rc = proto_source_load(pool, "main.proto", &options, &file, err);
    proto_pool_free(pool);
    buf_done(&text);
    return rc;
}

static void test_depth_and_sizes_are_bounded(void **state)
{
    (void) state;
    static const char P2[] = "syntax = \"proto2\";";
    static const char OPTION[] = "syntax = \"proto2\"; import \"google/protobuf/descriptor.proto\";"
                                 "message R { optional R r = 1; }"
                                 "extend google.protobuf.FileOptions { optional R r = 50000; }";
    static const struct {
        const char *head, *body;
        size_t n;
        const char *tail;
        const char *message; /* NULL: it is taken */
    } ROWS[] = {
        {P2, "message M {", 10000, "", "more than 31 messages are nested in each other"},
        {P2, "/", 1, "/ only a comment", NULL},
        {P2, ";", 100000, "", NULL},
        {"option java_package = ", "\"x\" ", 100000, ";", NULL},
        {"message ", "Abcdefgh", 1000, " {}", "a full name of more than 1024 bytes"},
        {"package ", "a.", 5000, "b;", "a name of more than 1023 bytes"},
        {P2, "                                ", 600000, "", "the file is larger than 16 MiB"},
    };
    T_TABLE(row, ROWS)
    {
        struct err err = {0};
        int rc = load_repeated(row->head, row->body, row->n, row->tail, &err);
        if (row->message == NULL) {
            t_check(rc == 0, "%s", err.msg);
        } else {
            assert_true(rc == ERR_INVALID || rc == ERR_FULL);
            assert_string_equal(err.msg, row->message);
        }
    }
    struct err err = {0};
    struct buf deep;
    buf_init(&deep, 65536);
    buf_add_cstr(&deep, OPTION);
    buf_add_cstr(&deep, "option (r) = {");
    for (size_t i = 0; i < 60; i++) {
        buf_add_cstr(&deep, "r {");
    }
    assert_int_equal(load_repeated(deep.ptr, "}", 61, ";", &err), 0);
    assert_int_equal(load_repeated(deep.ptr, "r {", 5000, "", &err), ERR_INVALID);
    buf_clear(&deep);
    buf_add_cstr(&deep, OPTION);
    buf_add_cstr(&deep, "option (r) = {");
    for (size_t i = 0; i < 5000; i++) {
        buf_add_cstr(&deep, "r {");
    }
    assert_int_equal(load_repeated(deep.ptr, "}", 5001, ";", &err), ERR_INVALID);
    assert_string_equal(err.msg, "more than 64 messages are nested in each other");
    buf_done(&deep);
}

static void test_a_long_chain_of_imports_needs_no_stack(void **state)
{
    (void) state;
    enum { FILES = 3000 };
    struct file *files = mem_array(FILES, sizeof *files);
    for (size_t i = 0; i < FILES; i++) {
        char path[32];
        char text[96];
        (void) snprintf(path, sizeof path, "f%zu.proto", i);
        (void) snprintf(text, sizeof text, "syntax = \"proto3\"; %s%zu%s",
                        i + 1 < FILES ? "import \"f" : "// ", i + 1,
                        i + 1 < FILES ? ".proto\";" : "");
        files[i] = (struct file){mem_strdup(path), mem_strdup(text)};
    }
    struct disk disk = {files, FILES};
    struct proto_source_options options = {.read = read_disk, .ctx = &disk};
    struct proto_pool *pool = proto_pool_new();
    const struct proto_file_desc *file = NULL;
    struct err err = {0};
    t_check(proto_source_load(pool, "f0.proto", &options, &file, &err) == 0, "%s", err.msg);
    assert_str(file->import[0]->import[0]->name, "f2.proto");
    proto_pool_free(pool);
    for (size_t i = 0; i < FILES; i++) {
        union {
            const char *in;
            void *out;
        } path = {.in = files[i].path}, text = {.in = files[i].text};
        mem_free(path.out);
        mem_free(text.out);
    }
    mem_free(files);
}

static void test_what_is_no_file_on_the_disk_is_refused(void **state)
{
    (void) state;
    char folder[] = "/tmp/pourover-proto-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char fifo[64];
    (void) snprintf(fifo, sizeof fifo, "%s/fifo.proto", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    char wanted[128];
    struct proto_pool *pool = proto_pool_new();
    const struct proto_file_desc *file = NULL;
    struct err err = {0};
    (void) snprintf(wanted, sizeof wanted, "\"%s\" is no file", fifo);
    assert_err(proto_source_load(pool, fifo, NULL, &file, &err), &err, ERR_INVALID, wanted);
    (void) snprintf(wanted, sizeof wanted, "\"%s\" is no file", folder);
    assert_err(proto_source_load(pool, folder, NULL, &file, &err), &err, ERR_INVALID, wanted);
    assert_int_equal(unlink(fifo), 0);
    (void) snprintf(wanted, sizeof wanted, "no file \"%s\"", fifo);
    assert_err(proto_source_load(pool, fifo, NULL, &file, &err), &err, ERR_NOT_FOUND, wanted);
    assert_int_equal(rmdir(folder), 0);
    proto_pool_free(pool);
}

static void test_all_built_in_files_link(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    for (size_t i = 0; i < proto_builtins_len; i++) {
        struct str name = str_of(proto_builtins[i].name);
        assert_ptr_equal(proto_builtin_find(name), &proto_builtins[i]);
        t_check(proto_pool_file(pool, name) != NULL, "%s", proto_builtins[i].name);
    }
    assert_null(proto_builtin_find(STR("google/protobuf/nothing.proto")));
    assert_non_null(proto_pool_service(pool, STR("grpc.reflection.v1.ServerReflection")));
    assert_non_null(proto_pool_service(pool, STR("grpc.health.v1.Health")));
    assert_non_null(proto_pool_message(pool, STR("google.rpc.BadRequest.FieldViolation")));
    proto_pool_free(pool);
}

/* What is not linked yet stays as it was written. */
static void test_parsing_alone_keeps_names_and_options_as_written(void **state)
{
    (void) state;
    struct proto_pool *pool = proto_pool_new();
    struct proto_msg *file = NULL;
    struct err err = {0};
    struct str text = STR("syntax = \"proto3\"; message Node { Nude n = 1 [(x).y = 2]; }");
    assert_int_equal(proto_source_parse(pool, text, "a.proto", "dir/a.proto", &file, &err), 0);
    assert_str(proto_str(file, 1), "a.proto");
    const struct proto_msg *message = proto_item(file, proto_field_of(file, 4), 0).msg;
    const struct proto_msg *field = proto_item(message, proto_field_of(message, 2), 0).msg;
    assert_str(proto_str(field, 6), "Nude");
    const struct proto_msg *options = proto_get(field, proto_field_of(field, 8)).msg;
    assert_int_equal(proto_len(options, proto_field_of(options, 999)), 1);
    int rc = proto_source_resolve(pool, file, "dir/a.proto", &err);
    assert_err(rc, &err, ERR_INVALID,
               "no type \"Nude\" here or in the imports: did you mean \"Node\"?");
    assert_string_equal(err.pos.file, "dir/a.proto");
    proto_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_named_below_its_import_path),
        cmocka_unit_test(test_imports_are_found_in_paths_then_above_the_file_then_built_in),
        cmocka_unit_test(test_a_missing_import_says_where_it_was_looked_for),
        cmocka_unit_test(test_a_file_that_is_there_already_is_taken),
        cmocka_unit_test(test_one_file_under_two_names_is_told),
        cmocka_unit_test(test_depth_and_sizes_are_bounded),
        cmocka_unit_test(test_a_long_chain_of_imports_needs_no_stack),
        cmocka_unit_test(test_what_is_no_file_on_the_disk_is_refused),
        cmocka_unit_test(test_all_built_in_files_link),
        cmocka_unit_test(test_parsing_alone_keeps_names_and_options_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
