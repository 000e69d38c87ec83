/* The track of a request; see decide.h. */
#include "traffic/decide.h"

static struct decision wished(enum wish wish, enum reason reason)
{
    return (struct decision){
        .track = wish == WISH_CANARY ? TRACK_CANARY : TRACK_STABLE,
        .reason = reason,
    };
}

/* By the visitor's bucket; without an id stable, or a draw of its own. */
static struct decision cut(const struct decide_in *in, uint32_t bucket)
{
    bool by_id = in->id.len > 0;
    bool canary = (by_id || in->no_id_random) && cut_is_canary(bucket, in->split->share_ppm);

    return wished(canary ? WISH_CANARY : WISH_STABLE, by_id ? REASON_SPLIT : REASON_NO_ID);
}

struct decision decide(const struct decide_in *in)
{
    struct decision decision;
    uint64_t u = in->id.len > 0 ? cut_u(&in->split->key, in->id) : in->random;
    uint32_t bucket = cut_bucket(u);

    if (!in->split->enabled) {
        decision = wished(WISH_STABLE, REASON_DISABLED);
    } else if (in->forced != WISH_NONE) {
        decision = wished(in->forced, REASON_FORCED);
    } else if (in->version != WISH_NONE) {
        decision = wished(in->version, REASON_VERSION_COOKIE);
    } else {
        decision = cut(in, bucket);
    }
    if (decision.track == TRACK_CANARY && !in->canary_live) {
        decision = wished(WISH_STABLE, REASON_FALLBACK);
    }
    if (in->id.len > 0) {
        decision.has_u = true;
        decision.u = u;
        decision.bucket = bucket;
    }
    return decision;
}
