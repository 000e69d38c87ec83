/*
 * Compare and set: what a request to change a split comes to. Pure; docs/reference/api.md, "Setting
 * the split", is the specification.
 */
#pragma once

#include "traffic/zone.h"

/* Greatest revision: 2^53 - 1, which every JSON reader holds exactly. */
#define SPLIT_REVISION_MAX 9007199254740991u

struct split_request {
    uint64_t revision;    /* of the split that is wanted; above the present one's */
    uint64_t if_revision; /* what the present one has to be, unless if_any */
    uint32_t share_ppm;
    bool has_share, has_salt, has_enabled, if_any;
    bool enabled;
    uint8_t salt_len;
    char salt[CUT_SALT_MAX];
};

/*
 * May the step from one split to the other move a visitor to the canary? So it is when the share
 * rises, the salt is another, or enabled becomes true.
 */
bool split_can_raise(const struct split *from, const struct split *to);

/*
 * The split that request makes of now; its key is still that of now (zone_split_set_locked makes
 * it). ERR_CONFLICT: request is stale, *ret_field is "revision" or "if_revision".
 */
int split_change(const struct split *now, const struct split_request *request,
                 struct split *ret_next, const char **ret_field, struct err *err);
