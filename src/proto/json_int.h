#pragma once
/* What the files of the JSON reader share. */
#include "base/json.h"
#include "proto/json.h"

/* One reading of one text. */
struct proto_json {
    struct json_reader r;
    unsigned flags;
    struct arena *arena;
    const struct proto_pool *pool;
    unsigned depth; /* messages that are open, entries of maps among them */
    struct err *err;
};

/* Sets code and message with the place of the present token. */
int proto_json_refuse(struct proto_json *j, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The reader's own error at the present token. */
int proto_json_refuse_text(struct proto_json *j);
/* More than the arena may hold. */
int proto_json_refuse_full(struct proto_json *j);
/* "an object", "a string" and so on. */
const char *proto_json_token_name(enum json_token token);

/* The text of the KEY or STRING at hand, in the arena. */
int proto_json_text(struct proto_json *j, struct str *ret);

/* A value of a field that is no message, from the present token; field: what err is about. */
int proto_json_scalar(struct proto_json *j, enum json_token token,
                      const struct proto_field_desc *type, const struct proto_field_desc *field,
                      union proto_value *ret);

/* A message from the value that begins with the present token. */
int proto_json_message(struct proto_json *j, enum json_token token, struct proto_msg *msg);
/* The members up to the end of the object, of which "{" was read; skip: a key to be passed. */
int proto_json_members(struct proto_json *j, struct proto_msg *msg, struct str skip);
/* The entries of a map up to the end of the object. */
int proto_json_entries(struct proto_json *j, struct proto_msg *msg,
                       const struct proto_field_desc *field);

/* The same as proto_json_message for types that have a form of their own. */
int proto_json_wkt(struct proto_json *j, enum json_token token, struct proto_msg *msg);
