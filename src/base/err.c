/* Errors: see err.h.  Messages are made in a text apart, as an argument may be err->msg itself. */
#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct message {
    char text[sizeof((struct err *) NULL)->msg];
    size_t len;
    bool cut;
};

__attribute__((format(printf, 2, 0))) static void add_list(struct message *m, const char *fmt,
                                                           va_list args)
{
    size_t room = sizeof m->text - m->len;
    int n = vsnprintf(m->text + m->len, room, fmt, args);
    if (n < 0) {
        m->text[m->len] = '\0';
    } else if ((size_t) n < room) {
        m->len += (size_t) n;
    } else {
        m->len = sizeof m->text - 1;
        m->cut = true;
    }
}

__attribute__((format(printf, 2, 3))) static void add(struct message *m, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_list(m, fmt, args);
    va_end(args);
}

static void finish(struct err *err, const struct message *m)
{
    static const char mark[] = "...";
    memcpy(err->msg, m->text, m->len + 1);
    if (m->cut) {
        size_t end = sizeof err->msg - sizeof mark;
        while (end > 0 && ((unsigned char) err->msg[end] & 0xc0) == 0x80) {
            end--; /* not inside a UTF-8 character */
        }
        memcpy(err->msg + end, mark, sizeof mark);
    }
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    if (err == NULL) {
        return (int) code;
    }
    struct message m = {.len = 0};
    va_list args;
    va_start(args, fmt);
    add_list(&m, fmt, args);
    va_end(args);
    finish(err, &m);
    err->code = code;
    err->pos = (struct pos){NULL, 0, 0};
    return (int) code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    if (err == NULL) {
        return ERR_INTERNAL;
    }
    struct message m = {.len = 0};
    va_list args;
    va_start(args, fmt);
    add_list(&m, fmt, args);
    va_end(args);
    add(&m, ": %s", err->msg);
    finish(err, &m);
    return (int) err->code;
}

int err_errno(struct err *err, int errnum, const char *fmt, ...)
{
    if (err == NULL) {
        return ERR_IO;
    }
    struct message m = {.len = 0};
    va_list args;
    va_start(args, fmt);
    add_list(&m, fmt, args);
    va_end(args);
    const char *reason = strerrordesc_np(errnum);
    if (reason != NULL) {
        add(&m, ": %s", reason);
    } else {
        add(&m, ": unknown error %d", errnum);
    }
    finish(err, &m);
    err->code = ERR_IO;
    err->pos = (struct pos){NULL, 0, 0};
    return ERR_IO;
}
