#pragma once
/* The walk that makes messages of YAML: see build.h. */
#include "apitest/build.h"
#include "apitest/value_int.h"

#define BUILD_BYTES_MAX ((size_t) 64 * 1024 * 1024)

struct builder {
    const struct apitest_scope *scope;
    struct arena *arena;
    struct conf_diags *diags;
    bool constant; /* the same message every time */
    bool unknown;  /* something depends on what is not known yet (only while checking) */
};

/* Readers return 0, ERR_INVALID (told in diags), or this: a value is not known yet. */
enum { BUILD_UNKNOWN = 1 };

int apitest_build_fields(struct builder *b, const struct conf_node *node, struct proto_msg *msg,
                         const char *skip);
/* A message by its kind: a map, or the text of a well-known type.  node is not null. */
int apitest_build_message(struct builder *b, const struct conf_node *node, struct proto_msg *msg);
int apitest_build_any(struct builder *b, const struct conf_node *node, struct proto_msg *msg);
/* A singular scalar, also by operators such as {$hex: ..}. */
int apitest_build_scalar(struct builder *b, const struct conf_node *node,
                         const struct proto_field_desc *field, union proto_value *ret);
/* The text of a scalar with its variables; BUILD_UNKNOWN. */
int apitest_build_text(struct builder *b, const struct conf_node *node, struct apitest_text *ret);
/* {$now: ..} and {$json: ..}; NULL: node is no such map. */
const struct conf_entry *apitest_build_operator(const struct conf_node *node);
/* A Timestamp so far from now. */
int apitest_build_now(struct builder *b, const struct conf_entry *entry, struct proto_msg *msg);
/* Free YAML as JSON. */
int apitest_build_free(struct builder *b, const struct conf_node *node, struct buf *json);
int apitest_build_full(struct builder *b, const struct conf_node *node);
