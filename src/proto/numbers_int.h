#pragma once
/* Field numbers of google/protobuf/descriptor.proto, as far as they are used here. */
#include "proto/message.h"

enum {
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_DEPENDENCY = 3,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    FILE_EXTENSION = 7,
    FILE_OPTIONS = 8,
    FILE_SOURCE_CODE_INFO = 9,
    FILE_PUBLIC_DEPENDENCY = 10,
    FILE_WEAK_DEPENDENCY = 11,
    FILE_SYNTAX = 12,

    MESSAGE_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_EXTENSION_RANGE = 5,
    MESSAGE_EXTENSION = 6,
    MESSAGE_OPTIONS = 7,
    MESSAGE_ONEOF = 8,
    MESSAGE_RESERVED_RANGE = 9,
    MESSAGE_RESERVED_NAME = 10,

    RANGE_START = 1,
    RANGE_END = 2, /* of messages behind the last, of enums the last */
    RANGE_OPTIONS = 3,

    FIELD_NAME = 1,
    FIELD_EXTENDEE = 2,
    FIELD_NUMBER = 3,
    FIELD_LABEL = 4,
    FIELD_TYPE = 5,
    FIELD_TYPE_NAME = 6,
    FIELD_DEFAULT = 7,
    FIELD_OPTIONS = 8,
    FIELD_ONEOF_INDEX = 9,
    FIELD_JSON_NAME = 10,
    FIELD_PROTO3_OPTIONAL = 17,

    LABEL_OPTIONAL = 1,
    LABEL_REQUIRED = 2,
    LABEL_REPEATED = 3,

    ONEOF_NAME = 1,
    ONEOF_OPTIONS = 2,

    ENUM_NAME = 1,
    ENUM_VALUE = 2,
    ENUM_OPTIONS = 3,
    ENUM_RESERVED_RANGE = 4,
    ENUM_RESERVED_NAME = 5,

    VALUE_NAME = 1,
    VALUE_NUMBER = 2,
    VALUE_OPTIONS = 3,

    SERVICE_NAME = 1,
    SERVICE_METHOD = 2,
    SERVICE_OPTIONS = 3,

    METHOD_NAME = 1,
    METHOD_INPUT = 2,
    METHOD_OUTPUT = 3,
    METHOD_OPTIONS = 4,
    METHOD_CLIENT_STREAMING = 5,
    METHOD_SERVER_STREAMING = 6,

    OPTION_MESSAGE_SET = 1, /* MessageOptions */
    OPTION_MAP_ENTRY = 7,
    OPTION_PACKED = 2,      /* FieldOptions */
    OPTION_OLD_FIELD = 3,   /* deprecated */
    OPTION_ALLOW_ALIAS = 2, /* EnumOptions */
    OPTION_DEPRECATED = 33, /* MethodOptions */
    OPTION_IDEMPOTENCY = 34,

    OPTIONS_UNINTERPRETED = 999, /* of every kind of options */

    OPTION_NAME = 2, /* UninterpretedOption */
    OPTION_IDENTIFIER = 3,
    OPTION_POSITIVE = 4,
    OPTION_NEGATIVE = 5,
    OPTION_DOUBLE = 6,
    OPTION_STRING = 7,
    OPTION_AGGREGATE = 8, /* the text between the braces as it was written */

    NAME_PART = 1, /* UninterpretedOption.NamePart */
    NAME_IS_EXTENSION = 2,
};

/* The field with that number of a descriptor: its value or default. */
static inline union proto_value proto_at(const struct proto_msg *msg, uint32_t number)
{
    return proto_get(msg, proto_field_of(msg, number));
}
static inline bool proto_has_at(const struct proto_msg *msg, uint32_t number)
{
    return proto_has(msg, proto_field_of(msg, number));
}
static inline size_t proto_len_at(const struct proto_msg *msg, uint32_t number)
{
    return proto_len(msg, proto_field_of(msg, number));
}
static inline union proto_value proto_item_at(const struct proto_msg *msg, uint32_t number,
                                              size_t i)
{
    return proto_item(msg, proto_field_of(msg, number), i);
}
/* A boolean of an options message that may be absent. */
static inline bool proto_option(const struct proto_msg *options, uint32_t number)
{
    return options != NULL && proto_at(options, number).boolean;
}
