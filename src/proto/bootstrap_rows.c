/* The rows of google/protobuf/descriptor.proto: see bootstrap_int.h. */
#include "proto/bootstrap_int.h"

#include "proto/numbers_int.h"

#define MESSAGE(NAME)                             \
    {                                             \
        .kind = PROTO_ROW_MESSAGE, .name = (NAME) \
    }
#define ENUM(NAME)                             \
    {                                          \
        .kind = PROTO_ROW_ENUM, .name = (NAME) \
    }
#define END                   \
    {                         \
        .kind = PROTO_ROW_END \
    }
#define VALUE(NUMBER, NAME)                                         \
    {                                                               \
        .kind = PROTO_ROW_VALUE, .number = (NUMBER), .name = (NAME) \
    }
#define EXTENSIONS(FIRST, END_)                                        \
    {                                                                  \
        .kind = PROTO_ROW_EXTENSIONS, .number = (FIRST), .end = (END_) \
    }
#define RESERVED(FIRST, END_)                                        \
    {                                                                \
        .kind = PROTO_ROW_RESERVED, .number = (FIRST), .end = (END_) \
    }

#define FIELD(LABEL, TYPE, NUMBER, NAME)                                                       \
    .kind = PROTO_ROW_FIELD, .label = LABEL_##LABEL, .type = PROTO_##TYPE, .number = (NUMBER), \
    .name = (NAME)
#define ONE(TYPE, NUMBER, NAME)             \
    {                                       \
        FIELD(OPTIONAL, TYPE, NUMBER, NAME) \
    }
#define MANY(TYPE, NUMBER, NAME)            \
    {                                       \
        FIELD(REPEATED, TYPE, NUMBER, NAME) \
    }
#define NEED(TYPE, NUMBER, NAME)            \
    {                                       \
        FIELD(REQUIRED, TYPE, NUMBER, NAME) \
    }
#define ONE_OF(TYPE, NUMBER, NAME, OF)                         \
    {                                                          \
        FIELD(OPTIONAL, TYPE, NUMBER, NAME), .type_name = (OF) \
    }
#define MANY_OF(TYPE, NUMBER, NAME, OF)                        \
    {                                                          \
        FIELD(REPEATED, TYPE, NUMBER, NAME), .type_name = (OF) \
    }
#define PACKED(TYPE, NUMBER, NAME)                                      \
    {                                                                   \
        FIELD(REPEATED, TYPE, NUMBER, NAME), .option = PROTO_ROW_PACKED \
    }
#define FLAG(NUMBER, NAME, DEFAULT)                                \
    {                                                              \
        FIELD(OPTIONAL, BOOL, NUMBER, NAME), .fallback = (DEFAULT) \
    }
#define OLD_FLAG(NUMBER, NAME)                                              \
    {                                                                       \
        FIELD(OPTIONAL, BOOL, NUMBER, NAME), .option = PROTO_ROW_DEPRECATED \
    }
#define CHOICE(NUMBER, NAME, OF, DEFAULT)                                             \
    {                                                                                 \
        FIELD(OPTIONAL, ENUM, NUMBER, NAME), .type_name = (OF), .fallback = (DEFAULT) \
    }

