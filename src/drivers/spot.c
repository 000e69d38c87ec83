/* A place with its paths, waits and notes: see process_int.h. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/vec.h"
#include "drivers/process_int.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EXPANDED_MAX 65536u

char slot_letter(enum release_slot slot)
{
    return slot == RELEASE_SLOT_A ? 'a' : 'b';
}

static int name_copy(const struct driver_place *p, struct spot *spot, struct err *err)
{
    const char *variant = p->variant == NULL ? "" : p->variant;
    if (p->version == NULL || p->version[0] == '\0') {
        return 0;
    }
    int rc = name_check("version", p->version, err);
    if (rc == 0 && variant[0] != '\0') {
        rc = name_check("variant", variant, err);
    }
    if (rc < 0) {
        return rc;
    }
    buf_print(spot->copy, sizeof spot->copy, "%s%s%s", p->version, variant[0] != '\0' ? "@" : "",
              variant);
    return path_print(spot->version_dir, err, "%s/versions/%s", spot->folder, spot->copy);
}

int spot_init(const struct driver_place *p, struct spot *ret, struct err *err)
{
    *ret = (struct spot){.p = p, .config = p->config};
    if (p->host < 0 || (size_t) p->host >= p->config->hosts) {
        return err_set(err, ERR_INVALID, "there is no host number %d", p->host);
    }
    ret->host = &p->config->host[p->host];
    ret->folder = ret->host->folder;
    if (ret->folder == NULL || ret->folder[0] != '/') {
        return err_set(err, ERR_INVALID,
                       "host %s has no folder: driver process needs `at: process:FOLDER`",
                       ret->host->name);
    }
    int rc = name_copy(p, ret, err);
    rc = rc < 0 ? rc
                : path_print(ret->slot_dir, err, "%s/slot-%c", ret->folder, slot_letter(p->slot));
    ret->place = (struct release_place){
        .version = p->version == NULL ? "" : p->version,
        .variant = p->variant == NULL ? "" : p->variant,
        .folder = ret->version_dir,
        .host = p->host,
        .slot = p->slot,
    };
    return rc;
}

int spot_expand(const struct spot *spot, const char *text, struct arena *arena, const char **ret,
                struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, EXPANDED_MAX);
    int rc = release_expand(spot->config, &spot->place, text, &b, err);
    if (rc < 0) {
        return rc;
    }
    if (b.len > 0 && memchr(b.ptr, '\0', b.len) != NULL) {
        return err_set(err, ERR_INVALID, "\"%.100s\" has a NUL byte in it", text);
    }
    *ret = arena_strdup(arena, buf_str(&b));
    return *ret != NULL ? 0 : err_set(err, ERR_FULL, "commands and environment are too long");
}

void spot_tell(const struct driver_place *p, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_addf(p->told, "%s\n", text);
}

int spot_wait(const struct driver_place *p, uint64_t ms, const char *what, struct err *err)
{
    uint64_t now = clock_mono_ms();
    if (p->cancelled != NULL && atomic_load(p->cancelled)) {
        return err_set(err, ERR_CANCELLED, "cancelled while it waited for %s", what);
    }
    if (p->deadline_ms != 0 && now >= p->deadline_ms) {
        return err_set(err, ERR_TIMEOUT, "the deadline passed while it waited for %s", what);
    }
    uint64_t left = p->deadline_ms == 0 ? ms : p->deadline_ms - now;
    (void) poll(NULL, 0, (int) (ms < left ? ms : left));
    return 0;
}

uint64_t spot_until(const struct driver_place *p, uint64_t within_ms)
{
    uint64_t until = clock_mono_ms() + within_ms;
    return p->deadline_ms != 0 && p->deadline_ms < until ? p->deadline_ms : until;
}

int copy_note_read(const char *slot_dir, struct copy_note *ret, struct err *err)
{
    char path[PATH_BYTES], mem[1024];
    struct buf b;
    struct json_reader r;
    *ret = (struct copy_note){0};
    buf_init_fixed(&b, mem, sizeof mem);
    int rc = path_print(path, err, "%s/copy.json", slot_dir);
    rc = rc < 0 ? rc : file_get(path, &b, err);
    if (rc < 0) {
        return rc == ERR_NOT_FOUND ? 0 : rc;
    }
    json_reader_init(&r, buf_str(&b));
    enum json_token token = json_next(&r);
    bool good = token == JSON_OBJ_BEGIN;
    while (good && (token = json_next(&r)) == JSON_KEY) {
        char *to = str_eq_cstr(r.value, "now")      ? ret->now
                   : str_eq_cstr(r.value, "before") ? ret->before
                                                    : NULL;
        struct str text;
        good = to == NULL ? json_skip(&r) == 0
                          : json_next(&r) == JSON_STRING &&
                                json_unescape(r.value, to, COPY_NAME_BYTES, &text) == 0;
    }
    if (!good || token != JSON_OBJ_END) {
        return err_set(err, ERR_INVALID, "%s is not what pourover writes there", path);
    }
    return 0;
}

int copy_note_write(const char *slot_dir, const struct copy_note *note, struct err *err)
{
    char path[PATH_BYTES], mem[1024];
    struct buf b;
    struct json_writer w;
    buf_init_fixed(&b, mem, sizeof mem);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "now", note->now);
    json_kv_cstr(&w, "before", note->before);
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    int rc = path_print(path, err, "%s/copy.json", slot_dir);
    return rc < 0 ? rc : file_put(path, buf_str(&b), 0644, true, err);
}

static int in_order(const struct program *a, const struct program *b)
{
    if (a->run.role != b->run.role) {
        return a->run.role < b->run.role ? -1 : 1;
    }
    if (a->run.order != b->run.order) {
        return a->run.order < b->run.order ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

int slot_programs_see(const struct spot *spot, enum release_slot slot, struct arena *arena,
                      struct slot_programs *ret, struct err *err)
{
    char slot_dir[PATH_BYTES], folder[PATH_BYTES];
    struct names names;
    int rc = path_print(slot_dir, err, "%s/slot-%c", spot->folder, slot_letter(slot));
    rc = rc < 0 ? rc : folder_names(slot_dir, &names, err);
    if (rc < 0) {
        return rc;
    }
    *ret = (struct slot_programs){arena_alloc(arena, (names.len + 1) * sizeof *ret->ptr), 0};
    if (ret->ptr == NULL) {
        rc = err_set(err, ERR_FULL, "too many programs in %s", slot_dir);
    }
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        struct program program;
        if (strcmp(names.ptr[i], "copy.json") == 0) {
            continue;
        }
        rc = path_print(folder, err, "%s/%s", slot_dir, names.ptr[i]);
        rc = rc < 0 ? rc : program_see(spot->folder, folder, arena, &program, err);
        if (rc < 0 || (!program.known && !program.held)) {
            continue;
        }
        size_t at = ret->len++;
        for (; at > 0 && in_order(&program, &ret->ptr[at - 1]) < 0; at--) {
            ret->ptr[at] = ret->ptr[at - 1];
        }
        ret->ptr[at] = program;
    }
    names_done(&names);
    return rc;
}
