#pragma once
/*
 * Descriptors: what is known of files, messages, fields, enums and services once they are linked.
 * Made by a pool (pool.h), which owns them; they never change and outlive every message made of
 * them.
 *
 * What depends on syntax or edition (presence, packing, UTF-8, groups, closed enums) is resolved
 * into plain members, so that nobody else asks for the syntax.
 */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of google.protobuf.FieldDescriptorProto.Type. */
enum proto_type {
    PROTO_DOUBLE = 1,
    PROTO_FLOAT = 2,
    PROTO_INT64 = 3,
    PROTO_UINT64 = 4,
    PROTO_INT32 = 5,
    PROTO_FIXED64 = 6,
    PROTO_FIXED32 = 7,
    PROTO_BOOL = 8,
    PROTO_STRING = 9,
    PROTO_GROUP = 10,
    PROTO_MESSAGE = 11,
    PROTO_BYTES = 12,
    PROTO_UINT32 = 13,
    PROTO_ENUM = 14,
    PROTO_SFIXED32 = 15,
    PROTO_SFIXED64 = 16,
    PROTO_SINT32 = 17,
    PROTO_SINT64 = 18,
};

/* Messages with a JSON form of their own. */
enum proto_wkt {
    PROTO_WKT_NONE,
    PROTO_WKT_ANY,
    PROTO_WKT_TIMESTAMP,
    PROTO_WKT_DURATION,
    PROTO_WKT_FIELD_MASK,
    PROTO_WKT_STRUCT,
    PROTO_WKT_VALUE,
    PROTO_WKT_LIST_VALUE,
    PROTO_WKT_WRAPPER, /* DoubleValue ... BytesValue: field 1 is the value */
    PROTO_WKT_EMPTY,
};

enum proto_syntax { PROTO_SYNTAX_2, PROTO_SYNTAX_3, PROTO_SYNTAX_EDITION };

struct proto_pool;
struct proto_msg;
struct proto_file_desc;
struct proto_message_desc;

/* A value of a field; which member counts is said by the field's type. */
union proto_value {
    bool boolean;
    int32_t i32; /* INT32 SINT32 SFIXED32 ENUM */
    uint32_t u32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
    struct str bytes;      /* STRING BYTES */
    struct proto_msg *msg; /* MESSAGE GROUP */
    struct proto_list *list;
};

struct proto_enum_value_desc {
    struct str name;
    int32_t number;
    const struct proto_msg *options; /* google.protobuf.EnumValueOptions, or NULL */
};

struct proto_enum_desc {
    struct str name, full_name;
    const struct proto_file_desc *file;
    const struct proto_enum_value_desc
        *value; /* in the order of the file; the first is the default */
    size_t values;
    bool closed;        /* proto2: unknown numbers go to the unknown fields */
    bool is_null_value; /* google.protobuf.NullValue */
    const struct proto_msg *options;
    const void *index; /* of the pool: names and numbers to values */
};

struct proto_oneof_desc {
    struct str name;
    const struct proto_message_desc *parent;
    const struct proto_field_desc *const *field;
    size_t fields;
};

struct proto_field_desc {
    struct str name, json_name;
    struct str full_name; /* "pkg.Msg.field"; of an extension "pkg.ext" */
    uint32_t number;
    enum proto_type type;
    bool repeated; /* maps too */
    bool required;
    bool packed;       /* how it is written; both are read */
    bool has_presence; /* absent and default differ */
    bool check_utf8;   /* STRING with bad UTF-8 is refused */
    bool is_map;       /* repeated messages of a type with is_map_entry */
    bool is_extension;
    bool proto3_optional;
    size_t index;                              /* in parent->field; not of extensions */
    const struct proto_message_desc *parent;   /* of an extension: what it extends */
    const struct proto_message_desc *message;  /* type of MESSAGE and GROUP */
    const struct proto_enum_desc *enumeration; /* type of ENUM */
    const struct proto_oneof_desc *oneof;      /* NULL for none and for a synthetic one */
    const struct proto_file_desc *file;
    union proto_value fallback; /* the default of a scalar */
    const struct proto_msg *options;
};

