/* Texts with variables: see template.h. */
#include "conf/template.h"

#include "base/cleanup.h"
#include "base/vec.h"
#include "conf/text_int.h"

#include <string.h>

struct parts {
    VEC(struct conf_part) list;
};

static void parts_done(struct parts *parts)
{
    vec_done(&parts->list);
}

static bool is_name_begin(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
    return is_name_begin(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

bool conf_is_variable(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!(i == 0 ? is_name_begin(name.ptr[i]) : is_name_char(name.ptr[i]))) {
            return false;
        }
    }
    return name.len > 0 && !str_starts_with(name, STR("env.")) &&
           !str_starts_with(name, STR("secret."));
}

/* s begins with "${": up to the closing brace, or else the whole of it. */
static struct str variable_text(struct str s)
{
    size_t end = str_find_char(s, '}');
    return (struct str){s.ptr, end == s.len ? s.len : end + 1};
}

static int refuse_name(struct str s, struct str name, struct err *err)
{
    char quoted[64];
    const char *seen = text_quote(variable_text(s), quoted);
    if (name.len + 2 == s.len) {
        return err_set(
            err, ERR_INVALID,
            "%s: no \"}\" closes the variable; write \"$${\" for the two characters \"${\"", seen);
    }
    if (name.len == 0 && s.ptr[2] == '}') {
        return err_set(err, ERR_INVALID,
                       "%s has no name: write ${NAME}, or \"$${\" for the two characters \"${\"",
                       seen);
    }
    return err_set(
        err, ERR_INVALID,
        "%s is no variable: a name has letters, digits, \"_\", \".\" and \"-\" and begins "
        "with a letter or \"_\"; write \"$${\" for the two characters \"${\"",
        seen);
}

static bool take_prefix(struct str *name, struct str prefix)
{
    if (!str_starts_with(*name, prefix)) {
        return false;
    }
    *name = (struct str){name->ptr + prefix.len, name->len - prefix.len};
    return true;
}

/* s begins with "${".  ret_len: bytes up to and with the "}". */
static int parse_variable(struct str s, struct conf_part *ret, size_t *ret_len, struct err *err)
{
    char quoted[64];
    struct str name = {s.ptr + 2, 0};
    while (name.len + 2 < s.len &&
           (name.len == 0 ? is_name_begin(name.ptr[0]) : is_name_char(name.ptr[name.len]))) {
        name.len++;
    }
    if (name.len == 0 || name.len + 2 == s.len || name.ptr[name.len] != '}') {
        return refuse_name(s, name, err);
    }
    *ret_len = name.len + 3;
    ret->kind = take_prefix(&name, STR("env."))      ? CONF_PART_ENV
                : take_prefix(&name, STR("secret.")) ? CONF_PART_SECRET
                                                     : CONF_PART_VAR;
    ret->text = name;
    if (name.len == 0) {
        return err_set(err, ERR_INVALID, "%s has no name behind the \".\"",
                       text_quote(variable_text(s), quoted));
    }
    return 0;
}

static void push_text(struct parts *parts, struct str source, size_t from, size_t to)
{
    if (to > from) {
        const struct conf_part part = {CONF_PART_TEXT, {source.ptr + from, to - from}, from};
        vec_push(&parts->list, part);
    }
}

static int refuse_many(struct err *err)
{
    return err_set(err, ERR_FULL, "a text has more than %d pieces and variables", CONF_PARTS_MAX);
}

/* `$${` ends a text before its first `$`, and another begins with the second: both are views. */
static int split(struct str source, struct parts *parts, struct err *err)
{
    size_t from = 0, at = 0;
    while (at < source.len) {
        struct str rest = {source.ptr + at, source.len - at};
        size_t dollar = str_find_char(rest, '$'), len = 0;
        at += dollar;
        rest = (struct str){rest.ptr + dollar, rest.len - dollar};
        if (parts->list.len > CONF_PARTS_MAX) {
            return refuse_many(err);
        }
        if (str_starts_with(rest, STR("$${"))) {
            push_text(parts, source, from, at);
            from = at + 1;
            at += 3;
        } else if (str_starts_with(rest, STR("${"))) {
            struct conf_part part = {.offset = at};
            int rc = parse_variable(rest, &part, &len, err);
            if (rc < 0) {
                return rc;
            }
            push_text(parts, source, from, at);
            vec_push(&parts->list, part);
            from = at += len;
        } else {
            at += rest.len > 0;
        }
    }
    push_text(parts, source, from, source.len);
    return parts->list.len > CONF_PARTS_MAX ? refuse_many(err) : 0;
}

/* Texts only, more than one for each `$${`: they become one. */
static char *join(const struct parts *parts, size_t bytes, struct arena *arena)
{
    char *text = arena_alloc(arena, bytes + 1);
    size_t at = 0;
    for (size_t i = 0; text != NULL && i < parts->list.len; i++) {
        struct str piece = parts->list.ptr[i].text;
        if (piece.len > 0) {
            memcpy(text + at, piece.ptr, piece.len);
        }
        at += piece.len;
    }
    return text;
}

int conf_template_parse(struct str source, struct arena *arena, struct conf_template *ret,
                        struct err *err)
{
    _cleanup_(parts_done) struct parts parts = {.list = {.ptr = NULL}};
    struct conf_template tpl = {.constant = true};
    size_t bytes = 0;
    int rc = split(source, &parts, err);
    if (rc < 0) {
        return rc;
    }
    if (parts.list.len == 0) {
        const struct conf_part empty = {CONF_PART_TEXT, {source.ptr, 0}, 0};
        vec_push(&parts.list, empty);
    }
    for (size_t i = 0; i < parts.list.len; i++) {
        tpl.constant = tpl.constant && parts.list.ptr[i].kind == CONF_PART_TEXT;
        bytes += parts.list.ptr[i].text.len;
    }
    tpl.len = tpl.constant ? 1 : parts.list.len;
    tpl.whole = tpl.len == 1 && !tpl.constant;
    tpl.part = arena_alloc(arena, tpl.len * sizeof tpl.part[0]);
    char *joined = tpl.constant && parts.list.len > 1 ? join(&parts, bytes, arena) : NULL;
    if (tpl.part == NULL || (tpl.constant && parts.list.len > 1 && joined == NULL)) {
        return err_set(err, ERR_FULL, "the texts need too much memory");
    }
    memcpy(tpl.part, parts.list.ptr, tpl.len * sizeof tpl.part[0]);
    if (joined != NULL) {
        tpl.part[0] = (struct conf_part){CONF_PART_TEXT, {joined, bytes}, 0};
    }
    *ret = tpl;
    return 0;
}

int conf_template_expand(const struct conf_template *tpl, conf_lookup_fn lookup, void *ctx,
                         struct buf *b, struct err *err)
{
    for (size_t i = 0; i < tpl->len; i++) {
        struct str value = tpl->part[i].text;
        if (tpl->part[i].kind != CONF_PART_TEXT) {
            int rc = lookup(&tpl->part[i], &value, err, ctx);
            if (rc < 0) {
                return rc;
            }
        }
        buf_add_str(b, value);
    }
    if (b->failed) {
        return err_set(err, ERR_FULL, "a text with its variables is longer than %zu bytes", b->max);
    }
    return 0;
}
