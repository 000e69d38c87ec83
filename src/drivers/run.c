/* run.json, state.json and results: see run_int.h. */
#include "drivers/run_int.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *const run_role_name[RUN_ROLES] = {
    [RUN_PROXY] = "proxy",         [RUN_APP] = "app", [RUN_WORKER] = "worker", [RUN_CRON] = "cron",
    [RUN_MIGRATION] = "migration",
};

static const char *const status_name[RUN_STATUSES] = {
    [RUN_NONE] = "none",         [RUN_UP] = "up",           [RUN_WAITS] = "waits",
    [RUN_STOPPING] = "stopping", [RUN_STOPPED] = "stopped", [RUN_LOOPS] = "loops",
    [RUN_ENDED] = "ended",
};

uint64_t run_clock_ms(void)
{
    struct timespec t;
    (void) clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

/* One file of these: one object of texts, numbers, truths and lists of texts.  Keys that are not
 * known are passed over: a later pourover may have written them. */
enum field_kind {
    FIELD_TEXT,
    FIELD_FIXED,
    FIELD_U64,
    FIELD_UNSIGNED,
    FIELD_INT,
    FIELD_BOOL,
    FIELD_TEXTS,
    FIELD_WORD
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
    size_t size;             /* FIELD_FIXED: bytes; FIELD_WORD: how many words */
    const char *const *word; /* FIELD_WORD: names of an enum */
};

#define OF(type, kind, name, member)                       \
    {                                                      \
        name, kind, offsetof(struct type, member), 0, NULL \
    }

static const struct field run_fields[] = {
    OF(run, FIELD_TEXT, "program", program),
    OF(run, FIELD_TEXT, "version", version),
    OF(run, FIELD_TEXT, "variant", variant),
    OF(run, FIELD_TEXT, "release", release),
    {"role", FIELD_WORD, offsetof(struct run, role), RUN_ROLES, run_role_name},
    OF(run, FIELD_UNSIGNED, "order", order),
    OF(run, FIELD_TEXT, "cwd", cwd),
    OF(run, FIELD_TEXT, "log", log),
    OF(run, FIELD_TEXT, "mark", mark),
    OF(run, FIELD_TEXTS, "command", command),
    OF(run, FIELD_TEXTS, "env", env),
    OF(run, FIELD_TEXT, "hash", hash),
    OF(run, FIELD_INT, "stop_signal", stop_signal),
    OF(run, FIELD_INT, "then_signal", then_signal),
    OF(run, FIELD_U64, "grace_ms", grace_ms),
    OF(run, FIELD_UNSIGNED, "restarts_max", restarts_max),
    OF(run, FIELD_U64, "watch_ms", watch_ms),
    OF(run, FIELD_BOOL, "once", once),
    OF(run, FIELD_U64, "timeout_ms", timeout_ms),
    OF(run, FIELD_TEXT, "result", result),
    {NULL, FIELD_TEXT, 0, 0, NULL},
};

static const struct field state_fields[] = {
    {"status", FIELD_WORD, offsetof(struct run_state, status), RUN_STATUSES, status_name},
    {"boot", FIELD_FIXED, offsetof(struct run_state, boot), 64, NULL},
    OF(run_state, FIELD_INT, "runner", runner.pid),
    OF(run_state, FIELD_U64, "runner_start", runner.start),
    OF(run_state, FIELD_INT, "child", child.pid),
    OF(run_state, FIELD_U64, "child_start", child.start),
    OF(run_state, FIELD_U64, "since_ms", since_ms),
    OF(run_state, FIELD_U64, "up_ms", up_ms),
    OF(run_state, FIELD_UNSIGNED, "restarts", restarts),
    OF(run_state, FIELD_UNSIGNED, "deaths", deaths),
    {"died", FIELD_FIXED, offsetof(struct run_state, died), 128, NULL},
    {NULL, FIELD_TEXT, 0, 0, NULL},
};

static const struct field result_fields[] = {
    OF(run_result, FIELD_BOOL, "begun", begun),
    OF(run_result, FIELD_BOOL, "ended", ended),
    OF(run_result, FIELD_BOOL, "lost", lost),
    OF(run_result, FIELD_U64, "begun_ms", begun_ms),
    OF(run_result, FIELD_U64, "ended_ms", ended_ms),
    {"boot", FIELD_FIXED, offsetof(struct run_result, boot), 64, NULL},
    {"how", FIELD_FIXED, offsetof(struct run_result, how), 128, NULL},
    OF(run_result, FIELD_INT, "code", code),
    {NULL, FIELD_TEXT, 0, 0, NULL},
};

/* Values are copied by memcpy, as a table has no types. */
static void write_field(struct json_writer *w, const struct field *f, const char *at)
{
    const char *text;
    uint64_t u64;
    unsigned number;
    int integer;
    bool boolean;
    struct run_texts texts;
    json_key(w, f->name);
    switch (f->kind) {
    case FIELD_TEXT:
        memcpy(&text, at, sizeof text);
        json_cstr(w, text);
        break;
    case FIELD_FIXED:
        json_cstr(w, at);
        break;
    case FIELD_U64:
        memcpy(&u64, at, sizeof u64);
        json_u64(w, u64);
        break;
    case FIELD_UNSIGNED:
        memcpy(&number, at, sizeof number);
        json_u64(w, number);
        break;
    case FIELD_INT:
        memcpy(&integer, at, sizeof integer);
        json_i64(w, integer);
        break;
    case FIELD_BOOL:
        memcpy(&boolean, at, sizeof boolean);
        json_bool(w, boolean);
        break;
    case FIELD_TEXTS:
        memcpy(&texts, at, sizeof texts);
        json_arr_begin(w);
        for (size_t i = 0; i < texts.len; i++) {
            json_cstr(w, texts.ptr[i]);
        }
        json_arr_end(w);
        break;
    case FIELD_WORD:
        memcpy(&number, at, sizeof number);
        json_cstr(w, f->word[number]);
        break;
    }
}

static int write_file(const char *path, const struct field *fields, const void *from, bool synced,
                      struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    struct json_writer w;
    buf_init(&b, RUN_TEXT_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    for (const struct field *f = fields; f->name != NULL; f++) {
        write_field(&w, f, (const char *) from + f->offset);
    }
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    if (b.failed) {
        return err_set(err, ERR_FULL,
                       "%s would have more than %u bytes: commands and environment "
                       "are too long",
                       path, RUN_TEXT_MAX);
    }
    return file_put(path, buf_str(&b), 0600, synced, err);
}

static char *read_text(struct json_reader *r, struct arena *arena)
{
    struct str text;
    char *out = arena == NULL ? NULL : arena_alloc(arena, r->value.len + 1);
    return out != NULL && json_unescape(r->value, out, r->value.len + 1, &text) == 0 ? out : NULL;
}

static bool read_texts(struct json_reader *r, struct arena *arena, char *to)
{
    VEC(const char *) found = {0};
    enum json_token token = json_next(r);
    bool good = token == JSON_ARR_BEGIN;
    while (good && (token = json_next(r)) == JSON_STRING) {
        const char *text = read_text(r, arena);
        good = text != NULL;
        vec_push(&found, text);
    }
    good = good && token == JSON_ARR_END;
    struct run_texts texts = {NULL, found.len};
    /* A NULL behind the last, as exec wants it. */
    texts.ptr = good ? arena_alloc(arena, (found.len + 1) * sizeof *texts.ptr) : NULL;
    if (texts.ptr != NULL) {
        if (found.len > 0) {
            memcpy(texts.ptr, found.ptr, found.len * sizeof *texts.ptr);
        }
        memcpy(to, &texts, sizeof texts);
    }
    vec_done(&found);
    return texts.ptr != NULL;
}

static bool read_word(const struct json_reader *r, const struct field *f, char *to)
{
    for (unsigned i = 0; i < f->size; i++) {
        if (f->word[i] != NULL && str_eq_cstr(r->value, f->word[i])) {
            memcpy(to, &i, sizeof i);
            return true;
        }
    }
    return false;
}

static bool read_number(const struct json_reader *r, const struct field *f, char *to)
{
    int64_t i64;
    uint64_t u64;
    if (f->kind == FIELD_INT) {
        int value = num_i64(r->value, INT32_MIN, INT32_MAX, &i64) == 0 ? (int) i64 : 0;
        memcpy(to, &value, sizeof value);
        return true;
    }
    if (num_u64(r->value, 0, f->kind == FIELD_U64 ? UINT64_MAX : UINT32_MAX, &u64) < 0) {
        return false;
    }
    unsigned value = (unsigned) u64;
    memcpy(to, f->kind == FIELD_U64 ? (void *) &u64 : (void *) &value,
           f->kind == FIELD_U64 ? sizeof u64 : sizeof value);
    return true;
}

static bool read_field(struct json_reader *r, const struct field *f, struct arena *arena, char *to)
{
    if (f->kind == FIELD_TEXTS) {
        return read_texts(r, arena, to);
    }
    enum json_token token = json_next(r);
    struct str text;
    switch (token) {
    case JSON_NULL:
        return f->kind == FIELD_TEXT;
    case JSON_TRUE:
    case JSON_FALSE: {
        bool value = token == JSON_TRUE;
        memcpy(to, &value, sizeof value);
        return f->kind == FIELD_BOOL;
    }
    case JSON_NUMBER:
        return (f->kind == FIELD_U64 || f->kind == FIELD_UNSIGNED || f->kind == FIELD_INT) &&
               read_number(r, f, to);
    case JSON_STRING:
        if (f->kind == FIELD_TEXT) {
            const char *copy = read_text(r, arena);
            memcpy(to, &copy, sizeof copy);
            return copy != NULL;
        }
        return f->kind == FIELD_WORD
                   ? read_word(r, f, to)
                   : f->kind == FIELD_FIXED && json_unescape(r->value, to, f->size, &text) == 0;
    case JSON_ERROR:
    case JSON_END:
    case JSON_OBJ_BEGIN:
    case JSON_OBJ_END:
    case JSON_ARR_BEGIN:
    case JSON_ARR_END:
    case JSON_KEY:
        break;
    }
    return false;
}

static int read_file(const char *path, const struct field *fields, struct arena *arena, void *to,
                     struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    struct json_reader r;
    buf_init(&b, RUN_TEXT_MAX);
    int rc = file_get(path, &b, err);
    if (rc < 0) {
        return rc;
    }
    json_reader_init(&r, buf_str(&b));
    enum json_token token = json_next(&r);
    bool good = token == JSON_OBJ_BEGIN;
    while (good && (token = json_next(&r)) == JSON_KEY) {
        const struct field *f = fields;
        while (f->name != NULL && !str_eq_cstr(r.value, f->name)) {
            f++;
        }
        good = f->name != NULL ? read_field(&r, f, arena, (char *) to + f->offset)
                               : json_skip(&r) == 0;
    }
    if (!good || token != JSON_OBJ_END) {
        unsigned line, col;
        json_reader_pos(&r, &line, &col);
        return err_set(err, ERR_INVALID, "%s:%u:%u: not what pourover writes there%s%s", path, line,
                       col, r.error != NULL ? ": " : "", r.error != NULL ? r.error : "");
    }
    return 0;
}

int run_read(const char *folder, struct arena *arena, struct run *ret, struct err *err)
{
    char path[PATH_BYTES];
    struct run run = {0};
    int rc = path_print(path, err, "%s/run.json", folder);
    rc = rc < 0 ? rc : read_file(path, run_fields, arena, &run, err);
    if (rc < 0) {
        return rc;
    }
    if (run.program == NULL || run.version == NULL || run.cwd == NULL || run.log == NULL ||
        run.mark == NULL || run.hash == NULL || run.command.len == 0 ||
        (run.once && run.result == NULL)) {
        return err_set(err, ERR_INVALID, "%s is not complete", path);
    }
    *ret = run;
    return 0;
}

int run_write(const char *folder, const struct run *run, struct err *err)
{
    char path[PATH_BYTES];
    int rc = path_print(path, err, "%s/run.json", folder);
    return rc < 0 ? rc : write_file(path, run_fields, run, false, err);
}

/* Files that a loss of power may have left empty are as if they were not there. */
static int read_or_nothing(const char *path, const struct field *fields, void *to, struct err *err)
{
    int rc = read_file(path, fields, NULL, to, err);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int run_state_read(const char *folder, struct run_state *ret, struct err *err)
{
    char path[PATH_BYTES];
    struct run_state state = {0};
    int rc = path_print(path, err, "%s/state.json", folder);
    rc = rc < 0 ? rc : read_or_nothing(path, state_fields, &state, err);
    if (rc == 0) {
        *ret = state;
    }
    return rc;
}

int run_state_write(const char *folder, const struct run_state *state, struct err *err)
{
    char path[PATH_BYTES];
    int rc = path_print(path, err, "%s/state.json", folder);
    return rc < 0 ? rc : write_file(path, state_fields, state, false, err);
}

int run_result_read(const char *path, struct run_result *ret, struct err *err)
{
    struct run_result result = {0};
    int rc = read_or_nothing(path, result_fields, &result, err);
    if (rc == 0) {
        *ret = result;
    }
    return rc;
}

int run_result_write(const char *path, const struct run_result *result, struct err *err)
{
    return write_file(path, result_fields, result, true, err);
}

static int lock_path(const char *folder, char path[PATH_BYTES], struct err *err)
{
    return path_print(path, err, "%s/lock", folder);
}

int run_lock(const char *folder, int *ret_fd, struct err *err)
{
    char path[PATH_BYTES];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int rc = lock_path(folder, path, err);
    if (rc < 0) {
        return rc;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(err, errno, "%s cannot be opened", path);
    }
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        int errnum = errno;
        (void) close(fd);
        if (errnum == EAGAIN || errnum == EACCES) {
            return err_set(err, ERR_CONFLICT, "%s is held by a runner", path);
        }
        return err_errno(err, errnum, "%s cannot be locked", path);
    }
    *ret_fd = fd;
    return 0;
}

bool run_is_locked(const char *folder)
{
    char path[PATH_BYTES];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = lock_path(folder, path, NULL) < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    (void) close(fd);
    return held;
}
