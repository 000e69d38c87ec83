/* Compare and set of a split; see split_change.h. */
#include "traffic/split_change.h"

#include <inttypes.h>
#include <string.h>

bool split_can_raise(const struct split *from, const struct split *to)
{
    bool other_salt =
        from->salt_len != to->salt_len || memcmp(from->salt, to->salt, from->salt_len) != 0;
    return to->share_ppm > from->share_ppm || other_salt || (to->enabled && !from->enabled);
}

static struct split apply(const struct split *now, const struct split_request *request)
{
    struct split next = *now;

    next.revision = request->revision;
    if (request->has_share) {
        next.share_ppm = request->share_ppm;
    }
    if (request->has_enabled) {
        next.enabled = request->enabled;
    }
    if (request->has_salt) {
        next.salt_len = request->salt_len;
        memcpy(next.salt, request->salt, request->salt_len);
    }
    return next;
}

int split_change(const struct split *now, const struct split_request *request,
                 struct split *ret_next, const char **ret_field, struct err *err)
{
    struct split next = apply(now, request);

    *ret_field = "if_revision";
    if (!request->if_any && request->if_revision != now->revision) {
        return err_set(err, ERR_CONFLICT,
                       "if_revision is %" PRIu64 ", but the split is at revision %" PRIu64
                       "; read it and decide anew",
                       request->if_revision, now->revision);
    }
    if (request->if_any && split_can_raise(now, &next)) {
        return err_set(err, ERR_CONFLICT,
                       "if_revision is \"any\", but this change could move visitors to the canary; "
                       "for that it has to be the present revision, %" PRIu64,
                       now->revision);
    }
    if (request->revision <= now->revision) {
        *ret_field = "revision";
        return err_set(err, ERR_CONFLICT,
                       "revision is %" PRIu64 ", but the split is at revision %" PRIu64
                       " already; a higher one is right",
                       request->revision, now->revision);
    }
    *ret_next = next;
    return 0;
}
