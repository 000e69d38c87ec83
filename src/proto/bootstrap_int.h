#pragma once
/*
 * google/protobuf/descriptor.proto of protobuf 3.21 as rows.  A MESSAGE or ENUM goes to its END;
 * order is that of the file, fields before nested messages before enums before ranges.
 */
#include "proto/desc.h"

enum proto_row_kind {
    PROTO_ROW_MESSAGE,
    PROTO_ROW_ENUM,
    PROTO_ROW_END,
    PROTO_ROW_FIELD,
    PROTO_ROW_VALUE,
    PROTO_ROW_EXTENSIONS,
    PROTO_ROW_RESERVED,
};

enum { PROTO_ROW_PACKED = 1, PROTO_ROW_DEPRECATED = 2 }; /* options of a field */

struct proto_row {
    const char *name;
    const char *type_name; /* within google.protobuf */
    const char *fallback;  /* default_value */
    enum proto_row_kind kind;
    int32_t number, end; /* end: behind the last number of a range */
    uint8_t type, label; /* as in FieldDescriptorProto */
    uint8_t option;      /* 0: none */
};

extern const struct proto_row proto_rows[];
extern const size_t proto_rows_len;
