/* Files by name: import paths, the folders above the first file, built-in ones. */
#include "base/cleanup.h"
#include "base/file.h"
#include "proto/source_load_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Without "." and "//", with ".." taken back as far as that goes by the text alone. */
static void normalize(struct str path, struct buf *b)
{
    bool absolute = path.len > 0 && path.ptr[0] == '/';
    struct str part;
    struct str rest = path;
    size_t floor = 0; /* what ".." may not take back: "/" or leading ".." */
    if (absolute) {
        buf_add_char(b, '/');
        floor = 1;
    }
    while (str_cut(&rest, '/', &part)) {
        bool up = str_eq_cstr(part, "..");
        if (part.len == 0 || str_eq_cstr(part, ".") || (up && absolute && b->len == 1)) {
            continue;
        }
        if (up && b->len > floor) {
            size_t len = b->len;
            while (len > floor && b->ptr[len - 1] != '/') {
                len--;
            }
            len -= len > floor;
            b->len = len;
            b->ptr[len] = '\0';
            continue;
        }
        if (b->len > 0 && b->ptr[b->len - 1] != '/') {
            buf_add_char(b, '/');
        }
        buf_add_str(b, part);
        if (up) {
            floor = b->len;
        }
    }
}

/* The rest of path below folder, both normal; ptr NULL: it is not in it. */
static struct str below(struct str path, struct str folder)
{
    if (folder.len == 0) {
        bool outside = path.len == 0 || path.ptr[0] == '/' || str_eq_cstr(path, "..") ||
                       str_starts_with(path, STR("../"));
        return outside ? (struct str){NULL, 0} : path;
    }
    bool slash = folder.ptr[folder.len - 1] == '/';
    if (!str_starts_with(path, folder) || path.len <= folder.len + !slash ||
        (!slash && path.ptr[folder.len] != '/')) {
        return (struct str){NULL, 0};
    }
    size_t skip = folder.len + !slash;
    return (struct str){path.ptr + skip, path.len - skip};
}

static struct str folder_of(struct str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] != '/') {
        path.len--;
    }
    path.len -= path.len > 1;
    return path;
}

static int add_folder(struct source_search *search, struct str folder, struct err *err)
{
    for (size_t i = 0; i < search->folder.len; i++) {
        if (str_eq_cstr(folder, search->folder.ptr[i])) {
            return 0;
        }
    }
    const char *kept = arena_strdup(search->arena, folder);
    if (kept == NULL) {
        return err_set(err, ERR_FULL, "there is no room in the pool for the names of folders");
    }
    vec_push(&search->folder, kept);
    return 0;
}

/* How many folders the present one lies in. */
static size_t folders_above(void)
{
    char path[SOURCE_PATH_BYTES_MAX];
    size_t n = 0;
    if (getcwd(path, sizeof path) == NULL || path[1] == '\0') {
        return 0;
    }
    for (const char *p = path; *p != '\0'; p++) {
        n += *p == '/';
    }
    return n;
}

/* The folder of path, and those that it lies in. */
static int add_parents(struct source_search *search, struct str path, struct err *err)
{
    struct str folder = folder_of(path);
    while (folder.len > 0 && !str_ends_with(folder, STR(".."))) {
        TRY(add_folder(search, folder, err));
        if (str_eq_cstr(folder, "/")) {
            return 0;
        }
        folder = folder_of(folder);
    }
    _cleanup_(buf_done) struct buf up;
    buf_init(&up, SOURCE_PATH_BYTES_MAX);
    buf_add_str(&up, folder);
    TRY(add_folder(search, folder, err));
    size_t above = search->options != NULL && search->options->read != NULL ? 0 : folders_above();
    for (size_t i = folder.len / 3; i < above; i++) {
        buf_add_cstr(&up, up.len == 0 ? ".." : "/..");
        TRY(up.failed ? 0 : add_folder(search, buf_str(&up), err));
    }
    return 0;
}

int source_search_init(struct source_search *search, struct arena *arena, const char *path,
                       const struct proto_source_options *options, const char **ret_name,
                       struct err *err)
{
    _cleanup_(buf_done) struct buf normal;
    _cleanup_(buf_done) struct buf folder;
    *search = (struct source_search){.options = options, .arena = arena};
    buf_init(&normal, SOURCE_PATH_BYTES_MAX);
    buf_init(&folder, SOURCE_PATH_BYTES_MAX);
    normalize(str_of(path), &normal);
    if (normal.failed || normal.len == 0) {
        return err_set(err, ERR_INVALID, "\"%.200s\" is no path of a .proto file", path);
    }
    struct str name = {NULL, 0};
    size_t n = options == NULL ? 0 : options->n_import_paths;
    for (size_t i = 0; i < n && name.ptr == NULL; i++) {
        buf_clear(&folder);
        normalize(str_of(options->import_path[i]), &folder);
        name = below(buf_str(&normal), buf_str(&folder));
    }
    if (name.ptr == NULL) {
        struct str own = folder_of(buf_str(&normal));
        size_t skip = own.len + (own.len > 1);
        name = (struct str){normal.ptr + skip, normal.len - skip};
        TRY(add_folder(search, own, err));
    }
    const char *kept = arena_strdup(arena, name);
    if (kept == NULL) {
        return err_set(err, ERR_FULL, "there is no room in the pool for \"%.200s\"", path);
    }
    for (size_t i = 0; i < n; i++) {
        buf_clear(&folder);
        normalize(str_of(options->import_path[i]), &folder);
        TRY(folder.failed ? 0 : add_folder(search, buf_str(&folder), err));
    }
    *ret_name = kept;
    return add_parents(search, buf_str(&normal), err);
}