const struct proto_row proto_rows[] = {
    MESSAGE("FileDescriptorSet"),
    MANY_OF(MESSAGE, 1, "file", "FileDescriptorProto"),
    END,
    MESSAGE("FileDescriptorProto"),
    ONE(STRING, 1, "name"),
    ONE(STRING, 2, "package"),
    MANY(STRING, 3, "dependency"),
    MANY(INT32, 10, "public_dependency"),
    MANY(INT32, 11, "weak_dependency"),
    MANY_OF(MESSAGE, 4, "message_type", "DescriptorProto"),
    MANY_OF(MESSAGE, 5, "enum_type", "EnumDescriptorProto"),
    MANY_OF(MESSAGE, 6, "service", "ServiceDescriptorProto"),
    MANY_OF(MESSAGE, 7, "extension", "FieldDescriptorProto"),
    ONE_OF(MESSAGE, 8, "options", "FileOptions"),
    ONE_OF(MESSAGE, 9, "source_code_info", "SourceCodeInfo"),
    ONE(STRING, 12, "syntax"),
    END,
    MESSAGE("DescriptorProto"),
    ONE(STRING, 1, "name"),
    MANY_OF(MESSAGE, 2, "field", "FieldDescriptorProto"),
    MANY_OF(MESSAGE, 6, "extension", "FieldDescriptorProto"),
    MANY_OF(MESSAGE, 3, "nested_type", "DescriptorProto"),
    MANY_OF(MESSAGE, 4, "enum_type", "EnumDescriptorProto"),
    MANY_OF(MESSAGE, 5, "extension_range", "DescriptorProto.ExtensionRange"),
    MANY_OF(MESSAGE, 8, "oneof_decl", "OneofDescriptorProto"),
    ONE_OF(MESSAGE, 7, "options", "MessageOptions"),
    MANY_OF(MESSAGE, 9, "reserved_range", "DescriptorProto.ReservedRange"),
    MANY(STRING, 10, "reserved_name"),
    MESSAGE("ExtensionRange"),
    ONE(INT32, 1, "start"),
    ONE(INT32, 2, "end"),
    ONE_OF(MESSAGE, 3, "options", "ExtensionRangeOptions"),
    END,
    MESSAGE("ReservedRange"),
    ONE(INT32, 1, "start"),
    ONE(INT32, 2, "end"),
    END,
    END,
    MESSAGE("ExtensionRangeOptions"),
    MANY_OF(MESSAGE, 999, "uninterpreted_option", "UninterpretedOption"),
    EXTENSIONS(1000, 536870912),
    END,
    MESSAGE("FieldDescriptorProto"),
    ONE(STRING, 1, "name"),
    ONE(INT32, 3, "number"),
    ONE_OF(ENUM, 4, "label", "FieldDescriptorProto.Label"),
    ONE_OF(ENUM, 5, "type", "FieldDescriptorProto.Type"),
    ONE(STRING, 6, "type_name"),
    ONE(STRING, 2, "extendee"),
    ONE(STRING, 7, "default_value"),
    ONE(INT32, 9, "oneof_index"),
    ONE(STRING, 10, "json_name"),
    ONE_OF(MESSAGE, 8, "options", "FieldOptions"),
    ONE(BOOL, 17, "proto3_optional"),
    ENUM("Type"),
    VALUE(1, "TYPE_DOUBLE"),
    VALUE(2, "TYPE_FLOAT"),
    VALUE(3, "TYPE_INT64"),
    VALUE(4, "TYPE_UINT64"),
    VALUE(5, "TYPE_INT32"),
    VALUE(6, "TYPE_FIXED64"),
    VALUE(7, "TYPE_FIXED32"),
    VALUE(8, "TYPE_BOOL"),
    VALUE(9, "TYPE_STRING"),
    VALUE(10, "TYPE_GROUP"),
    VALUE(11, "TYPE_MESSAGE"),
    VALUE(12, "TYPE_BYTES"),
    VALUE(13, "TYPE_UINT32"),
    VALUE(14, "TYPE_ENUM"),
    VALUE(15, "TYPE_SFIXED32"),
    VALUE(16, "TYPE_SFIXED64"),
    VALUE(17, "TYPE_SINT32"),
    VALUE(18, "TYPE_SINT64"),
    END,
    ENUM("Label"),
    VALUE(1, "LABEL_OPTIONAL"),
    VALUE(2, "LABEL_REQUIRED"),
    VALUE(3, "LABEL_REPEATED"),
    END,
    END,
    MESSAGE("OneofDescriptorProto"),
    ONE(STRING, 1, "name"),
    ONE_OF(MESSAGE, 2, "options", "OneofOptions"),
    END,
    MESSAGE("EnumDescriptorProto"),
    ONE(STRING, 1, "name"),
    MANY_OF(MESSAGE, 2, "value", "EnumValueDescriptorProto"),
    ONE_OF(MESSAGE, 3, "options", "EnumOptions"),
    MANY_OF(MESSAGE, 4, "reserved_range", "EnumDescriptorProto.EnumReservedRange"),
    MANY(STRING, 5, "reserved_name"),
    MESSAGE("EnumReservedRange"),
    ONE(INT32, 1, "start"),
    ONE(INT32, 2, "end"),
    END,
    END,
    MESSAGE("EnumValueDescriptorProto"),
    ONE(STRING, 1, "name"),
    ONE(INT32, 2, "number"),
    ONE_OF(MESSAGE, 3, "options", "EnumValueOptions"),
    END,
    MESSAGE("ServiceDescriptorProto"),
    ONE(STRING, 1, "name"),
    MANY_OF(MESSAGE, 2, "method", "MethodDescriptorProto"),
    ONE_OF(MESSAGE, 3, "options", "ServiceOptions"),
    END,
    MESSAGE("MethodDescriptorProto"),
    ONE(STRING, 1, "name"),
    ONE(STRING, 2, "input_type"),
    ONE(STRING, 3, "output_type"),
    ONE_OF(MESSAGE, 4, "options", "MethodOptions"),
    FLAG(5, "client_streaming", "false"),
    FLAG(6, "server_streaming", "false"),
    END,
    MESSAGE("FileOptions"),
    ONE(STRING, 1, "java_package"),
    ONE(STRING, 8, "java_outer_classname"),
    FLAG(10, "java_multiple_files", "false"),
    OLD_FLAG(20, "java_generate_equals_and_hash"),
    FLAG(27, "java_string_check_utf8", "false"),
    CHOICE(9, "optimize_for", "FileOptions.OptimizeMode", "SPEED"),
    ONE(STRING, 11, "go_package"),
    FLAG(16, "cc_generic_services", "false"),
    FLAG(17, "java_generic_services", "false"),
    FLAG(18, "py_generic_services", "false"),
    FLAG(42, "php_generic_services", "false"),
    FLAG(23, "deprecated", "false"),
    FLAG(31, "cc_enable_arenas", "true"),
    ONE(STRING, 36, "objc_class_prefix"),
    ONE(STRING, 37, "csharp_namespace"),
    ONE(STRING, 39, "swift_prefix"),
    ONE(STRING, 40, "php_class_prefix"),
    ONE(STRING, 41, "php_namespace"),
    ONE(STRING, 44, "php_metadata_namespace"),
    ONE(STRING, 45, "ruby_package"),
    MANY_OF(MESSAGE, 999, "uninterpreted_option", "UninterpretedOption"),
    ENUM("OptimizeMode"),
    VALUE(1, "SPEED"),
    VALUE(2, "CODE_SIZE"),
    VALUE(3, "LITE_RUNTIME"),
    END,
    EXTENSIONS(1000, 536870912),
    RESERVED(38, 39),
    END,
    MESSAGE("MessageOptions"),
    FLAG(1, "message_set_wire_format", "false"),
    FLAG(2, "no_standard_descriptor_accessor", "false"),
    FLAG(3, "deprecated", "false"),
    ONE(BOOL, 7, "map_entry"),
    MANY_OF(MESSAGE, 999, "uninterpreted_option", "UninterpretedOption"),
    EXTENSIONS(1000, 536870912),
    RESERVED(4, 5),
    RESERVED(5, 6),
    RESERVED(6, 7),
    RESERVED(8, 9),
    RESERVED(9, 10),
    END,
    MESSAGE("FieldOptions"),
    CHOICE(1, "ctype", "FieldOptions.CType", "STRING"),
    ONE(BOOL, 2, "packed"),
    CHOICE(6, "jstype", "FieldOptions.JSType", "JS_NORMAL"),
    FLAG(5, "lazy", "false"),
    FLAG(15, "unverified_lazy", "false"),
    FLAG(3, "deprecated", "false"),
    FLAG(10, "weak", "false"),
    MANY_OF(MESSAGE, 999, "uninterpreted_option", "UninterpretedOption"),
    ENUM("CType"),
    VALUE(0, "STRING"),
    VALUE(1, "CORD"),
    VALUE(2, "STRING_PIECE"),
    END,
    ENUM("JSType"),
    VALUE(0, "JS_NORMAL"),
    VALUE(1, "JS_STRING"),
    VALUE(2, "JS_NUMBER"),
    END,
    EXTENSIONS(1000, 536870912),
    RESERVED(4, 5),
    END,
    MESSAGE("OneofOptions"),
    MANY_OF(MESSAGE, 999, "uninterpreted_option", "UninterpretedOption"),
    EXTENSIONS(1000, 536870912),
    END,
    MESSAGE("EnumOptions"),
    ONE(BOOL, 2, "allow_alias"),
    FLAG(3, "deprecated", "false"),
    MANY_OF(MESSAGE, 999, "uninterpreted_option", "UninterpretedOption"),
    EXTENSIONS(1000, 536870912),
    RESERVED(5, 6),
    END,
    MESSAGE("EnumValueOptions"),
    FLAG(1, "deprecated", "false"),
    MANY_OF(MESSAGE, 999, "uninterpreted_option", "UninterpretedOption"),
    EXTENSIONS(1000, 536870912),
    END,
    MESSAGE("ServiceOptions"),
    FLAG(33, "deprecated", "false"),
    MANY_OF(MESSAGE, 999, "uninterpreted_option", "UninterpretedOption"),
    EXTENSIONS(1000, 536870912),
    END,
    MESSAGE("MethodOptions"),
    FLAG(33, "deprecated", "false"),
    CHOICE(34, "idempotency_level", "MethodOptions.IdempotencyLevel", "IDEMPOTENCY_UNKNOWN"),
    MANY_OF(MESSAGE, 999, "uninterpreted_option", "UninterpretedOption"),
    ENUM("IdempotencyLevel"),
    VALUE(0, "IDEMPOTENCY_UNKNOWN"),
    VALUE(1, "NO_SIDE_EFFECTS"),
    VALUE(2, "IDEMPOTENT"),
    END,
    EXTENSIONS(1000, 536870912),
    END,
    MESSAGE("UninterpretedOption"),
    MANY_OF(MESSAGE, 2, "name", "UninterpretedOption.NamePart"),
    ONE(STRING, 3, "identifier_value"),
    ONE(UINT64, 4, "positive_int_value"),
    ONE(INT64, 5, "negative_int_value"),
    ONE(DOUBLE, 6, "double_value"),
    ONE(BYTES, 7, "string_value"),
    ONE(STRING, 8, "aggregate_value"),
    MESSAGE("NamePart"),
    NEED(STRING, 1, "name_part"),
    NEED(BOOL, 2, "is_extension"),
    END,
    END,
    MESSAGE("SourceCodeInfo"),
    MANY_OF(MESSAGE, 1, "location", "SourceCodeInfo.Location"),
    MESSAGE("Location"),
    PACKED(INT32, 1, "path"),
    PACKED(INT32, 2, "span"),
    ONE(STRING, 3, "leading_comments"),
    ONE(STRING, 4, "trailing_comments"),
    MANY(STRING, 6, "leading_detached_comments"),
    END,
    END,
    MESSAGE("GeneratedCodeInfo"),
    MANY_OF(MESSAGE, 1, "annotation", "GeneratedCodeInfo.Annotation"),
    MESSAGE("Annotation"),
    PACKED(INT32, 1, "path"),
    ONE(STRING, 2, "source_file"),
    ONE(INT32, 3, "begin"),
    ONE(INT32, 4, "end"),
    END,
    END,
};
const size_t proto_rows_len = sizeof proto_rows / sizeof proto_rows[0];
