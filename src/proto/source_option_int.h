#pragma once
/*
 * Options into the wire form of their message.  A message of options may have extensions that are
 * defined in the very file that is being read and are not linked yet, so fields and types are
 * looked at through views that both linked descriptors and DescriptorProtos give.
 */
#include "proto/source_symbol_int.h"

/* A message type: one of both is set. */
struct option_type {
    const struct proto_message_desc *linked;
    const struct proto_msg *source; /* DescriptorProto, with resolved names */
    struct str name;                /* full */
};

struct option_field {
    struct str name; /* of an extension in full */
    uint32_t number;
    enum proto_type type;
    bool repeated, required, packed, extension;
    int32_t oneof;                             /* index in its message, -1: none */
    struct option_type message;                /* of MESSAGE and GROUP */
    const struct proto_enum_desc *linked_enum; /* of ENUM, one of both */
    const struct proto_msg *source_enum;
    struct str type_name; /* of MESSAGE, GROUP, ENUM: full */
};

struct option_value {
    enum {
        OPTION_IS_IDENT,
        OPTION_IS_UINT,
        OPTION_IS_NEGATIVE,
        OPTION_IS_DOUBLE,
        OPTION_IS_STRING
    } kind;
    struct str text; /* IDENT, STRING */
    uint64_t u64;    /* UINT */
    int64_t i64;     /* NEGATIVE; 0 or below */
    double f64;
    bool lenient;   /* of the text format: t, 1, inf, numbers of enums */
    const char *at; /* for the place of errors */
};

/* false: there is none. */
bool option_type_field(const struct resolve *r, const struct option_type *type, struct str name,
                       struct option_field *ret);
/* The i-th field; false: there are less. */
bool option_type_field_at(const struct resolve *r, const struct option_type *type, size_t i,
                          struct option_field *ret);
bool option_type_is_message_set(const struct option_type *type);
struct option_type option_type_of(const struct source_symbol *symbol);
/* symbol: of kind EXTENSION.  ret_of: full name of what it extends. */
void option_extension(const struct resolve *r, const struct source_symbol *symbol,
                      struct option_field *ret, struct str *ret_of);
/* Nearest field or NULL: for "did you mean". */
const char *option_type_nearest(const struct resolve *r, const struct option_type *type,
                                struct str name, char out[65]);

/* Appends the field with its value, which is none of MESSAGE or GROUP. */
int option_put_scalar(struct resolve *r, const struct option_field *field,
                      const struct option_value *value, struct buf *b);
/* Appends a MESSAGE or GROUP of these contents. */
void option_put_message(const struct option_field *field, struct str contents, struct buf *b);
void option_put_bytes(uint32_t number, struct str bytes, struct buf *b);
/* An item of a MessageSet. */
void option_put_item(uint32_t number, struct str contents, struct buf *b);

/*
 * Text format (protobuf.dev/reference/protobuf/textformat-spec) of a message of this type into its
 * wire form.  text: a view of the source, which lex->whole is.
 */
int option_text(struct resolve *r, struct str text, const struct option_type *type, struct buf *b);
