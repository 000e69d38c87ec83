/* JSON text: the writer.  See json.h. */
#include "base/json.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_writer_init(struct json_writer *w, struct buf *buf)
{
    *w = (struct json_writer){.buf = buf};
}

static void quote_control(struct buf *buf, unsigned c)
{
    switch (c) {
    case '"':
        buf_add_cstr(buf, "\\\"");
        break;
    case '\\':
        buf_add_cstr(buf, "\\\\");
        break;
    case '\n':
        buf_add_cstr(buf, "\\n");
        break;
    case '\r':
        buf_add_cstr(buf, "\\r");
        break;
    case '\t':
        buf_add_cstr(buf, "\\t");
        break;
    default:
        buf_addf(buf, "\\u%04x", c);
    }
}

/* The code point to be escaped, or 0: DEL and U+0080..U+009F steer terminals, as those below 32. */
static unsigned control_char(const unsigned char *c, size_t len)
{
    if (len == 1 && (c[0] < 0x20 || c[0] == '"' || c[0] == '\\' || c[0] == 0x7f)) {
        return c[0];
    }
    return len == 2 && c[0] == 0xc2 && c[1] < 0xa0 ? c[1] : 0;
}

void json_quote(struct buf *buf, struct str s)
{
    size_t plain = 0; /* bytes at s.ptr that go out as they are */
    buf_add_char(buf, '"');
    while (plain < s.len) {
        const char *at = s.ptr + plain;
        size_t n = str_utf8_char((struct str){at, s.len - plain});
        unsigned control = control_char((const unsigned char *) at, n);
        if (n > 0 && control == 0 && *at != '\0') {
            plain += n;
            continue;
        }
        buf_add(buf, s.ptr, plain);
        if (n == 0) {
            buf_add_cstr(buf, "\xef\xbf\xbd");
            n = 1;
        } else {
            quote_control(buf, control);
        }
        s.ptr += plain + n;
        s.len -= plain + n;
        plain = 0;
    }
    buf_add(buf, s.ptr, plain);
    buf_add_char(buf, '"');
}

static void comma(struct json_writer *w)
{
    uint64_t bit = UINT64_C(1) << w->depth;
    if (w->after_key) {
        w->after_key = false;
    } else if (w->comma & bit) {
        buf_add_char(w->buf, ',');
    } else {
        w->comma |= bit;
    }
}

static void begin(struct json_writer *w, char bracket)
{
    comma(w);
    buf_add_char(w->buf, bracket);
    if (w->depth == JSON_WRITER_DEPTH) {
        w->buf->failed = true;
        return;
    }
    w->depth++;
    w->comma &= ~(UINT64_C(1) << w->depth);
}

static void end(struct json_writer *w, char bracket)
{
    if (w->depth == 0) {
        w->buf->failed = true;
        return;
    }
    w->depth--;
    w->after_key = false;
    buf_add_char(w->buf, bracket);
}

void json_obj_begin(struct json_writer *w)
{
    begin(w, '{');
}

void json_obj_end(struct json_writer *w)
{
    end(w, '}');
}

void json_arr_begin(struct json_writer *w)
{
    begin(w, '[');
}

void json_arr_end(struct json_writer *w)
{
    end(w, ']');
}

void json_key_str(struct json_writer *w, struct str name)
{
    comma(w);
    json_quote(w->buf, name);
    buf_add_char(w->buf, ':');
    w->after_key = true;
}

void json_key(struct json_writer *w, const char *name)
{
    json_key_str(w, str_of(name));
}

void json_raw(struct json_writer *w, struct str text)
{
    comma(w);
    buf_add_str(w->buf, text);
}

void json_str(struct json_writer *w, struct str value)
{
    comma(w);
    json_quote(w->buf, value);
}

void json_cstr(struct json_writer *w, const char *value)
{
    if (value == NULL) {
        json_null(w);
    } else {
        json_str(w, str_of(value));
    }
}

void json_u64(struct json_writer *w, uint64_t value)
{
    comma(w);
    buf_add_u64(w->buf, value);
}

void json_i64(struct json_writer *w, int64_t value)
{
    comma(w);
    buf_add_i64(w->buf, value);
}

void json_bool(struct json_writer *w, bool value)
{
    json_raw(w, value ? STR("true") : STR("false"));
}

void json_null(struct json_writer *w)
{
    json_raw(w, STR("null"));
}

void json_double(struct json_writer *w, double value)
{
    char text[32] = "null";
    if (isfinite(value)) {
        /* A constant of glibc, see num_double: the point stays a point in every locale. */
        locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t) 0);
        locale_t before = uselocale(c_locale);
        int digits = 15;
        do {
            (void) snprintf(text, sizeof text, "%.*g", digits, value);
        } while (strtod(text, NULL) != value && ++digits <= 17);
        (void) uselocale(before);
    }
    json_raw(w, str_of(text));
}

void json_kv_u64(struct json_writer *w, const char *name, uint64_t value)
{
    json_key(w, name);
    json_u64(w, value);
}

void json_kv_i64(struct json_writer *w, const char *name, int64_t value)
{
    json_key(w, name);
    json_i64(w, value);
}

void json_kv_str(struct json_writer *w, const char *name, struct str value)
{
    json_key(w, name);
    json_str(w, value);
}

void json_kv_cstr(struct json_writer *w, const char *name, const char *value)
{
    json_key(w, name);
    json_cstr(w, value);
}

void json_kv_bool(struct json_writer *w, const char *name, bool value)
{
    json_key(w, name);
    json_bool(w, value);
}

void json_kv_double(struct json_writer *w, const char *name, double value)
{
    json_key(w, name);
    json_double(w, value);
}
