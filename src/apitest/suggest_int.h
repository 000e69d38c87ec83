#pragma once
/* "did you mean" for fields and keys. */
#include "apitest/json_int.h"
#include "proto/desc.h"

#define APITEST_NAME_SIZE 65

/* Copies the nearest of n names into out; false: none is near. */
bool apitest_nearest(struct str word, struct str (*name)(const void *ctx, size_t i),
                     const void *ctx, size_t n, char out[APITEST_NAME_SIZE]);
/*
 * `WHAT: did you mean "X"?`, else `WHAT: it has A, B, ...` at node.  The first `listed` of the n
 * names are those that are listed; the others (short forms) are only meant.
 */
struct conf_node;
struct conf_diags;
void apitest_error_unknown(struct conf_diags *diags, const struct conf_node *node, const char *what,
                           struct str (*name)(const void *ctx, size_t i), const void *ctx, size_t n,
                           size_t listed);
bool apitest_nearest_field(const struct proto_message_desc *desc, struct str word,
                           char out[APITEST_NAME_SIZE]);
bool apitest_nearest_key(const struct apitest_json *json, struct str word,
                         char out[APITEST_NAME_SIZE]);
/*
 * The field of a key: by name, json_name, or "[pkg.ext]".  NULL with the error in diags:
 * `no field "nmae" in shop.v1.Item: did you mean "name"?`.
 */
const struct proto_field_desc *apitest_field_of_key(const struct conf_node *key,
                                                    const struct proto_message_desc *desc,
                                                    struct conf_diags *diags);
