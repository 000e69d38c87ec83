/* What all reports do to a text before they show it: see report_int.h. */
#include "apitest/report_int.h"

#include "base/cleanup.h"

void report_redacted(const struct apitest_run *run, struct str text, struct buf *b)
{
    apitest_redact(run->secrets, text, b);
}

/* The bytes of the character at the start of text; *ret_shown: XML and terminals may have it. */
static size_t next_char(struct str text, bool *ret_shown)
{
    size_t n = str_utf8_char(text);
    unsigned char c = (unsigned char) text.ptr[0];
    bool control = n == 1 && (c < 0x20 || c == 0x7f) && c != '\t' && c != '\n' && c != '\r';
    /* U+0080 to U+009F steer terminals, too. */
    bool control_1 = n == 2 && c == 0xC2 && (unsigned char) text.ptr[1] < 0xA0;
    bool no_char = n == 3 && c == 0xEF && (unsigned char) text.ptr[1] == 0xBF &&
                   (unsigned char) text.ptr[2] >= 0xBE;
    *ret_shown = n > 0 && !control && !control_1 && !no_char;
    return n == 0 ? 1 : n;
}

static const char *entity(char c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>': /* so that "]]>" never stands */
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\n': /* kept in attributes */
        return "&#10;";
    case '\r':
        return "&#13;";
    case '\t':
        return "&#9;";
    default:
        return NULL;
    }
}

static void add(struct str text, bool escaped, struct buf *b)
{
    while (text.len > 0) {
        bool shown;
        size_t n = next_char(text, &shown);
        const char *other = !shown                            ? "\xEF\xBF\xBD"
                            : escaped && n == 1               ? entity(text.ptr[0])
                            : !escaped && text.ptr[0] == '\r' ? "\xEF\xBF\xBD"
                                                              : NULL;
        if (other != NULL) {
            buf_add_cstr(b, other);
        } else {
            buf_add(b, text.ptr, n);
        }
        text = (struct str){text.ptr + n, text.len - n};
    }
}

/* Secrets go before anything is escaped: escaped they might not be known again. */
static void add_redacted(const struct apitest_run *run, struct str text, bool escaped,
                         struct buf *b)
{
    _cleanup_(buf_done) struct buf plain;
    buf_init(&plain, REPORT_BYTES_MAX);
    report_redacted(run, text, &plain);
    add(buf_str(&plain), escaped, b);
}

void report_plain(const struct apitest_run *run, struct str text, struct buf *b)
{
    add_redacted(run, text, false, b);
}

void report_xml(const struct apitest_run *run, struct str text, struct buf *b)
{
    add_redacted(run, text, true, b);
}
