/* Files of tests that are wrong: every mistake is told once, at its place, with what is right. */
#include "support/t.h"

#include "apitest/suite.h"
#include "base/buf.h"
#include "base/mem.h"

#include <ftw.h>
#include <unistd.h>

#define VECTORS   "tests/vectors/apitest_wrong.txt"
#define TEXT_MAX  ((size_t) 1024 * 1024)
#define FILES_MAX 8

static char folder[] = "/tmp/pourover-suite-XXXXXX";

struct file {
    struct str name, text;
};

struct wrong {
    struct str name, says;
    struct file file[FILES_MAX];
    size_t files;
};

static void read_file(const char *path, struct buf *b)
{
    FILE *file = fopen(path, "re");
    char block[4096];
    t_check(file != NULL, "%s", path);
    for (size_t n = 1; n > 0;) {
        n = fread(block, 1, sizeof block, file);
        buf_add(b, block, n);
    }
    (void) fclose(file);
    assert_false(b->failed);
}

static void write_file(struct str name, struct str text)
{
    char *path = mem_strdup_str(name);
    FILE *file = fopen(path, "we");
    t_check(file != NULL, "%s", path);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
    mem_free(path);
}

/* The next line that begins with "@@ ", without that; the text before it goes to *ret_before. */
static bool next_mark(struct str *rest, struct str *ret_before, struct str *ret_mark)
{
    struct str begin = *rest, line;
    while (rest->len > 0) {
        size_t before = begin.len - rest->len;
        (void) str_cut(rest, '\n', &line);
        if (str_starts_with(line, STR("@@ "))) {
            *ret_before = (struct str){begin.ptr, before};
            *ret_mark = (struct str){line.ptr + 3, line.len - 3};
            return true;
        }
    }
    *ret_before = begin;
    return false;
}

static struct str behind(struct str mark, struct str word)
{
    return (struct str){mark.ptr + word.len, mark.len - word.len};
}

/* Reads one case; mark is its first line and becomes that of the next. */
static bool next_wrong(struct str *rest, struct str *mark, struct wrong *ret)
{
    struct str *text = NULL;
    *ret = (struct wrong){.name = behind(*mark, STR("case "))};
    for (bool more = true; more;) {
        struct str before;
        more = next_mark(rest, &before, mark);
        if (text != NULL) {
            *text = before;
        }
        text = NULL;
        if (!more || str_starts_with(*mark, STR("case "))) {
            return more;
        }
        if (str_starts_with(*mark, STR("file "))) {
            assert_true(ret->files < FILES_MAX);
            struct file *file = &ret->file[ret->files++];
            file->name = behind(*mark, STR("file "));
            text = &file->text;
        } else if (str_eq(*mark, STR("says"))) {
            text = &ret->says;
        }
    }
    return false;
}

/* All that is said about t.yaml: errors of the file, then what tests nothing. */
static void say(struct buf *b)
{
    struct apitest_secrets secrets;
    struct apitest_load load;
    struct conf_diags diags = {0};
    apitest_secrets_init(&secrets);
    apitest_load_init(&load, &secrets);
    (void) map_put(&load.given, STR("GIVEN"), (void *) (uintptr_t) "prod-1");
    struct apitest_suite *suite = apitest_suite_load(&load, "t.yaml", &diags);
    const struct conf_file *file = suite == NULL ? NULL : &suite->file;
    conf_diags_print(&diags, &file, suite == NULL ? 0 : 1, false, b);
    if (suite != NULL) {
        conf_diags_print(&suite->hollow, &file, 1, false, b);
    }
    apitest_suite_free(suite);
    conf_diags_done(&diags);
    apitest_load_done(&load);
    apitest_secrets_done(&secrets);
}

static void test_all_that_is_wrong_is_told(void **state)
{
    (void) state;
    struct buf vectors, said;
    struct str before, mark = {NULL, 0};
    size_t cases = 0, bad = 0;
    buf_init(&vectors, TEXT_MAX);
    buf_init(&said, TEXT_MAX);
    read_file("wrong.txt", &vectors);
    struct str rest = buf_str(&vectors);
    assert_true(next_mark(&rest, &before, &mark));
    for (bool more = true; more; cases++) {
        struct wrong wrong;
        more = next_wrong(&rest, &mark, &wrong);
        for (size_t i = 0; i < wrong.files; i++) {
            write_file(wrong.file[i].name, wrong.file[i].text);
        }
        buf_clear(&said);
        say(&said);
        if (!str_eq(buf_str(&said), wrong.says)) {
            print_error("<<< " STR_FMT "\n" STR_FMT ">>>\n", STR_ARG(wrong.name),
                        STR_ARG(buf_str(&said)));
            bad++;
        }
    }
    buf_done(&said);
    buf_done(&vectors);
    assert_true(cases > 100);
    t_check(bad == 0, "%zu of %zu files are told about in other words", bad, cases);
}

/* Not among the others: an editor would take away the blank behind its line's bar. */
static void test_an_empty_file_tests_nothing(void **state)
{
    (void) state;
    struct buf said;
    buf_init(&said, TEXT_MAX);
    write_file(STR("t.yaml"), STR(""));
    say(&said);
    assert_str(buf_str(&said), "t.yaml:1:1: error: the file is empty: it tests nothing\n"
                               "    1 | \n"
                               "      | ^\n");
    buf_done(&said);
}

static int copy(const char *from, const char *name)
{
    struct buf b;
    char to[256];
    buf_init(&b, TEXT_MAX);
    read_file(from, &b);
    (void) snprintf(to, sizeof to, "%s/%s", folder, name);
    write_file(str_of(to), buf_str(&b));
    buf_done(&b);
    return 0;
}

/* A folder of its own, with the protos of the examples; the test works in it. */
static int enter_folder(void **state)
{
    (void) state;
    assert_non_null(mkdtemp(folder));
    (void) copy("examples/apitest/order.proto", "order.proto");
    (void) copy("examples/apitest/service.proto", "service.proto");
    (void) copy(VECTORS, "wrong.txt");
    return chdir(folder);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) st;
    (void) type;
    (void) ftw;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void) state;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    return chdir("/") | nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_wrong_is_told),
        cmocka_unit_test(test_an_empty_file_tests_nothing),
    };
    return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}
