/*
 * What must never be shown: see scope.h.
 *
 * All forms of a value are made when it is added.  Redaction goes once over the text: four bytes at
 * each place are hashed into a table of the forms that may begin there, so that its cost does not
 * grow with the number of secrets.
 */
#include "apitest/secrets_int.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VALUE_MIN = 4, VALUE_MAX = 64 * 1024, FILE_MAX = 1024 * 1024, PREFIX = 4 };

#define ENV_PREFIX "POUROVER_SECRET_"

void apitest_secrets_init(struct apitest_secrets *secrets)
{
    *secrets = (struct apitest_secrets){.value = {0}};
    map_init(&secrets->by_name);
}

void apitest_secrets_done(struct apitest_secrets *secrets)
{
    if (secrets == NULL) {
        return;
    }
    for (size_t i = 0; i < secrets->by_name.len; i++) {
        mem_free(secrets->by_name.entry[i].value);
    }
    map_done(&secrets->by_name);
    for (size_t i = 0; i < secrets->value.len; i++) {
        mem_free((void *) (uintptr_t) secrets->value.ptr[i].ptr);
    }
    for (size_t i = 0; i < secrets->form.len; i++) {
        mem_free((void *) (uintptr_t) secrets->form.ptr[i].ptr);
    }
    vec_done(&secrets->value);
    vec_done(&secrets->form);
    vec_done(&secrets->edge);
    vec_done(&secrets->next);
}

static size_t bucket_of(const char *ptr)
{
    uint32_t word;
    memcpy(&word, ptr, sizeof word);
    return (size_t) (word * UINT32_C(2654435761) >> (32 - APITEST_SECRETS_BITS));
}

/* Makes the table anew: forms are few and adding is rare, so sorting them is cheap. */
static void index_forms(struct apitest_secrets *secrets)
{
    memset(secrets->head, 0, sizeof secrets->head);
    secrets->next.len = 0;
    for (size_t i = 0; i < secrets->form.len; i++) {
        vec_push(&secrets->next, 0);
    }
    for (size_t i = secrets->form.len; i-- > 0;) {
        size_t bucket = bucket_of(secrets->form.ptr[i].ptr);
        secrets->next.ptr[i] = secrets->head[bucket];
        secrets->head[bucket] = (uint32_t) (i + 1);
    }
}

void apitest_secrets_form(struct apitest_secrets *secrets, struct str form, unsigned edge)
{
    if (form.len < PREFIX) {
        return;
    }
    for (size_t i = 0; i < secrets->form.len; i++) {
        if (str_eq(secrets->form.ptr[i], form)) {
            secrets->edge.ptr[i] |= (uint8_t) edge;
            return;
        }
    }
    struct str owned = {mem_strdup_str(form), form.len};
    secrets->longest = form.len > secrets->longest ? form.len : secrets->longest;
    vec_push(&secrets->form, owned);
    vec_push(&secrets->edge, (uint8_t) edge);
}

int apitest_secrets_add(struct apitest_secrets *secrets, struct str value, struct err *err)
{
    if (value.len < VALUE_MIN) {
        return err_set(err, ERR_INVALID,
                       "a secret of %zu bytes cannot be hidden without hiding everything: at least "
                       "%d bytes are needed",
                       value.len, VALUE_MIN);
    }
    if (value.len > VALUE_MAX) {
        return err_set(err, ERR_FULL, "a secret of %zu bytes: at most %d can be hidden", value.len,
                       VALUE_MAX);
    }
    size_t at = 0;
    for (size_t i = 0; i < secrets->value.len; i++) {
        if (str_eq(secrets->value.ptr[i], value)) {
            return 0;
        }
        at = secrets->value.ptr[i].len >= value.len ? i + 1 : at;
    }
    struct str owned = {mem_strdup_str(value), value.len};
    vec_push(&secrets->value, owned);
    for (size_t i = secrets->value.len - 1; i > at; i--) {
        secrets->value.ptr[i] = secrets->value.ptr[i - 1];
    }
    secrets->value.ptr[at] = owned;
    apitest_secrets_forms(secrets, value);
    index_forms(secrets);
    return 0;
}

/* The end of the longest form that begins here, or 0; *ret_begin moves back over a shared digit. */
static size_t match_at(const struct apitest_secrets *secrets, struct str text, size_t i,
                       size_t *ret_begin)
{
    size_t end = 0;
    for (uint32_t at = secrets->head[bucket_of(text.ptr + i)]; at != 0;
         at = secrets->next.ptr[at - 1]) {
        struct str form = secrets->form.ptr[at - 1];
        if (form.len > text.len - i || memcmp(text.ptr + i, form.ptr, form.len) != 0) {
            continue;
        }
        unsigned edge = secrets->edge.ptr[at - 1];
        size_t form_end = i + form.len;
        bool after = (edge & SECRET_EDGE_AFTER) != 0 && form_end < text.len &&
                     apitest_is_base64(text.ptr[form_end]);
        bool before =
            (edge & SECRET_EDGE_BEFORE) != 0 && i > 0 && apitest_is_base64(text.ptr[i - 1]);
        form_end += after ? 1 : 0;
        end = form_end > end ? form_end : end;
        *ret_begin = before && i - 1 < *ret_begin ? i - 1 : *ret_begin;
    }
    return end;
}

