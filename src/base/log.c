/* The log: see log.h. */
#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"

#include <unistd.h>

static enum log_level log_level = LOG_LEVEL_INFO;

struct log_field log_field_str(const char *key, struct str value)
{
    return (struct log_field){key, LOG_KIND_STR, {.str = value}};
}

struct log_field log_field_cstr(const char *key, const char *value)
{
    return log_field_str(key, str_of(value));
}

struct log_field log_field_secret(const char *key, struct secret value)
{
    (void) value;
    return (struct log_field){key, LOG_KIND_SECRET, {.u64 = 0}};
}

void log_set_level(enum log_level level)
{
    log_level = level;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "unknown";
}

/* Printable ASCII that neither ends a logfmt value nor opens a quoted one. */
static bool is_bare(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') {
            return false;
        }
    }
    return s.len > 0;
}

static void add_text(struct buf *b, struct str s)
{
    if (is_bare(s)) {
        buf_add_str(b, s);
    } else {
        json_quote(b, s);
    }
}

static void add_value(struct buf *b, const struct log_field *field)
{
    struct json_writer w;
    switch (field->kind) {
    case LOG_KIND_STR:
        add_text(b, field->value.str);
        break;
    case LOG_KIND_U64:
        buf_add_u64(b, field->value.u64);
        break;
    case LOG_KIND_I64:
        buf_add_i64(b, field->value.i64);
        break;
    case LOG_KIND_DOUBLE:
        json_writer_init(&w, b);
        json_double(&w, field->value.real);
        break;
    case LOG_KIND_BOOL:
        buf_add_cstr(b, field->value.boolean ? "true" : "false");
        break;
    case LOG_KIND_SECRET:
        buf_add_cstr(b, "***");
        break;
    case LOG_KIND_END:
        break;
    }
}

void log_format(struct buf *b, uint64_t wall_ms, enum log_level level, const char *msg,
                const struct log_field *field)
{
    static const char cut_mark[] = " cut=true\n";
    char time[32];
    bool cut = false;

    clock_format_utc_ms(wall_ms, time);
    buf_addf(b, "time=%s level=%s msg=", time, level_name(level));
    add_text(b, str_of(msg));
    b->max -= sizeof cut_mark - 1; /* kept for the end of the line */
    for (; field->kind != LOG_KIND_END; field++) {
        size_t before = b->len;
        buf_add_char(b, ' ');
        buf_add_cstr(b, field->key);
        buf_add_char(b, '=');
        add_value(b, field);
        if (b->failed) {
            b->failed = false;
            b->len = before;
            cut = true;
        }
    }
    b->max += sizeof cut_mark - 1;
    buf_add_cstr(b, cut ? cut_mark : "\n");
}

void log_write(enum log_level level, const char *msg, const struct log_field *field)
{
    char line[8192];
    struct buf b;
    if (level > log_level) {
        return;
    }
    buf_init_fixed(&b, line, sizeof line);
    log_format(&b, clock_wall_ms(), level, msg, field);
    /* A log that cannot be written has nowhere to complain. */
    ssize_t written = write(STDERR_FILENO, b.ptr, b.len);
    (void) written;
}
