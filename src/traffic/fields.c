/* Flat JSON objects with known fields; see fields_int.h. */
#include "traffic/fields_int.h"

#include <inttypes.h>

#include "base/num.h"

#define FIELDS_MAX 32
#define SHOWN_MAX  40 /* bytes of a wrong value that a message shows */

/* The value as it was written, cut short. */
static struct str shown(const struct field *field)
{
    struct str s = field->value;
    if (s.len > SHOWN_MAX) {
        s.len = SHOWN_MAX;
        while (s.len > 0 && ((unsigned char) s.ptr[s.len] & 0xc0) == 0x80) {
            s.len--; /* not inside a UTF-8 character */
        }
    }
    return s;
}

static int wrong(const struct field *field, const char *right, struct err *err)
{
    const char *quote = field->token == JSON_STRING ? "\"" : "";
    if (field->token == JSON_END) {
        return err_set(err, ERR_INVALID, "%s is missing; %s", field->name, right);
    }
    return err_set(err, ERR_INVALID, "%s is %s" STR_FMT "%s; %s", field->name, quote,
                   STR_ARG(shown(field)), quote, right);
}

static int unknown(struct str key, const struct field *field, size_t n, struct err *err)
{
    const char *names[FIELDS_MAX];
    for (size_t i = 0; i < n; i++) {
        names[i] = field[i].name;
    }
    struct field at = {.value = key};
    const char *near = str_nearest(key, names, n);
    return err_set(err, ERR_INVALID, "unknown field \"" STR_FMT "\"%s%s%s", STR_ARG(shown(&at)),
                   near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "");
}

static int malformed(const struct json_reader *r, struct err *err)
{
    unsigned line, col;
    json_reader_pos(r, &line, &col);
    return err_set(err, ERR_INVALID, "the text is no JSON: %s (line %u, column %u)", r->error, line,
                   col);
}

/* The rest of a list, from its bracket on. */
static int take_list(struct json_reader *r, struct field *field, struct err *err)
{
    size_t start = r->at;
    enum json_token token = json_next(r);

    while (token > JSON_ARR_END || token == JSON_OBJ_END) {
        token = json_next(r);
    }
    if (token == JSON_ERROR) {
        return malformed(r, err);
    }
    if (token != JSON_ARR_END) {
        return err_set(err, ERR_INVALID,
                       "%s has a list or an object in it; single values are right", field->name);
    }
    field->token = JSON_ARR_BEGIN;
    field->value = (struct str){r->text.ptr + start, r->off - start};
    return 0;
}

/* One key and its value. */
static int take(struct json_reader *r, struct field *field, size_t n, struct str *ret_at,
                struct err *err)
{
    struct str key = r->value;
    size_t i = 0;
    while (i < n && !str_eq_cstr(key, field[i].name)) {
        i++;
    }
    if (i == n) {
        *ret_at = key;
        return unknown(key, field, n, err);
    }
    if (field[i].token != JSON_END) {
        *ret_at = key;
        return err_set(err, ERR_INVALID, "%s is there twice; once is right", field[i].name);
    }
    enum json_token token = json_next(r);
    if (token == JSON_ERROR) {
        return malformed(r, err);
    }
    if (field[i].list && token == JSON_ARR_BEGIN) {
        *ret_at = key;
        return take_list(r, &field[i], err);
    }
    if (field[i].list || token == JSON_OBJ_BEGIN || token == JSON_ARR_BEGIN) {
        *ret_at = key;
        return err_set(err, ERR_INVALID, "%s is %s; a %s is right", field[i].name,
                       token == JSON_OBJ_BEGIN   ? "an object"
                       : token == JSON_ARR_BEGIN ? "an array"
                                                 : "a single value",
                       field[i].list ? "list, as [1,2]," : "single value");
    }
    field[i].token = token;
    field[i].value = r->value;
    return 0;
}

int fields_read(struct str text, struct field *field, size_t n, struct str *ret_at, struct err *err)
{
    struct json_reader r;
    enum json_token token;

    *ret_at = (struct str){NULL, 0};
    for (size_t i = 0; i < n; i++) {
        field[i].token = JSON_END;
    }
    json_reader_init(&r, text);
    token = json_next(&r);
    if (token != JSON_OBJ_BEGIN && token != JSON_ERROR) {
        return err_set(err, ERR_INVALID, "the text is no JSON object; {\"%s\":...} is right",
                       field[0].name);
    }
    while (token != JSON_ERROR && (token = json_next(&r)) == JSON_KEY) {
        int rc = take(&r, field, n, ret_at, err);
        if (rc != 0) {
            return rc;
        }
    }
    if (token == JSON_OBJ_END) {
        token = json_next(&r);
    }
    return token == JSON_END ? 0 : malformed(&r, err);
}

int field_u64(const struct field *field, uint64_t min, uint64_t max, uint64_t *ret, struct err *err)
{
    char right[96];
    struct buf b;

    if (field->token == JSON_NUMBER && num_u64(field->value, min, max, ret) == 0) {
        return 0;
    }
    buf_init_fixed(&b, right, sizeof(right));
    buf_addf(&b, "a whole number from %" PRIu64 " to %" PRIu64 " is right", min, max);
    return wrong(field, right, err);
}

int field_bool(const struct field *field, bool *ret, struct err *err)
{
    if (field->token != JSON_TRUE && field->token != JSON_FALSE) {
        return wrong(field, "true or false is right", err);
    }
    *ret = field->token == JSON_TRUE;
    return 0;
}

int field_text(const struct field *field, char *out, size_t size, struct str *ret, struct err *err)
{
    if (field->token != JSON_STRING) {
        return wrong(field, "a text in quotes is right", err);
    }
    switch (json_unescape(field->value, out, size, ret)) {
    case 0:
        return 0;
    case ERR_FULL:
        return err_set(err, ERR_INVALID, "%s is \"" STR_FMT "...\"; at most %zu bytes are right",
                       field->name, STR_ARG(shown(field)), size - 1);
    default:
        return wrong(field, "a text of valid characters is right", err);
    }
}

int field_line(const struct field *field, char *out, size_t size, size_t *ret_len, struct err *err)
{
    struct str text = {NULL, 0};
    int rc = field_text(field, out, size, &text, err);

    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char) text.ptr[i] < ' ' || text.ptr[i] == 0x7f) {
            return err_set(err, ERR_INVALID,
                           "%s has a control character at byte %zu; a text of one line is right",
                           field->name, i);
        }
    }
    *ret_len = text.len;
    return 0;
}

void list_begin(const struct field *list, struct json_reader *reader)
{
    json_reader_init(reader, list->value);
    (void) json_next(reader);
}

struct field list_next(const struct field *list, struct json_reader *reader)
{
    enum json_token token = json_next(reader);
    return (struct field){.name = list->name,
                          .token = token == JSON_ARR_END ? JSON_END : token,
                          .value = reader->value};
}