void apitest_redact(const struct apitest_secrets *secrets, struct str text, struct buf *b)
{
    size_t done = 0;     /* text[0, done) is copied or hidden */
    bool hidden = false; /* what ends at done was hidden */
    size_t places =
        secrets == NULL || secrets->form.len == 0 || text.len < PREFIX ? 0 : text.len - PREFIX + 1;
    for (size_t i = 0; i < places; i++) {
        size_t begin = i, end = match_at(secrets, text, i, &begin);
        if (end <= done) {
            continue;
        }
        if (!hidden || begin > done) {
            buf_add(b, text.ptr + done, begin > done ? begin - done : 0);
            buf_add_str(b, STR("***"));
        }
        hidden = true;
        done = end;
    }
    if (done < text.len) {
        buf_add(b, text.ptr + done, text.len - done);
    }
}

bool apitest_hides(const struct apitest_secrets *secrets, struct str text)
{
    size_t begin = 0;
    bool found = false;
    for (size_t i = 0; secrets != NULL && !found && i + PREFIX <= text.len; i++) {
        found = secrets->form.len > 0 && match_at(secrets, text, i, &begin) > 0;
    }
    return found;
}

size_t apitest_secrets_longest(const struct apitest_secrets *secrets)
{
    return secrets == NULL ? 0 : secrets->longest;
}

void apitest_redact_cut(const struct apitest_secrets *secrets, struct str text, bool whole,
                        size_t max, struct buf *b)
{
    struct buf all;
    buf_init(&all, text.len * 4 + 16);
    apitest_redact(secrets, text, &all);
    struct str shown = buf_str(&all);
    /* The end of a beginning may be half of a secret. */
    size_t longest = apitest_secrets_longest(secrets);
    size_t sure = whole ? shown.len : shown.len > longest ? shown.len - longest : 0;
    size_t n = sure < max ? sure : max;
    while (n > 0 && n < shown.len && ((unsigned char) shown.ptr[n] & 0xc0) == 0x80) {
        n--;
    }
    buf_add(b, shown.ptr, n);
    buf_add_cstr(b, whole && n == shown.len ? "" : "...");
    buf_done(&all);
}

int apitest_secrets_get(struct apitest_secrets *secrets, struct str name, struct str *ret,
                        struct err *err)
{
    const char *value = map_get(&secrets->by_name, name);
    char key[256];
    struct buf b;
    buf_init_fixed(&b, key, sizeof key);
    buf_add_str(&b, STR(ENV_PREFIX));
    buf_add_str(&b, name);
    if (b.failed) {
        return err_set(err, ERR_INVALID, "a secret's name of %zu bytes is too long", name.len);
    }
    if (value == NULL) {
        value = getenv(key); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    if (value == NULL) {
        value = getenv(key + strlen(ENV_PREFIX)); /* NOLINT(concurrency-mt-unsafe): as above */
    }
    if (value == NULL) {
        return err_set(err, ERR_NOT_FOUND,
                       "no secret \"" STR_FMT "\": give it in --secrets FILE as " STR_FMT
                       "=VALUE, or set %s",
                       STR_ARG(name), STR_ARG(name), key);
    }
    int r = apitest_secrets_add(secrets, str_of(value), err);
    if (r < 0) {
        return err_wrap(err, "secret \"" STR_FMT "\"", STR_ARG(name));
    }
    *ret = str_of(value);
    return 0;
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool other = (c >= '0' && c <= '9') || c == '.' || c == '-';
        if (!letter && (i == 0 || !other)) {
            return false;
        }
    }
    return s.len > 0;
}

static int add_line(struct apitest_secrets *secrets, struct str line, struct err *err)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    struct str trimmed = str_trim(line);
    if (trimmed.len == 0 || trimmed.ptr[0] == '#') {
        return 0;
    }
    size_t sign = str_find_char(line, '=');
    struct str name = str_trim((struct str){line.ptr, sign});
    if (sign == line.len || !is_name(name)) {
        return err_set(err, ERR_INVALID, "not a line of the form NAME=VALUE");
    }
    struct str value = {line.ptr + sign + 1, line.len - sign - 1};
    if (memchr(value.ptr, '\0', value.len) != NULL) {
        return err_set(err, ERR_INVALID, "the value has a NUL byte in it");
    }
    mem_free(map_put(&secrets->by_name, name, mem_strdup_str(value)));
    return 0;
}

static int read_text(int fd, const char *path, struct buf *b, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return err_errno(err, errno, "%s", path);
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_set(err, ERR_DENIED, "%s may be written by others: chmod go-w %s", path, path);
    }
    int failed = file_read_all(fd, b);
    if (b->failed) {
        return err_set(err, ERR_FULL, "%s is larger than %d bytes", path, FILE_MAX);
    }
    return failed == 0 ? 0 : err_errno(err, failed, "%s", path);
}

int apitest_secrets_read(struct apitest_secrets *secrets, const char *path, struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, FILE_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_errno(err, errno, "%s", path);
    }
    int r = read_text(fd, path, &b, err);
    (void) close(fd);
    struct str rest = buf_str(&b), line;
    for (unsigned number = 1; r == 0 && rest.len > 0 && str_cut(&rest, '\n', &line); number++) {
        r = add_line(secrets, line, err);
        if (r < 0) {
            r = err_wrap(err, "%s:%u", path, number);
        }
    }
    return r;
}
