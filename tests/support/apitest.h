#pragma once
/* What the tests of src/apitest share: a pool with rich types, YAML in, messages and texts out. */
#include "support/t.h"

#include "apitest/build.h"
#include "apitest/pattern.h"
#include "base/arena.h"
#include "conf/diag.h"
#include "proto/json.h"
#include "proto/pool.h"
#include "proto/wire.h"

#include "apitest_descriptors.h"

#define T_NOW_MS UINT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

struct t_api {
    struct proto_pool *pool;
    struct arena arena;
    struct apitest_secrets secrets;
    struct apitest_scope scope;
    struct conf_file file;
    struct conf_diags diags;
    struct apitest_diffs diffs;
    struct buf text;
};

/* Without types: for texts and JSON. */
static inline void t_api_init_plain(struct t_api *t, bool checking)
{
    *t = (struct t_api){.pool = NULL};
    arena_init(&t->arena, (size_t) 512 << 20);
    apitest_secrets_init(&t->secrets);
    apitest_scope_init(&t->scope, NULL, &t->secrets, &t->arena, checking);
    t->diffs = (struct apitest_diffs){.arena = &t->arena, .now_ms = T_NOW_MS};
    buf_init(&t->text, (size_t) 16 << 20);
}

static inline void t_api_init(struct t_api *t, bool checking)
{
    struct err err = {0};
    struct str set = {(const char *) apitest_descriptors, sizeof apitest_descriptors};
    t_api_init_plain(t, checking);
    t->pool = proto_pool_new();
    t_check(proto_pool_add_set(t->pool, set, &err) == 0, "%s", err.msg);
}

static inline void t_api_done(struct t_api *t)
{
    conf_file_done(&t->file);
    conf_diags_done(&t->diags);
    vec_done(&t->diffs.list);
    apitest_scope_done(&t->scope);
    apitest_secrets_done(&t->secrets);
    buf_done(&t->text);
    arena_done(&t->arena);
    if (t->pool != NULL) {
        proto_pool_free(t->pool);
    }
}

static inline const struct proto_message_desc *t_api_type(struct t_api *t, const char *name)
{
    const struct proto_message_desc *desc = proto_pool_message(t->pool, str_of(name));
    t_check(desc != NULL, "no type %s", name);
    return desc;
}

static inline void t_api_set(struct t_api *t, const char *name, const char *text)
{
    assert_true(apitest_scope_set(&t->scope, str_of(name), str_of(text), true, false));
}

static inline const struct conf_node *t_api_yaml(struct t_api *t, const char *yaml)
{
    struct err err = {0};
    conf_file_done(&t->file);
    t_check(conf_parse("t.yaml", str_of(yaml), &t->file, &err) == 0, "%s: %s", yaml, err.msg);
    return t->file.document[0];
}

static inline struct proto_msg *t_api_json(struct t_api *t, const struct proto_message_desc *desc,
                                           const char *json)
{
    struct err err = {0};
    struct proto_msg *msg = proto_msg_new(&t->arena, desc);
    t_check(proto_json_read(str_of(json), msg, 0, &err) == 0, "%s: %s", json, err.msg);
    return msg;
}

/* "LINE:COL: message" a line, errors and warnings. */
static inline const char *t_api_diags(struct t_api *t)
{
    buf_clear(&t->text);
    for (size_t i = 0; i < t->diags.list.len; i++) {
        const struct conf_diag *d = &t->diags.list.ptr[i];
        buf_addf(&t->text, "%s%u:%u: %s%s", i > 0 ? "\n" : "", d->pos.line, d->pos.col,
                 d->severity == CONF_WARNING ? "warning: " : "", d->msg);
    }
    buf_add_cstr(&t->text, "");
    return t->text.ptr == NULL ? "" : t->text.ptr;
}

/* "PATH@LINE:COL: expected X, got Y (NOTE)" a line. */
static inline const char *t_api_diffs(struct t_api *t)
{
    buf_clear(&t->text);
    for (size_t i = 0; i < t->diffs.list.len; i++) {
        const struct apitest_diff *d = &t->diffs.list.ptr[i];
        buf_addf(&t->text, "%s" STR_FMT "@%u:%u: expected " STR_FMT ", got " STR_FMT,
                 i > 0 ? "\n" : "", STR_ARG(d->path), d->pos.line, d->pos.col, STR_ARG(d->expected),
                 STR_ARG(d->got));
        if (d->note.len > 0) {
            buf_addf(&t->text, " (" STR_FMT ")", STR_ARG(d->note));
        }
    }
    buf_add_cstr(&t->text, "");
    return t->text.ptr == NULL ? "" : t->text.ptr;
}

static inline void t_api_again(struct t_api *t)
{
    conf_diags_done(&t->diags);
    vec_done(&t->diffs.list);
    t->diffs.total = 0;
    t->diffs.checks = 0;
}

/* Compares whole texts and shows both. */
static inline void t_same(const char *got, const char *wanted, const char *what)
{
    if (strcmp(got, wanted) != 0) {
        print_error("%s\n--- wanted\n%s\n--- got\n%s\n", what, wanted, got);
        fail_msg("texts differ");
    }
}
