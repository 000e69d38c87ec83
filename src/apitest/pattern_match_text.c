/* Patterns of texts: a part of it, a regular expression, its length, JSON inside. */
#include "apitest/pattern_int.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

/* What one match may cost: a bad pattern gives up within a fraction of a second. */
enum { MATCH_LIMIT = 1000000, DEPTH_LIMIT = 10000, HEAP_LIMIT_KIB = 64 * 1024 };

bool apitest_text_of(const struct apitest_value *v, struct str *ret)
{
    if (v->kind == APITEST_TEXT) {
        *ret = v->text;
        return true;
    }
    if (v->kind == APITEST_FIELD &&
        (v->field->type == PROTO_STRING || v->field->type == PROTO_BYTES)) {
        *ret = v->proto.bytes;
        return true;
    }
    if (v->kind == APITEST_JSON && v->json->kind == APITEST_JSON_STRING) {
        *ret = v->json->text;
        return true;
    }
    return false;
}

static bool not_text(struct match *m, const struct apitest_pattern *p,
                     const struct apitest_value *v)
{
    return apitest_differs(m, p, v, NULL, NULL, "%s",
                           v->kind == APITEST_ABSENT ? "" : "it is no text");
}

/* 1, 0, or a negative code of pcre2. */
static int run_regex(struct match *m, const pcre2_code *regex, struct str text)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    if (m->regex_data == NULL) {
        m->regex_data = pcre2_match_data_create(1, NULL);
    }
    if (context == NULL || m->regex_data == NULL) {
        pcre2_match_context_free(context);
        return PCRE2_ERROR_NOMEMORY;
    }
    (void) pcre2_set_match_limit(context, MATCH_LIMIT);
    (void) pcre2_set_depth_limit(context, DEPTH_LIMIT);
    (void) pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
    PCRE2_SPTR subject = (PCRE2_SPTR) (text.ptr == NULL ? "" : text.ptr);
    int r = pcre2_match(regex, subject, text.len, 0, 0, m->regex_data, context);
    pcre2_match_context_free(context);
    return r >= 0 ? 1 : r == PCRE2_ERROR_NOMATCH ? 0 : r;
}

static bool match_regex(struct match *m, const struct apitest_pattern *p,
                        const struct apitest_value *v, struct str text)
{
    static const struct subject subject = {.kind = SUBJECT_TEXT};
    const pcre2_code *regex = p->regex != NULL ? p->regex : apitest_made(m, p);
    if (regex == NULL) {
        struct scalar pattern;
        struct err err = {0};
        size_t at = 0;
        if (!apitest_operand_now(m, p, &subject, &p->operand, &pattern)) {
            return false;
        }
        regex = apitest_regex_compile(pattern.text, &m->arena, &err, &at);
        if (regex == NULL) {
            (void) err_wrap(&err, "$regex");
            return apitest_give_up(m, p, v, err.msg);
        }
        apitest_made_put(m, p, (void *) (uintptr_t) regex);
    }
    int r = run_regex(m, regex, text);
    if (r < 0) {
        /* Neither yes nor no: not even $not may pass on it. */
        PCRE2_UCHAR message[128];
        char why[192];
        (void) pcre2_get_error_message(r, message, sizeof message);
        (void) snprintf(why, sizeof why, "$regex was given up: %s", (const char *) message);
        return apitest_give_up(m, p, v, why);
    }
    return r == 1 || apitest_differs(m, p, v, NULL, NULL, "%s", "");
}

static bool has_part(struct str text, struct str part)
{
    return part.len == 0 ||
           (text.len >= part.len && memmem(text.ptr, text.len, part.ptr, part.len) != NULL);
}

static bool match_part(struct match *m, const struct apitest_pattern *p,
                       const struct apitest_value *v, struct str text)
{
    static const struct subject subject = {.kind = SUBJECT_TEXT};
    bool bytes = p->subject.kind == SUBJECT_BYTES;
    struct scalar wanted;
    if (!apitest_operand_now(m, p, bytes ? &p->subject : &subject, &p->operand, &wanted)) {
        return false;
    }
    struct str part = bytes ? wanted.proto.bytes : wanted.text;
    bool matched = p->op == PAT_STARTS ? str_starts_with(text, part)
                   : p->op == PAT_ENDS ? str_ends_with(text, part)
                                       : has_part(text, part);
    return matched || apitest_differs(m, p, v, NULL, NULL, "%s", "");
}

