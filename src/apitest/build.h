#pragma once
/*
 * YAML into a message: what a test sends.  The same walk checks (before the first call, when values
 * of saved variables are not known) and builds.
 *
 * Keys are field names (name or json_name), "[pkg.ext]" for extensions, "@type" in an Any; a scalar
 * is read by the type of its field (proto/scalar.h); null leaves a field unset; Timestamp,
 * Duration, FieldMask and wrappers as their JSON text, Struct and Value as free YAML; operators:
 * `$hex: 00ff` and `$utf8: text` and `$file: path` for bytes, `$json: '{...}'` for any message,
 * `$now: -5s` for a Timestamp,
 * `$repeatText: {text: x, times: 1000}` for long strings and bytes.
 */
#include "apitest/scope.h"
#include "proto/message.h"

/*
 * node: a map, or null or nothing for an empty message.  what: "request 1", for messages.  ret NULL
 * while scope->checking is fine.  ret_constant (may be NULL): no variable inside, the same message
 * every time. ERR_INVALID with all errors in diags.
 */
int apitest_build(const struct conf_node *node, const struct proto_message_desc *desc,
                  const struct apitest_scope *scope, struct arena *arena, struct conf_diags *diags,
                  struct proto_msg **ret, bool *ret_constant);
/* A free YAML value as JSON text, for the body of an HTTP request; plain scalars as YAML 1.2 core
 * reads them. */
int apitest_build_json(const struct conf_node *node, const struct apitest_scope *scope,
                       struct arena *arena, struct conf_diags *diags, struct buf *ret);