struct proto_message_desc {
    struct str name, full_name;
    const struct proto_file_desc *file;
    const struct proto_message_desc *parent; /* NULL at the top of a file */
    const struct proto_field_desc *field;    /* in the order of the file */
    size_t fields;
    const struct proto_field_desc *const *by_number; /* the same, by number */
    const struct proto_oneof_desc *oneof;            /* real ones */
    size_t oneofs;
    const struct proto_message_desc *const *message; /* nested */
    size_t messages;
    const struct proto_enum_desc *const *enumeration; /* nested */
    size_t enumerations;
    bool is_map_entry; /* field[0] is the key, field[1] the value */
    bool message_set;  /* option message_set_wire_format */
    bool has_required; /* here or in a message below, as far as can be reached */
    enum proto_wkt wkt;
    const struct proto_msg *options;
    const void *index; /* of the pool: names to fields, extensions */
};

/* google.protobuf.MethodOptions.IdempotencyLevel */
enum proto_idempotency { PROTO_IDEMPOTENCY_UNKNOWN, PROTO_NO_SIDE_EFFECTS, PROTO_IDEMPOTENT };

struct proto_service_desc;

struct proto_method_desc {
    struct str name, full_name; /* "pkg.Service.Method" */
    const char *path;           /* "/pkg.Service/Method" */
    const struct proto_service_desc *service;
    const struct proto_message_desc *input, *output;
    bool client_streaming, server_streaming;
    bool deprecated;
    enum proto_idempotency idempotency;
    const struct proto_msg *options;
};

struct proto_service_desc {
    struct str name, full_name;
    const struct proto_file_desc *file;
    const struct proto_method_desc *method;
    size_t methods;
    const struct proto_msg *options;
};

struct proto_file_desc {
    struct str name, package;
    enum proto_syntax syntax;
    const struct proto_pool *pool;
    const struct proto_msg
        *source; /* google.protobuf.FileDescriptorProto that it was linked from */
    const struct proto_file_desc *const *import;
    size_t imports;
    const struct proto_message_desc *const *message; /* of the top level */
    size_t messages;
    const struct proto_enum_desc *const *enumeration;
    size_t enumerations;
    const struct proto_service_desc *const *service;
    size_t services;
    const struct proto_field_desc *const *extension; /* nested ones too */
    size_t extensions;
};

/* NULL when there is none.  Extensions are of the pool. */
const struct proto_field_desc *proto_field_by_name(const struct proto_message_desc *desc,
                                                   struct str name);
/* By name or json_name. */
const struct proto_field_desc *proto_field_by_any_name(const struct proto_message_desc *desc,
                                                       struct str name);
const struct proto_field_desc *proto_field_by_number(const struct proto_message_desc *desc,
                                                     uint32_t number);
const struct proto_enum_value_desc *proto_enum_by_name(const struct proto_enum_desc *desc,
                                                       struct str name);
/* The first of that number. */
const struct proto_enum_value_desc *proto_enum_by_number(const struct proto_enum_desc *desc,
                                                         int32_t number);
const struct proto_oneof_desc *proto_oneof_by_name(const struct proto_message_desc *desc,
                                                   struct str name);

/* Key and value of a map field. */
static inline const struct proto_field_desc *proto_map_key(const struct proto_field_desc *field)
{
    return &field->message->field[0];
}
static inline const struct proto_field_desc *proto_map_value(const struct proto_field_desc *field)
{
    return &field->message->field[1];
}

/* "int64", "string", "message shop.v1.Order", "map<string, int32>", "repeated bytes": for messages.
 */
const char *proto_field_type_text(const struct proto_field_desc *field, char *out, size_t size);
/* "unary", "client streaming", "server streaming", "bidirectional streaming" */
const char *proto_method_kind(const struct proto_method_desc *method);
