#pragma once
/* A JSON value as a tree; see apitest_json_parse in value.h. */
#include "apitest/value.h"
#include "base/buf.h"

#define APITEST_JSON_DEPTH_MAX 100

enum apitest_json_kind {
    APITEST_JSON_NULL,
    APITEST_JSON_BOOL,
    APITEST_JSON_NUMBER, /* text: as written; of a Value also NaN, Infinity, -Infinity */
    APITEST_JSON_STRING, /* text: without escapes */
    APITEST_JSON_LIST,
    APITEST_JSON_OBJECT,
};

struct apitest_json_member {
    struct str key;
    const struct apitest_json *value;
};

struct apitest_json {
    enum apitest_json_kind kind;
    bool boolean;
    struct str text;
    size_t len; /* items or members */
    union {
        const struct apitest_json **item;
        struct apitest_json_member *member;
    };
};

const char *apitest_json_kind_name(enum apitest_json_kind kind);
/* NULL: json is no object, or has no such key. */
const struct apitest_json *apitest_json_find(const struct apitest_json *json, struct str key);
/* Exact whatever the size: 1.0 is 1 is 1e0.  -1, 0, 1; 2: one of them is NaN and the other not. */
int apitest_json_order(struct str a, struct str b);
/* Objects in any order. */
bool apitest_json_equal(const struct apitest_json *a, const struct apitest_json *b);
void apitest_json_write(const struct apitest_json *json, struct buf *b);
/* Of a google.protobuf.Struct, Value or ListValue.  NULL: no memory, or nested too deep. */
const struct apitest_json *apitest_json_of_message(const struct proto_msg *msg,
                                                   struct arena *arena);
