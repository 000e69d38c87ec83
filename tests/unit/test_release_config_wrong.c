/* Release files that are wrong: every message, word by word, with its place. */
#include "release/config.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "support/t.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define VECTORS  "tests/vectors/release_wrong.txt"
#define TEXT_MAX ((size_t) 1024 * 1024)

/* Read before the folder is entered, which has only the files of the case. */
static struct buf vectors;
static char folder[] = "/tmp/pourover-release-XXXXXX";

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

/* name may have one folder in front. */
static void write_file(struct str name, struct str before, struct str text)
{
    _cleanup_(mem_freep) char *path = mem_strdup_str(name);
    char *slash = strchr(path, '/');
    if (slash != NULL) {
        *slash = '\0';
        (void) mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    t_check(file != NULL, "%s", path);
    assert_int_equal(fwrite(before.ptr, 1, before.len, file), before.len);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) st;
    (void) type;
    return ftw->level == 0 ? 0 : remove(path);
}

/* The files of the case before are not those of the next. */
static void clear_folder(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    assert_int_equal(nftw(".", remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

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
    *ret_mark = (struct str){NULL, 0};
    return false;
}

static bool take(struct str *mark, struct str word)
{
    if (!str_starts_with(*mark, word)) {
        return false;
    }
    *mark = (struct str){mark->ptr + word.len, mark->len - word.len};
    return true;
}

/* What is said about release.yaml, the folder's name taken out. */
static void say(const char *env, struct buf *said)
{
    struct release_config config;
    struct conf_diags diags = {.errors = 0};
    struct buf raw;
    buf_init(&raw, TEXT_MAX);
    int rc = release_config_load("release.yaml", env, &diags, &config);
    assert_int_equal(rc, diags.errors > 0 ? ERR_INVALID : 0);
    conf_diags_print(&diags, (const struct conf_file *const *) config.file, config.files, false,
                     &raw);
    for (const char *c = raw.ptr; c != NULL && *c != '\0';) {
        bool is_folder = strncmp(c, folder, strlen(folder)) == 0;
        buf_add_cstr(said, is_folder ? "FOLDER" : "");
        buf_add(said, c, is_folder ? 0 : 1);
        c += is_folder ? strlen(folder) : 1;
    }
    release_config_done(&config);
    conf_diags_done(&diags);
    buf_done(&raw);
}

struct wrong {
    struct str name, says, base;
    char env[64];
};

/* *mark is that of the case; its files are written. */
static bool next_wrong(struct str *rest, struct str *mark, struct wrong *ret)
{
    struct str text, what = *mark, next = STR("");
    bool more = true;
    t_check(take(&what, STR("case ")), STR_FMT, STR_ARG(what));
    ret->name = what;
    ret->env[0] = '\0';
    clear_folder();
    (void) next_mark(rest, &text, &what);
    for (bool ended = false; !ended; what = next) {
        more = next_mark(rest, &text, &next);
        if (take(&what, STR("file "))) {
            write_file(what, STR(""), text);
        } else if (str_eq_cstr(what, "base")) {
            write_file(STR("release.yaml"), ret->base, text);
        } else if (take(&what, STR("env "))) {
            buf_print(ret->env, sizeof ret->env, STR_FMT, STR_ARG(what));
        } else if (str_eq_cstr(what, "says")) {
            ret->says = text;
            ended = true;
        } else {
            t_check(str_eq_cstr(what, "schema"), STR_FMT, STR_ARG(what));
        }
    }
    *mark = next;
    return more;
}

static void test_all_that_is_wrong_is_told(void **state)
{
    (void) state;
    struct buf said;
    struct str before, mark;
    struct wrong wrong;
    size_t cases = 0, bad = 0;
    buf_init(&said, TEXT_MAX);
    struct str rest = buf_str(&vectors);
    assert_true(next_mark(&rest, &before, &mark));
    assert_str(mark, "before all");
    assert_true(next_mark(&rest, &wrong.base, &mark));
    for (bool more = true; more; cases++) {
        more = next_wrong(&rest, &mark, &wrong);
        buf_clear(&said);
        say(wrong.env[0] == '\0' ? NULL : wrong.env, &said);
        if (!str_eq(buf_str(&said), wrong.says)) {
            print_error("<<< " STR_FMT "\n" STR_FMT ">>>\n", STR_ARG(wrong.name),
                        STR_ARG(buf_str(&said)));
            bad++;
        }
    }
    buf_done(&said);
    assert_true(cases > 150);
    t_check(bad == 0, "%zu of %zu files are told about in other words", bad, cases);
}

static int enter_folder(void **state)
{
    (void) state;
    assert_non_null(mkdtemp(folder));
    buf_init(&vectors, TEXT_MAX);
    read_file(VECTORS, &vectors);
    return chdir(folder);
}

static int remove_folder(void **state)
{
    (void) state;
    clear_folder();
    buf_done(&vectors);
    return chdir("/") | rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_that_is_wrong_is_told)};
    return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}
