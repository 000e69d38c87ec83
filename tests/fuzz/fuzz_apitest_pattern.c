/*
 * Anybody's YAML as an expectation of a message, as `responses:` and as a request, against an empty
 * message and one that is made of the same input.  A line "---" ends the YAML; what follows is the
 * message on the wire.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "apitest/build.h"
#include "apitest/pattern.h"
#include "apitest_descriptors.h"
#include "conf/diag.h"
#include "proto/pool.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct proto_message_desc *order;

static void load(void)
{
    struct err err = {0};
    struct proto_pool *pool = proto_pool_new();
    struct str set = {(const char *) apitest_descriptors, sizeof apitest_descriptors};
    if (proto_pool_add_set(pool, set, &err) < 0) {
        abort();
    }
    order = proto_pool_message(pool, (struct str){"shop.Order", 10});
}

struct input {
    const struct conf_node *node;
    struct apitest_scope scope;
    struct arena arena;
    struct conf_diags diags;
    struct apitest_diffs diffs;
};

/* What matched has no difference and what did not has one, each with texts. */
static void hold(const struct apitest_diffs *diffs, size_t before, bool matched)
{
    if (matched != (diffs->total == before)) {
        abort();
    }
}

static void match(struct input *in, struct proto_msg *msg)
{
    struct apitest_type type = {.subject = APITEST_OF_MESSAGE, .desc = order};
    struct apitest_value value = {.kind = APITEST_MESSAGE, .proto = {.msg = msg}};
    struct apitest_pattern *p =
        apitest_pattern_compile(in->node, type, &in->scope, &in->arena, &in->diags);
    if (p == NULL) {
        if (in->diags.errors == 0) {
            abort();
        }
        return;
    }
    size_t before = in->diffs.total;
    hold(&in->diffs, before, apitest_match(p, &value, "r", &in->scope, &in->diffs));
}

static void match_stream(struct input *in, struct proto_msg *msg)
{
    struct proto_msg *list[] = {msg, msg, msg};
    for (int unordered = 0; unordered < 2; unordered++) {
        struct apitest_sequence *q = apitest_sequence_compile(in->node, order, unordered == 1,
                                                              &in->scope, &in->arena, &in->diags);
        size_t before = in->diffs.total;
        if (q != NULL) {
            hold(&in->diffs, before, apitest_sequence_match(q, list, 3, &in->scope, &in->diffs));
        }
    }
}

static void build(struct input *in)
{
    struct proto_msg *msg = NULL;
    struct buf b;
    bool constant = false;
    buf_init(&b, 1 << 20);
    if (apitest_build(in->node, order, &in->scope, &in->arena, &in->diags, &msg, &constant) == 0 &&
        msg != NULL) {
        struct err err = {0};
        (void) !proto_wire_write(msg, 0, &b, &err);
        match(in, msg);
    }
    buf_clear(&b);
    (void) apitest_build_json(in->node, &in->scope, &in->arena, &in->diags, &b);
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *) data, size}, wire = {NULL, 0};
    struct conf_file file = {0};
    struct err err = {0};
    if (order == NULL) {
        load();
    }
    const char *cut = size > 5 ? memmem(text.ptr, size, "\n---\n", 5) : NULL;
    if (cut != NULL) {
        text.len = (size_t) (cut - text.ptr) + 1;
        wire = (struct str){cut + 5, size - text.len - 4};
    }
    /* $file is left out: the fuzzer would read the machine's files. */
    if (size > 4096 || memmem(data, size, "$file", 5) != NULL ||
        conf_parse("f", text, &file, &err) < 0) {
        return 0;
    }
    struct input in = {.node = file.document[0]};
    arena_init(&in.arena, (size_t) 64 << 20);
    in.diffs = (struct apitest_diffs){.arena = &in.arena, .max = 5, .now_ms = 1767225600000};
    apitest_scope_init(&in.scope, NULL, NULL, &in.arena, false);
    (void) apitest_scope_set(&in.scope, (struct str){"a", 1}, (struct str){"{\"id\":1}", 8}, true,
                             false);
    struct proto_msg *empty = proto_msg_new(&in.arena, order);
    struct proto_msg *msg = proto_msg_new(&in.arena, order);
    if (empty == NULL || msg == NULL) {
        abort();
    }
    bool read = proto_wire_read(wire, msg, 0, &err) == 0;
    match(&in, empty);
    if (read && wire.len > 0) {
        match(&in, msg);
    }
    match_stream(&in, read ? msg : empty);
    build(&in);
    if (read) {
        in.diffs.total = 0;
        hold(&in.diffs, 0, apitest_compare(empty, msg, NULL, 0, "r", &in.diffs));
    }
    vec_done(&in.diffs.list);
    apitest_scope_done(&in.scope);
    conf_diags_done(&in.diags);
    arena_done(&in.arena);
    conf_file_done(&file);
    return 0;
}
