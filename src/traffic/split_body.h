/*
 * The body of PUT v1/services/S/split, read strictly; docs/reference/api.md is the specification.
 * Pure, no allocation.
 */
#pragma once

#include "base/err.h"
#include "traffic/split_change.h"

/*
 * ERR_INVALID: *ret_field is the field at fault (a view of text, or of constant text), empty when
 * the fault is no field's; *ret_request is untouched.
 */
int split_body_read(struct str text, struct split_request *ret_request, struct str *ret_field,
                    struct err *err);
