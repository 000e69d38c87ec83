#pragma once
/* Views of fields and elements. */
#include "apitest/json_int.h"
#include "apitest/scope.h"
#include "apitest/value.h"
#include "conf/node.h"

/* Of a message: ABSENT when the field knows presence and is not set; the default when it does not.
 */
struct apitest_value apitest_value_of(const struct proto_msg *msg,
                                      const struct proto_field_desc *field);
/* An element of a repeated field, a key or a value of a map's entry. */
struct apitest_value apitest_value_of_item(const struct proto_field_desc *field,
                                           union proto_value item);
struct apitest_value apitest_value_of_message(const struct proto_msg *msg);
struct apitest_value apitest_value_of_json(const struct apitest_json *json);
struct apitest_value apitest_value_of_text(struct str text);

/* Elements of REPEATED (of a map its entries), SET, a TEXT (one), a JSON list; false: no list. */
bool apitest_list_of(const struct apitest_value *v, size_t *ret_len);
/* Of a map the value of an entry. */
struct apitest_value apitest_list_item(const struct apitest_value *v, size_t i);

/* Name behind a dot, or ["..."] when it is not a plain word. */
void apitest_path_key(struct buf *path, struct str key);
void apitest_path_field(struct buf *path, const struct proto_field_desc *field);
/* A map's key as text. */
void apitest_key_text(const struct proto_field_desc *map, const struct proto_msg *entry,
                      struct buf *b);

/* As apitest_value_show, without secrets. */
void apitest_value_show_safe(const struct apitest_secrets *secrets,
                             const struct apitest_value *value, size_t max, struct buf *b);
/* Text as a report shows a string: plain when YAML reads it back as the same text. */
void apitest_text_show(struct str text, size_t max, struct buf *b);
/* The author's words: YAML of a node on one line. */
void apitest_node_show(const struct conf_node *node, size_t max, struct buf *b);
/* "12 bytes", cut in the middle of no character. */
struct str apitest_cut(struct str text, size_t max);
/* The short type behind the last slash of a type URL. */
struct str apitest_type_name(struct str type_url);
