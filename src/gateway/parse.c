/* Members of answers, and the small answers.  jansson reads, each member that is taken is checked.
 */
#include "gateway/parse_int.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "traffic/cut.h"

#include <string.h>

/* What is most likely wrong when something else answers. */
#define WRONG_URL "is the router's URL the location of pourover_api?"

void parse_release(json_t **json)
{
    json_decref(*json);
}

int parse_load(struct str text, json_t **ret, struct err *err)
{
    json_error_t at;
    json_t *root =
        json_loadb(text.ptr != NULL ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &at);
    if (root == NULL) {
        return err_set(err, ERR_REMOTE,
                       "the answer is not JSON: %s at line %d, column %d: " WRONG_URL, at.text,
                       at.line, at.column);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(err, ERR_REMOTE, "the answer is not a JSON object");
    }
    *ret = root;
    return 0;
}

int parse_wrong(struct err *err, const char *where, const char *key, const char *right)
{
    return err_set(err, ERR_REMOTE, "the answer's %s%s%s is not %s", where,
                   where[0] != '\0' ? "." : "", key, right);
}

int parse_obj(const json_t *obj, const char *where, const char *key, const json_t **ret,
              struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    if (!json_is_object(value)) {
        return parse_wrong(err, where, key, "an object");
    }
    *ret = value;
    return 0;
}

int parse_u64(const json_t *obj, const char *where, const char *key, uint64_t max, uint64_t *ret,
              struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || (uint64_t) n > max) {
        char right[64];
        struct buf b;
        buf_init_fixed(&b, right, sizeof right);
        buf_addf(&b, "an integer from 0 to %llu", (unsigned long long) max);
        return parse_wrong(err, where, key, right);
    }
    *ret = (uint64_t) n;
    return 0;
}

int parse_u64_maybe(const json_t *obj, const char *where, const char *key, uint64_t max,
                    uint64_t *ret, struct err *err)
{
    bool lacks = json_object_get(obj, key) == NULL;
    return lacks ? 0 : parse_u64(obj, where, key, max, ret, err);
}

int parse_bool(const json_t *obj, const char *where, const char *key, bool *ret, struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    if (!json_is_boolean(value)) {
        return parse_wrong(err, where, key, "true or false");
    }
    *ret = json_is_true(value);
    return 0;
}

int parse_bool_maybe(const json_t *obj, const char *where, const char *key, bool *ret,
                     struct err *err)
{
    bool lacks = json_object_get(obj, key) == NULL;
    return lacks ? 0 : parse_bool(obj, where, key, ret, err);
}

int parse_double(const json_t *obj, const char *where, const char *key, double *ret,
                 struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    double n = json_number_value(value);
    if (!json_is_number(value) || n < 0) {
        return parse_wrong(err, where, key, "a number that is not negative");
    }
    *ret = n;
    return 0;
}

static bool is_printable(char c)
{
    return (unsigned char) c >= 0x20 && c != 0x7f;
}

int parse_copy(const json_t *value, const char *where, const char *key, char *out, size_t size,
               struct err *err)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    bool printable = text != NULL;
    for (size_t i = 0; i < len && printable; i++) {
        printable = is_printable(text[i]);
    }
    if (!printable || len >= size) {
        char right[64];
        struct buf b;
        buf_init_fixed(&b, right, sizeof right);
        buf_addf(&b, "a printable string of at most %zu bytes", size - 1);
        return parse_wrong(err, where, key, right);
    }
    memcpy(out, text, len + 1);
    return 0;
}

int parse_text(const json_t *obj, const char *where, const char *key, char *out, size_t size,
               struct err *err)
{
    return parse_copy(json_object_get(obj, key), where, key, out, size, err);
}

int parse_text_maybe(const json_t *obj, const char *where, const char *key, char *out, size_t size,
                     struct err *err)
{
    bool lacks = json_object_get(obj, key) == NULL;
    return lacks ? 0 : parse_text(obj, where, key, out, size, err);
}

