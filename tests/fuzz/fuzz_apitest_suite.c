/*
 * Anybody's YAML as a file of API tests, beside the descriptors of the examples: loaded, all that
 * is said about it printed.  Nothing is called.
 */
#include <ftw.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apitest/suite.h"
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 8192, PRINT_MAX = 1 << 20, LOADS_MAX = 200 };

static char folder[] = "/tmp/pourover-fuzz-XXXXXX";

static void require(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "we");
    require(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void copy(const char *from, const char *to)
{
    static char text[64 * 1024];
    FILE *file = fopen(from, "re");
    require(file != NULL);
    size_t n = fread(text, 1, sizeof text, file);
    require(n > 0 && n < sizeof text && fclose(file) == 0);
    write_file(to, text, n);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) st;
    (void) type;
    (void) ftw;
    return remove(path);
}

static void remove_folder(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    (void) nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The folder that the file is read in; its name is whole, for the fuzzer works where it is. */
static const char *place(const char *name)
{
    static char path[128];
    (void) snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void enter(void)
{
    require(mkdtemp(folder) != NULL);
    require(atexit(remove_folder) == 0);
    copy(EXAMPLES "/order.proto", place("order.proto"));
    copy(EXAMPLES "/service.proto", place("service.proto"));
}

static bool has(const uint8_t *data, size_t size, const char *word)
{
    return memmem(data, size, word, strlen(word)) != NULL;
}

/* Files elsewhere on the machine are not part of the input: paths that begin with / or have "..".
 */
static bool reads_elsewhere(const uint8_t *data, size_t size)
{
    bool root = size > 0 && data[0] == '/';
    for (size_t i = 1; i < size; i++) {
        bool word = strchr("._-", data[i - 1]) != NULL || (data[i - 1] | 0x20) >= 'a';
        root |= data[i] == '/' && !word;
    }
    return has(data, size, "$file") || has(data, size, "..") || has(data, size, "\\") ||
           (root && has(data, size, "roto"));
}

static void print(const struct conf_diags *diags, const struct apitest_suite *suite)
{
    const struct conf_file *file = suite == NULL ? NULL : &suite->file;
    struct buf b;
    buf_init(&b, PRINT_MAX);
    conf_diags_print(diags, &file, suite == NULL ? 0 : 1, false, &b);
    require(str_is_utf8(buf_str(&b)));
    for (size_t i = 0; i < b.len; i++) {
        require((unsigned char) b.ptr[i] >= ' ' || b.ptr[i] == '\n');
    }
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct apitest_secrets secrets;
    static struct apitest_load load;
    static unsigned loads;
    if (size > INPUT_MAX || reads_elsewhere(data, size)) {
        return 0;
    }
    if (loads == 0) {
        enter();
    }
    /* Descriptors are read once for many files, but not kept for ever. */
    if (loads++ % LOADS_MAX == 0) {
        if (loads > 1) {
            apitest_load_done(&load);
            apitest_secrets_done(&secrets);
        }
        apitest_secrets_init(&secrets);
        apitest_load_init(&load, &secrets);
        (void) map_put(&load.given, STR("GIVEN"), (void *) (uintptr_t) "test-1");
    }
    static char path[128];
    (void) snprintf(path, sizeof path, "%s", place("t.yaml"));
    write_file(path, data, size);
    struct conf_diags diags = {0};
    struct apitest_suite *suite = apitest_suite_load(&load, path, &diags);
    require(suite != NULL || diags.errors > 0);
    print(&diags, suite);
    if (suite != NULL) {
        print(&suite->hollow, suite);
        for (size_t t = 0; diags.errors == 0 && t < suite->tests; t++) {
            require(suite->test[t]->n_cases > 0 && suite->test[t]->cases[0]->test != NULL);
        }
    }
    apitest_suite_free(suite);
    conf_diags_done(&diags);
    return 0;
}
