#pragma once
/* Journals for tests. */
#include "journal/journal.h"
#include "support/folder.h"

/* Fails with the message of the error. */
#define assert_done(call)                                         \
    do {                                                          \
        int done_ = (call);                                       \
        t_check(done_ == 0, "%s: %d: %s", #call, done_, err.msg); \
    } while (0)

static inline struct journal *journal_opened(const char *path)
{
    struct journal *j = NULL;
    struct err err = {0};
    assert_done(journal_open(path, &j, &err));
    return j;
}

/* NOLINTBEGIN(clang-diagnostic-cast-qual): the fields are owned ones, here they are borrowed */
static inline char *lent(const char *text)
{
    union {
        const char *in;
        char *out;
    } u = {.in = text};
    return u.out;
}
/* NOLINTEND(clang-diagnostic-cast-qual) */

static inline struct journal_release release_of(const char *id, const char *service)
{
    return (struct journal_release){.id = lent(id),
                                    .service = lent(service),
                                    .environment = lent("production"),
                                    .kind = lent("release"),
                                    .version = lent("1.42.0"),
                                    .from = lent("1.41.0"),
                                    .state = lent("running"),
                                    .by = lent("ada@west"),
                                    .why = lent("the \xc3\xbc fix"),
                                    .began_ms = 1769903999123,
                                    .config_path = lent("/srv/shop/release.yaml"),
                                    .config_hash = lent("9f86d081"),
                                    .header = lent("{\"a\":[1,2]}")};
}

static inline uint64_t begun(struct journal *j, const char *id, const char *service)
{
    struct err err = {0};
    struct journal_release release = release_of(id, service);
    uint64_t number = 0;
    assert_done(journal_begin(j, &release, &number, &err));
    return number;
}

static inline int append_line(struct journal *j, const char *id, uint64_t seq, const char *text,
                              struct err *err)
{
    struct journal_line line = {seq, 1000 + seq, lent("west-1"), lent(text)};
    return journal_append(j, id, &line, err);
}