void source_search_done(struct source_search *search)
{
    vec_done(&search->folder);
}

static void close_file(const int *fd)
{
    if (*fd >= 0) {
        (void) close(*fd);
    }
}

static int read_disk(const char *path, struct buf *ret, struct err *err)
{
    /* Not to wait for the other end of a FIFO. */
    _cleanup_(close_file) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)) {
        return err_set(err, ERR_NOT_FOUND, "no file \"%s\"", path);
    }
    if (fd < 0 || fstat(fd, &st) < 0) {
        return err_errno(err, errno, "reading \"%s\"", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(err, ERR_INVALID, "\"%s\" is no file", path);
    }
    int failed = file_read_all(fd, ret);
    /* What is too large is told by the one who knows how much may be. */
    return failed == 0 || ret->failed ? 0 : err_errno(err, failed, "reading \"%s\"", path);
}

static int read_path(struct source_search *search, const char *path, struct source_found *ret,
                     struct err *err)
{
    _cleanup_(buf_done) struct buf text;
    buf_init(&text, SOURCE_FILE_BYTES_MAX);
    const struct proto_source_options *options = search->options;
    TRY(options != NULL && options->read != NULL ? options->read(path, &text, err, options->ctx)
                                                 : read_disk(path, &text, err));
    if (text.failed) {
        return err_set(err, ERR_FULL, "the file is larger than %zu MiB",
                       SOURCE_FILE_BYTES_MAX / 1024 / 1024);
    }
    const char *kept = arena_strdup(search->arena, text.len == 0 ? STR("") : buf_str(&text));
    const char *shown = arena_strdup(search->arena, str_of(path));
    if (kept == NULL || shown == NULL) {
        return err_set(err, ERR_FULL,
                       "there is no room for the file in the pool, which holds %zu MiB",
                       PROTO_POOL_BYTES_MAX / 1024 / 1024);
    }
    *ret = (struct source_found){shown, {kept, text.len}};
    return 0;
}

int source_read_root(struct source_search *search, const char *path, struct source_found *ret,
                     struct err *err)
{
    return read_path(search, path, ret, err);
}

static int check_import(struct str name, struct err *err)
{
    struct str part;
    struct str rest = name;
    bool plain = name.len > 0 && name.len <= 1024 && memchr(name.ptr, '\\', name.len) == NULL &&
                 memchr(name.ptr, '\0', name.len) == NULL;
    while (plain && str_cut(&rest, '/', &part)) {
        plain = part.len > 0 && !str_eq_cstr(part, ".") && !str_eq_cstr(part, "..");
    }
    if (!plain) {
        return err_set(
            err, ERR_INVALID,
            "\"%.*s\" is no name of an imported file: it is relative to an import path, with "
            "single slashes and without \".\" and \"..\"",
            name.len > 100 ? 100 : (int) name.len, name.len == 0 ? "" : name.ptr);
    }
    return 0;
}

static int not_found(const struct source_search *search, struct str name, struct err *err)
{
    char places[300];
    struct buf b;
    buf_init_fixed(&b, places, sizeof places);
    size_t shown = 0;
    for (; shown < search->folder.len && !b.failed && shown < 8; shown++) {
        const char *folder = search->folder.ptr[shown];
        buf_addf(&b, "%s%s", shown == 0 ? "" : ", ", folder[0] == '\0' ? "." : folder);
    }
    if (shown < search->folder.len || b.failed) {
        b.failed = false;
        buf_add_cstr(&b, ", ...");
    }
    return err_set(err, ERR_NOT_FOUND,
                   "no file \"%.*s\": looked for it in %s and among the built-in files",
                   name.len > 150 ? 150 : (int) name.len, name.ptr, places);
}

int source_find(struct source_search *search, struct str name, struct source_found *ret,
                struct err *err)
{
    TRY(check_import(name, err));
    _cleanup_(buf_done) struct buf path;
    buf_init(&path, SOURCE_PATH_BYTES_MAX);
    for (size_t i = 0; i < search->folder.len; i++) {
        const char *folder = search->folder.ptr[i];
        size_t len = str_of(folder).len;
        buf_clear(&path);
        buf_add_cstr(&path, folder);
        buf_add_cstr(&path, len == 0 || folder[len - 1] == '/' ? "" : "/");
        buf_add_str(&path, name);
        if (path.failed) {
            continue;
        }
        int rc = read_path(search, path.ptr, ret, err);
        if (rc != ERR_NOT_FOUND) {
            return rc;
        }
    }
    const struct proto_builtin *builtin = proto_builtin_find(name);
    if (builtin == NULL) {
        return not_found(search, name, err);
    }
    *ret = (struct source_found){builtin->name, str_of(builtin->text)};
    return 0;
}
