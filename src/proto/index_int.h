#pragma once
/* What the pool keeps for quick look-ups beside the public members of descriptors. */
#include "base/str.h"
#include "base/vec.h"
#include "proto/desc.h"

#include <stddef.h>
#include <stdint.h>

/* A name of a field: its own or the one of JSON. */
struct proto_name {
    struct str name;
    const struct proto_field_desc *field;
};

struct proto_range {
    uint32_t first, last; /* both inside */
};

/* proto_message_desc.index.  Changes while files are added: extensions come later. */
struct proto_message_index {
    struct proto_message_index *next;           /* all of a pool, which frees their vectors */
    const struct proto_name *name;              /* sorted; names */
    const struct proto_name *json;              /* sorted; json_names */
    const struct proto_range *range;            /* of extensions, sorted; ranges */
    size_t names, jsons, ranges;                /* of the three */
    VEC(const struct proto_field_desc *) known; /* extensions, by number */
};

/* proto_enum_desc.index */
struct proto_enum_index {
    const struct proto_enum_value_desc *const *by_name;   /* desc->values of them */
    const struct proto_enum_value_desc *const *by_number; /* the first of each number; numbers */
    size_t numbers;
};

/* Memory order and then length; what the indexes are sorted by. */
int proto_str_compare(struct str a, struct str b);

/* The extension of that number in the pool of desc, or NULL. */
const struct proto_field_desc *proto_extension_of(const struct proto_message_desc *desc,
                                                  uint32_t number);
/* Whether any extension of desc is known. */
bool proto_has_extensions(const struct proto_message_desc *desc);
