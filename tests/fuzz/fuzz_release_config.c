/*
 * Anybody's YAML as a release file: loaded, all that is said about it printed; when it is right,
 * what `config` prints is right, too, and means the same.  A byte 0 separates it from what is put
 * over it (release.x.yaml).
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "release/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 8192, PRINT_MAX = 4 << 20 };

static char folder[] = "/tmp/pourover-fuzz-XXXXXX";

static void require(bool truth)
{
    if (!truth) {
        abort();
    }
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

static const char *place(const char *name)
{
    static char path[4][128];
    static unsigned next;
    char *out = path[next++ % 4];
    (void) snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "we");
    require(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static bool has(const uint8_t *data, size_t size, const char *word)
{
    return memmem(data, size, word, strlen(word)) != NULL;
}

static void load(const char *path, const char *env, struct buf *ret_print)
{
    struct release_config config;
    struct conf_diags diags = {.errors = 0};
    struct buf b;
    int rc = release_config_load(path, env, &diags, &config);
    require((rc == 0) == (diags.errors == 0));
    buf_init(&b, PRINT_MAX);
    conf_diags_print(&diags, (const struct conf_file *const *) config.file, config.files, false,
                     &b);
    require(str_is_utf8(buf_str(&b)));
    if (rc == 0) {
        require(config.hosts > 0 && config.spec.hosts == config.hosts && config.spec.orders > 0);
        (void) release_config_unsupported(&config, &diags);
        release_config_print(&config, ret_print);
        require(!ret_print->failed);
    }
    buf_done(&b);
    release_config_done(&config);
    conf_diags_done(&diags);
}

/* Without the comments, of which the ends of the lines are. */
static void drop_comments(struct buf *b)
{
    struct str line, rest = buf_str(b);
    struct buf out;
    buf_init(&out, PRINT_MAX);
    while (str_cut(&rest, '\n', &line)) {
        const char *comment = memmem(line.ptr, line.len, " # ", 3);
        for (const char *c = comment; c != NULL;) {
            comment = c; /* the last one */
            c = memmem(c + 1, line.len - (size_t) (c + 1 - line.ptr), " # ", 3);
        }
        buf_add_str(&out,
                    str_trim((struct str){
                        line.ptr, comment == NULL ? line.len : (size_t) (comment - line.ptr)}));
        buf_add_char(&out, '\n');
    }
    buf_done(b);
    *b = out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool entered;
    struct buf first, second;
    if (!entered) {
        require(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
        entered = true;
    }
    /* Files elsewhere are no part of the input, and patterns may find many. */
    if (size > INPUT_MAX || has(data, size, "fleet") || has(data, size, "\\") ||
        (has(data, size, "*") && has(data, size, "/*"))) {
        return 0;
    }
    const uint8_t *over = size == 0 ? NULL : memchr(data, 0, size);
    size_t len = over == NULL ? size : (size_t) (over - data);
    write_file(place("release.yaml"), data, len);
    if (over != NULL) {
        write_file(place("release.x.yaml"), over + 1, size - len - 1);
    }
    buf_init(&first, PRINT_MAX);
    buf_init(&second, PRINT_MAX);
    load(place("release.yaml"), over == NULL ? NULL : "x", &first);
    if (first.len > 0) {
        write_file(place("again.yaml"), first.ptr, first.len);
        load(place("again.yaml"), NULL, &second);
        drop_comments(&first);
        drop_comments(&second);
        struct str a = buf_str(&first), b = buf_str(&second), line;
        (void) str_cut(&a, '\n', &line); /* names of files */
        (void) str_cut(&b, '\n', &line);
        require(str_eq(a, b));
    }
    buf_done(&first);
    buf_done(&second);
    return 0;
}
