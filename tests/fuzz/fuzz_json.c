/*
 * Any bytes through the JSON reader.  What it accepts is written again by the writer, and must then
 * read as the same tokens; keys and strings must survive unescape and quote.
 */
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes a string or key again; false when unescape refuses it (NUL, lone surrogate). */
static bool copy_text(struct json_writer *w, struct json_reader *r, enum json_token token)
{
    char *out = mem_alloc(r->value.len + 1);
    struct str text;
    int rc = json_unescape(r->value, out, r->value.len + 1, &text);
    if (rc == 0) {
        if (!str_is_utf8(text) || (!r->escaped && !str_eq(text, r->value))) {
            BUG("unescape made another text");
        }
        if (token == JSON_KEY) {
            json_key_str(w, text);
        } else {
            json_str(w, text);
        }
    } else if (!r->escaped || rc != ERR_INVALID) {
        BUG("unescape refused a text that fits and has no escapes: %d", rc);
    }
    mem_free(out);
    return rc == 0;
}

static bool copy_token(struct json_writer *w, struct json_reader *r, enum json_token token)
{
    switch (token) {
    case JSON_OBJ_BEGIN:
        json_obj_begin(w);
        break;
    case JSON_OBJ_END:
        json_obj_end(w);
        break;
    case JSON_ARR_BEGIN:
        json_arr_begin(w);
        break;
    case JSON_ARR_END:
        json_arr_end(w);
        break;
    case JSON_KEY:
    case JSON_STRING:
        return copy_text(w, r, token);
    case JSON_NUMBER:
        if (!num_is_decimal(r->value)) {
            BUG("a number that is none");
        }
        json_raw(w, r->value);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_bool(w, token == JSON_TRUE);
        break;
    case JSON_NULL:
        json_null(w);
        break;
    case JSON_ERROR:
    case JSON_END:
        break;
    }
    return true;
}

/* Copies text to out; false when it was refused. */
static bool copy(struct str text, struct buf *out)
{
    struct json_reader r;
    struct json_writer w;
    enum json_token token;
    bool same = true;
    unsigned line = 0, col = 0;
    json_reader_init(&r, text);
    json_writer_init(&w, out);
    while ((token = json_next(&r)) > JSON_END) {
        same = copy_token(&w, &r, token) && same;
    }
    json_reader_pos(&r, &line, &col);
    if ((token == JSON_ERROR) != (r.error != NULL) || line == 0 || col == 0) {
        BUG("an error without its reason or place");
    }
    return token == JSON_END && same;
}

static bool skips(struct str text)
{
    struct json_reader r;
    json_reader_init(&r, text);
    return json_skip(&r) == 0 && json_next(&r) == JSON_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *) data, size};
    struct buf first, second;
    buf_init(&first, 8 * size + 64);
    buf_init(&second, 8 * size + 64);
    if (copy(text, &first)) {
        if (first.failed || !skips(text)) {
            BUG("accepted, but not written or not skipped");
        }
        if (!copy(buf_str(&first), &second) || !str_eq(buf_str(&first), buf_str(&second))) {
            BUG("the copy of the copy differs: %s, %s", first.ptr, second.ptr);
        }
    }
    char *out = mem_alloc(size + 1);
    struct str ret;
    (void) !json_unescape(text, out, size + 1, &ret); /* any bytes: must only not crash */
    mem_free(out);
    buf_done(&first);
    buf_done(&second);
    return 0;
}
