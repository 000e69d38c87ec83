#pragma once
/*
 * The log: one logfmt line a call on stderr, written by one write(2).
 *     log_info("step started", LOG_STR("release", id), LOG_U64("share_ppm", ppm));
 *     time=2026-01-31T23:59:59.123Z level=info msg="step started" release=shop share_ppm=1000
 * The message and the keys are constants, all that varies is in values.  Values are quoted and
 * escaped when needed, so that no input can make a second line or field.
 */
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* A token, password or key: a type of its own, so that it cannot be logged by mistake. */
struct secret {
    struct str value;
};

enum log_kind {
    LOG_KIND_END,
    LOG_KIND_STR,
    LOG_KIND_U64,
    LOG_KIND_I64,
    LOG_KIND_DOUBLE,
    LOG_KIND_BOOL,
    LOG_KIND_SECRET,
};

struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        struct str str;
        uint64_t u64;
        int64_t i64;
        double real;
        bool boolean;
    } value;
};

/* Fields.  LOG_STR takes a struct str, a C string, or a struct secret (printed as ***). */
#define LOG_STR(k, v) \
    _Generic((v), struct str                                                                       \
             : log_field_str, struct secret                                                        \
             : log_field_secret, char *                                                            \
             : log_field_cstr, const char *                                                        \
             : log_field_cstr)((k), (v))
#define LOG_U64(k, v)            ((struct log_field){(k), LOG_KIND_U64, {.u64 = (v)}})
#define LOG_I64(k, v)            ((struct log_field){(k), LOG_KIND_I64, {.i64 = (v)}})
#define LOG_DOUBLE(k, v)         ((struct log_field){(k), LOG_KIND_DOUBLE, {.real = (v)}})
#define LOG_BOOL(k, v)           ((struct log_field){(k), LOG_KIND_BOOL, {.boolean = (v)}})

#define log_error(...)           LOG_AT_(LOG_LEVEL_ERROR, __VA_ARGS__, LOG_END_)
#define log_warn(...)            LOG_AT_(LOG_LEVEL_WARN, __VA_ARGS__, LOG_END_)
#define log_info(...)            LOG_AT_(LOG_LEVEL_INFO, __VA_ARGS__, LOG_END_)
#define log_debug(...)           LOG_AT_(LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_END_)

#define LOG_END_                 ((struct log_field){NULL, LOG_KIND_END, {.u64 = 0}})
#define LOG_AT_(level, msg, ...) log_write((level), "" msg, (const struct log_field[]){__VA_ARGS__})

struct log_field log_field_str(const char *key, struct str value);
struct log_field log_field_cstr(const char *key, const char *value);
struct log_field log_field_secret(const char *key, struct secret value);

/* Lines above this level are not written.  At start: LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* field: ends with LOG_KIND_END. */
void log_write(enum log_level level, const char *msg, const struct log_field *field);

/*
 * Appends the line with its LF to b.  A field that does not fit is left out, and the line then ends
 * in cut=true.  b: at least 128 bytes free.
 */
void log_format(struct buf *b, uint64_t wall_ms, enum log_level level, const char *msg,
                const struct log_field *field);
