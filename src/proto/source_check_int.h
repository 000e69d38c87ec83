#pragma once
/* Private to the checks of files that stand by themselves. */
#include "proto/source_symbol_int.h"

/* Whether two of a list of fields or values have the same number. */
bool source_check_twice(const struct proto_msg *of, uint32_t list, uint32_t number,
                        const struct proto_msg **ret_first, const struct proto_msg **ret_second);
int source_check_enum(struct resolve *r, const struct proto_msg *enumeration);
/* source_check_enum.c: aliases, the first value and names of values. */
int source_check_values(struct resolve *r, const struct proto_msg *enumeration);