int parse_shown(const json_t *obj, const char *where, const char *key, char *out, size_t size,
                struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    if (!json_is_string(value) && !json_is_null(value)) {
        return parse_wrong(err, where, key, "a string");
    }
    struct str rest = {json_string_value(value), json_string_length(value)};
    size_t used = 0;
    while (rest.len > 0) {
        size_t len = str_utf8_char(rest);
        bool is_c1 = len == 2 && rest.ptr[0] == '\xc2' && (unsigned char) rest.ptr[1] < 0xa0;
        bool shown = len > 0 && !is_c1 && is_printable(rest.ptr[0]);
        struct str add = shown ? (struct str){rest.ptr, len} : STR("?");
        if (used + add.len >= size) {
            break;
        }
        memcpy(out + used, add.ptr, add.len);
        used += add.len;
        len = len > 0 ? len : 1;
        rest = (struct str){rest.ptr + len, rest.len - len};
    }
    out[used] = '\0';
    return 0;
}

int parse_word(const json_t *obj, const char *where, const char *key, const char *const *word,
               size_t n, unsigned *ret, struct err *err)
{
    const char *text = json_string_value(json_object_get(obj, key));
    for (size_t i = 0; i < n && text != NULL; i++) {
        if (strcmp(text, word[i]) == 0) {
            *ret = (unsigned) i;
            return 0;
        }
    }
    char right[128];
    struct buf b;
    buf_init_fixed(&b, right, sizeof right);
    for (size_t i = 0; i < n; i++) {
        buf_addf(&b, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", word[i]);
    }
    return parse_wrong(err, where, key, right);
}

int parse_array_maybe(const json_t *obj, const char *where, const char *key, size_t max,
                      const json_t **ret, size_t *ret_len, struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    size_t n = json_array_size(value);
    if (value != NULL && (!json_is_array(value) || n > max)) {
        char right[64];
        struct buf b;
        buf_init_fixed(&b, right, sizeof right);
        buf_addf(&b, "an array of at most %zu", max);
        return parse_wrong(err, where, key, right);
    }
    *ret = value;
    *ret_len = n;
    return 0;
}

int parse_split(const json_t *obj, struct router_split *ret, struct err *err)
{
    const json_t *split = NULL;
    struct router_split s = {0};
    uint64_t share = 0;
    int r = parse_obj(obj, "", "split", &split, err);
    r = r != 0 ? r : parse_u64(split, "split", "share_ppm", NUM_PPM_MAX, &share, err);
    r = r != 0 ? r : parse_text(split, "split", "salt", s.salt, sizeof s.salt, err);
    r = r != 0 ? r : parse_bool(split, "split", "enabled", &s.enabled, err);
    r = r != 0 ? r : parse_u64(split, "split", "revision", INT64_MAX, &s.revision, err);
    if (r == 0 && !cut_salt_valid(str_of(s.salt))) {
        r = parse_wrong(err, "split", "salt", "1 to 64 characters of A-Z a-z 0-9 . _ -");
    }
    if (r == 0) {
        s.share_ppm = (uint32_t) share;
        *ret = s;
    }
    return r;
}

int router_parse_token(struct str json, struct router_token *ret, struct err *err)
{
    _cleanup_(parse_release) json_t *root = NULL;
    struct router_token t = {0};
    int r = parse_load(json, &root, err);
    r = r != 0 ? r : parse_text(root, "", "header", t.header, sizeof t.header, err);
    r = r != 0 ? r : parse_text(root, "", "token", t.token, sizeof t.token, err);
    if (r == 0) {
        *ret = t;
    }
    return r;
}

void router_parse_error(long status, struct str body, struct err *ret_err)
{
    _cleanup_(parse_release) json_t *root = NULL;
    enum err_code code = ERR_REMOTE;
    char text[ROUTER_TEXT_MAX] = "";
    if (status == 404) {
        code = ERR_NOT_FOUND;
    } else if (status == 409) {
        code = ERR_CONFLICT;
    } else if (status == 401 || status == 403) {
        code = ERR_DENIED;
    } else if (status == 507) {
        code = ERR_IO;
    }
    struct err unused = {0};
    if (parse_load(body, &root, &unused) == 0 &&
        parse_text(json_object_get(root, "error"), "error", "message", text, sizeof text,
                   &unused) == 0) {
        (void) err_set(ret_err, code, "%s (HTTP %ld)", text, status);
    } else {
        (void) err_set(ret_err, code, "HTTP %ld, and not an answer of pourover's API: " WRONG_URL,
                       status);
    }
}