/* An element of a JSON list that equals the operand. */
static bool match_element(struct match *m, const struct apitest_pattern *p,
                          const struct apitest_value *v, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        struct apitest_value item = apitest_list_item(v, i);
        if (apitest_match_silent(m, p->child[0], &item, NULL)) {
            return true;
        }
    }
    return m->broken ? false : apitest_differs(m, p, v, NULL, NULL, "none of %zu elements", len);
}

/* Characters of a text (bytes of what is no UTF-8), bytes of bytes, elements, keys. */
static bool length_of(const struct apitest_value *v, int64_t *ret)
{
    struct str text;
    size_t len = 0;
    if (apitest_text_of(v, &text)) {
        bool bytes = v->kind == APITEST_FIELD && v->field->type == PROTO_BYTES;
        for (size_t i = 0; i < text.len && !bytes;) {
            size_t n = str_utf8_char((struct str){text.ptr + i, text.len - i});
            i += n == 0 ? 1 : n;
            len++;
        }
        len = bytes ? text.len : len;
    } else if (v->kind == APITEST_JSON && v->json->kind == APITEST_JSON_OBJECT) {
        len = v->json->len;
    } else if (!apitest_list_of(v, &len)) {
        return false;
    }
    *ret = (int64_t) len;
    return true;
}

static bool match_len(struct match *m, const struct apitest_pattern *p,
                      const struct apitest_value *v)
{
    struct apitest_value len = {.kind = APITEST_NUMBER};
    char got[64];
    if (!length_of(v, &len.number)) {
        return apitest_differs(m, p, v, NULL, NULL, "%s",
                               v->kind == APITEST_ABSENT ? "" : "it has no length");
    }
    if (apitest_match_silent(m, p->child[0], &len, NULL)) {
        return true;
    }
    (void) snprintf(got, sizeof got, "length %lld", (long long) len.number);
    return m->broken ? false : apitest_differs(m, p, v, NULL, got, "%s", "");
}

static bool match_inside(struct match *m, const struct apitest_pattern *p,
                         const struct apitest_value *v, struct str text)
{
    const struct apitest_json *json = NULL;
    struct err err = {0};
    if (apitest_json_parse(text, &m->arena, &json, &err) < 0) {
        return apitest_differs(m, p, v, NULL, NULL, "no JSON: %s", err.msg);
    }
    struct apitest_value inner = apitest_value_of_json(json);
    return apitest_pattern_match(m, p->child[0], &inner);
}

static bool match_one(struct match *m, const struct apitest_pattern *p,
                      const struct apitest_value *v, struct str text)
{
    if (p->op == PAT_REGEX) {
        return match_regex(m, p, v, text);
    }
    return p->op == PAT_INSIDE ? match_inside(m, p, v, text) : match_part(m, p, v, text);
}

/* Of several headers of a name one is enough. */
static bool match_set(struct match *m, const struct apitest_pattern *p,
                      const struct apitest_value *v)
{
    bool silent = m->silent, matched = false;
    size_t fails = m->fails;
    m->silent = true;
    for (size_t i = 0; i < v->items && !matched; i++) {
        struct apitest_value one = apitest_value_of_text(v->item[i]);
        matched = p->op == PAT_LEN ? match_len(m, p, &one) : match_one(m, p, &one, one.text);
    }
    m->silent = silent;
    m->fails = fails;
    return (matched && !m->broken) ||
           apitest_differs(m, p, v, NULL, NULL, "none of its %zu values", v->items);
}

bool apitest_match_text(struct match *m, const struct apitest_pattern *p,
                        const struct apitest_value *v)
{
    struct str text;
    size_t len = 0;
    if (v->kind == APITEST_SET) {
        return match_set(m, p, v);
    }
    if (p->op == PAT_LEN) {
        return match_len(m, p, v);
    }
    if (p->op == PAT_HAS && p->children == 1 && v->kind == APITEST_JSON &&
        apitest_list_of(v, &len)) {
        return match_element(m, p, v, len);
    }
    return apitest_text_of(v, &text) ? match_one(m, p, v, text) : not_text(m, p, v);
}
