/*
 * A flat JSON object with known fields: what the state file's lines and the API's bodies are.
 * Strict: another field, the same one twice, a nested value or text behind the object is an error;
 * but a field may be a list of single values.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/* A field by its name; token JSON_END while it has not come. value: of the text that is read. */
struct field {
    const char *name;
    bool list; /* it has to be a list: token is JSON_ARR_BEGIN, value the text with its brackets */
    enum json_token token;
    struct str value;
};

/*
 * Reads text into the n fields (n <= 32). ERR_INVALID: ret_at is the field at fault, a view of the
 * text, or empty when the fault is no field's.
 */
int fields_read(struct str text, struct field *field, size_t n, struct str *ret_at,
                struct err *err);

/* The values of fields; ERR_INVALID names the field, the value and what would be right. */
int field_u64(const struct field *field, uint64_t min, uint64_t max, uint64_t *ret,
              struct err *err);
int field_bool(const struct field *field, bool *ret, struct err *err);
/* out: size bytes, of which one is for a NUL. */
int field_text(const struct field *field, char *out, size_t size, struct str *ret, struct err *err);
/* The same, without control characters: it is shown in logs and on pages. */
int field_line(const struct field *field, char *out, size_t size, size_t *ret_len, struct err *err);

/*
 * The next value of a list that has begun with list_begin(); token JSON_END behind the last one.
 * name is the list's, for messages.
 */
void list_begin(const struct field *list, struct json_reader *reader);
struct field list_next(const struct field *list, struct json_reader *reader);
