#include "apitest/cookies.h"

#include "base/mem.h"
#include "base/num.h"

#include <string.h>
#include <time.h>

/* What Set-Cookie says beside name and value. */
struct attributes {
    struct str path;
    bool expired;
    bool has_max_age;
};

static struct str until_slash(struct str path)
{
    size_t len = str_find_char(path, '?');
    while (len > 0 && path.ptr[len - 1] != '/') {
        len--;
    }
    /* "/a/b" gives "/a", "/a" gives "/" (RFC 6265, 5.1.4). */
    return (struct str){path.ptr, len > 1 ? len - 1 : len};
}

static void read_attribute(struct str piece, int64_t now_s, struct attributes *a)
{
    struct str rest = piece, name;
    (void) str_cut(&rest, '=', &name);
    name = str_trim(name);
    struct str value = str_trim(rest);
    if (str_eq_nocase(name, STR("path")) && value.len > 0 && value.ptr[0] == '/') {
        a->path = value;
    } else if (str_eq_nocase(name, STR("max-age"))) {
        int64_t seconds;
        a->has_max_age = num_i64(value, INT64_MIN, INT64_MAX, &seconds) == 0;
        a->expired = a->has_max_age ? seconds <= 0 : a->expired;
    } else if (str_eq_nocase(name, STR("expires")) && !a->has_max_age) {
        char text[64];
        struct tm tm = {0};
        if (value.len < sizeof text) {
            memcpy(text, value.ptr, value.len);
            text[value.len] = '\0';
            if (strptime(text, "%a, %d %b %Y %H:%M:%S", &tm) != NULL) {
                a->expired = timegm(&tm) <= now_s;
            }
        }
    }
}

static void cookie_free(struct cookie *c)
{
    mem_free(c->name);
    mem_free(c->value);
    mem_free(c->path);
}

static void forget(struct cookies *cookies, struct str name, struct str path)
{
    for (size_t i = 0; i < cookies->list.len; i++) {
        struct cookie *c = &cookies->list.ptr[i];
        if (str_eq_cstr(name, c->name) && str_eq_cstr(path, c->path)) {
            cookie_free(c);
            memmove(c, c + 1, (cookies->list.len - i - 1) * sizeof *c);
            cookies->list.len--;
            return;
        }
    }
}

void cookies_take(struct cookies *cookies, struct str set_cookie, struct str path, int64_t now_s)
{
    struct attributes a = {.path = until_slash(path)};
    struct str rest = set_cookie, pair, piece, name;
    (void) str_cut(&rest, ';', &pair);
    while (str_cut(&rest, ';', &piece)) {
        read_attribute(piece, now_s, &a);
    }
    struct str value = pair;
    if (str_find_char(pair, '=') == pair.len || !str_cut(&value, '=', &name)) {
        return;
    }
    name = str_trim(name);
    value = str_trim(value);
    if (name.len == 0) {
        return;
    }
    forget(cookies, name, a.path);
    if (!a.expired && cookies->list.len < COOKIES_MAX) {
        struct cookie c = {mem_strdup_str(name), mem_strdup_str(value), mem_strdup_str(a.path)};
        vec_push(&cookies->list, c);
    }
}

static bool path_matches(struct str path, const char *cookie_path)
{
    struct str of = str_of(cookie_path);
    path.len = str_find_char(path, '?');
    if (!str_starts_with(path, of)) {
        return false;
    }
    return path.len == of.len || of.len == 0 || of.ptr[of.len - 1] == '/' ||
           path.ptr[of.len] == '/';
}

void cookies_header(const struct cookies *cookies, struct str path, struct buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < cookies->list.len; i++) {
        const struct cookie *c = &cookies->list.ptr[i];
        if (path_matches(path, c->path)) {
            buf_addf(b, "%s%s=%s", n++ == 0 ? "" : "; ", c->name, c->value);
        }
    }
}

void cookies_done(struct cookies *cookies)
{
    for (size_t i = 0; i < cookies->list.len; i++) {
        cookie_free(&cookies->list.ptr[i]);
    }
    vec_done(&cookies->list);
}
