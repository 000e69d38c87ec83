/* Operations at the routers. */
#include "base/clock.h"
#include "base/num.h"
#include "controller/controller_int.h"

#include <string.h>

#define LOOK_MS    250
#define BLIP_MS    5000 /* what is shorter is no outage */
#define PPM        1000000u
#define RELEASE_BY 65 /* what a router keeps of who asked */

static const char *const track_word[RELEASE_TRACKS] = {"stable", "canary"};

static enum track gateway_track(enum release_track track)
{
    return track == RELEASE_CANARY ? TRACK_CANARY : TRACK_STABLE;
}

static enum release_outcome ended(struct task *t, int rc, const struct err *err)
{
    return rc < 0 ? task_fail(t, err) : RELEASE_OK;
}

/* Where the routers' weights are greater than those of the plan, so is what is needed. */
static uint64_t need_of(const struct task *t, const struct port_capacity *seen, int track)
{
    uint64_t all = seen->weight[TRACK_STABLE] + seen->weight[TRACK_CANARY];
    uint64_t need = t->op.need[track];
    return t->op.all > 0 && all > t->op.all ? (need * all + t->op.all - 1) / t->op.all : need;
}

/* What is missing to let a host go, as a sentence in `why`; false: nothing is. */
static bool lacks_others(struct task *t, const struct port_capacity *seen, char why[400])
{
    const struct release_config *config = t->c->config;
    const struct release_host *host = &config->host[t->op.host];
    for (int k = 0; k < RELEASE_TRACKS; k++) {
        uint64_t need = need_of(t, seen, k);
        if (seen->weight_without[k] < need) {
            buf_print(why, 400,
                      "without %s the routers would have %llu of the capacity of %s, and keep_up "
                      "wants %llu: others are out or failing",
                      host->name, (unsigned long long) seen->weight_without[k], track_word[k],
                      (unsigned long long) need);
            return true;
        }
    }
    uint64_t left = t->op.both_dc ? seen->both_dc_without : seen->peers_dc_without;
    if (left < t->op.need_dc) {
        buf_print(why, 400,
                  "without %s the routers would have %llu hosts of data center %s, and "
                  "keep_up.per_datacenter wants %u: others are out or failing",
                  host->name, (unsigned long long) left, config->dc[host->dc], t->op.need_dc);
        return true;
    }
    return false;
}

static bool lacks_capacity(struct task *t, const struct port_capacity *seen, char why[400])
{
    for (int k = 0; k < RELEASE_TRACKS; k++) {
        uint64_t need = need_of(t, seen, k);
        if (seen->weight[k] < need) {
            char share[16];
            num_share_text(t->op.share_ppm, share);
            buf_print(why, 400,
                      "at a share of %s, %s needs %llu of the capacity and the routers see %llu "
                      "ready and passing there",
                      share, track_word[k], (unsigned long long) need,
                      (unsigned long long) seen->weight[k]);
            return true;
        }
    }
    return false;
}

/*
 * By what every router sees now.  A check that failed once on a busy machine is a blip: what is
 * missing has to be missing for a while.
 */
static enum release_outcome enough(struct task *t, const struct port_routers *at,
                                   const char *address)
{
    const struct release_config *config = t->c->config;
    const char *dc = t->op.host < 0 ? NULL : config->dc[config->host[t->op.host].dc];
    const uint64_t until_ms = clock_mono_ms() + BLIP_MS;
    for (;;) {
        struct port_capacity seen;
        struct err err = {0};
        char why[400];
        if (port_capacity(at, address, dc, &seen, &err) < 0) {
            return task_fail(t, &err);
        }
        bool lacks = address == NULL ? lacks_capacity(t, &seen, why)
                                     : seen.known && lacks_others(t, &seen, why);
        if (!lacks) {
            return RELEASE_OK;
        }
        if (clock_mono_ms() >= until_ms || !task_sleep(t, LOOK_MS)) {
            task_tell(t, "%s", why);
            return t->cancelled ? RELEASE_CANCELLED : RELEASE_FAILED;
        }
    }
}

/* As routers call the one who drains: the same for all releases, so that each ends what one began.
 */
static void by_text(const struct controller *c, char out[RELEASE_BY])
{
    buf_print(out, RELEASE_BY, "release of %s", c->config->service);
}

/* A peer that no router has needs no drain. */
static enum release_outcome unless_missing(struct task *t, int rc, const struct err *err)
{
    return rc == ERR_NOT_FOUND ? RELEASE_OK : ended(t, rc, err);
}

static int add(struct task *t, const struct port_routers *at, const char *address, struct err *err)
{
    const struct release_host *host = &t->c->config->host[t->op.host];
    char by[RELEASE_BY];
    by_text(t->c, by);
    return port_add(at, address, gateway_track(t->op.track), t->c->config->dc[host->dc],
                    host->weight, by, err);
}

/* What was tested is what joins. */
static enum release_outcome ready(struct task *t, const struct port_routers *at,
                                  const char *address)
{
    struct err err = {0};
    struct driver_place place =
        controller_place_of(t->c, t->op.host, t->op.slot, t->op.version, t, &t->told);
    struct driver_seen seen;
    if (t->op.instance != 0) {
        int rc = t->c->driver->observe(&place, &seen, &err);
        if (rc < 0) {
            return task_fail(t, &err);
        }
        if (seen.copy[t->op.slot].instance != t->op.instance) {
            task_tell(t, "what runs on %s is not the copy that was tested: %s",
                      t->c->config->host[t->op.host].name,
                      seen.copy[t->op.slot].any ? "it was started again" : "it has ended");
            return RELEASE_FAILED;
        }
    }
    int rc = port_ready(at, address, gateway_track(t->op.track), &err);
    if (rc == ERR_NOT_FOUND) {
        rc = add(t, at, address, &err);
        rc = rc < 0 ? rc : port_ready(at, address, gateway_track(t->op.track), &err);
    }
    return ended(t, rc, &err);
}

/* Figures */

static uint32_t ppm_of(uint64_t part, uint64_t all)
{
    return all == 0 ? 0 : (uint32_t) (part * PPM / all);
}

/* RELEASE_OK: within the limits so far. */
static enum release_outcome judge(struct task *t, const struct port_figures *f)
{
    const struct release_limits *limits = &t->c->config->limits;
    uint64_t requests = f->requests[TRACK_CANARY], errors = f->errors[TRACK_CANARY];
    if (requests < limits->min_requests || requests == 0) {
        return RELEASE_NOTHING;
    }
    if (limits->has_errors && ppm_of(errors, requests) > limits->errors_ppm) {
        task_tell(t,
                  "%llu of %llu requests of the new version failed (%.2f %%), the limit is %g %%",
                  (unsigned long long) errors, (unsigned long long) requests,
                  ppm_of(errors, requests) / 1e4, limits->errors_ppm / 1e4);
        return RELEASE_EXCEEDED;
    }
    if (limits->has_p99 && f->p99_us[TRACK_CANARY] > limits->p99_us) {
        task_tell(t,
                  "one of a hundred requests of the new version took %.1f ms or more, the limit is "
                  "%.1f ms",
                  (double) f->p99_us[TRACK_CANARY] / 1e3, (double) limits->p99_us / 1e3);
        return RELEASE_EXCEEDED;
    }
    return RELEASE_OK;
}

static void tell_figures(struct task *t, const struct port_figures *f)
{
    task_tell(t, "%llu requests of the new version, %llu failed, p99 %.1f ms",
              (unsigned long long) f->requests[TRACK_CANARY],
              (unsigned long long) f->errors[TRACK_CANARY], (double) f->p99_us[TRACK_CANARY] / 1e3);
}

static enum release_outcome no_data(struct task *t, const struct port_figures *f)
{
    const struct release_limits *limits = &t->c->config->limits;
    if (f->broken) {
        task_tell(t, "a router was started anew meanwhile, so its figures are no evidence");
    } else {
        task_tell(t,
                  "%llu requests of the new version in the time of this stage, and "
                  "canary.limits.min_requests wants %llu",
                  (unsigned long long) f->requests[TRACK_CANARY],
                  (unsigned long long) limits->min_requests);
    }
    return RELEASE_NOTHING;
}

static enum release_outcome look_again(struct task *t, const struct port_routers *at,
                                       struct port_look **first, struct port_figures *ret)
{
    struct port_look *now;
    struct err err = {0};
    if (port_look(at, &now, &err) < 0) {
        return task_fail(t, &err);
    }
    if (*first == NULL) {
        *first = now;
        memset(ret, 0, sizeof *ret);
        return RELEASE_OK;
    }
    port_between(*first, now, ret);
    port_look_free(now);
    return RELEASE_OK;
}

/* For wait_ms; then, when there was not enough to judge by, until the deadline. */
static enum release_outcome dwell(struct task *t, const struct port_routers *at)
{
    const struct release_limits *limits = &t->c->config->limits;
    bool judged = (limits->has_errors || limits->has_p99) && t->op.share_ppm > 0;
    const uint64_t until_ms = clock_mono_ms() + t->op.wait_ms;
    struct port_look *first = NULL;
    struct port_figures figures = {0};
    enum release_outcome outcome;
    for (;;) {
        uint64_t now_ms = clock_mono_ms();
        outcome = look_again(t, at, &first, &figures);
        if (outcome != RELEASE_OK) {
            break;
        }
        outcome = judged ? judge(t, &figures) : RELEASE_OK;
        bool late = now_ms + LOOK_MS >= t->deadline_ms;
        if (outcome == RELEASE_EXCEEDED || (outcome == RELEASE_OK && now_ms >= until_ms) || late) {
            break;
        }
        uint64_t left_ms = now_ms < until_ms ? until_ms - now_ms : LOOK_MS;
        if (!task_sleep(t, left_ms < LOOK_MS ? left_ms : LOOK_MS)) {
            outcome = t->cancelled ? RELEASE_CANCELLED : RELEASE_NOTHING;
            break;
        }
    }
    port_look_free(first);
    if (outcome == RELEASE_NOTHING) {
        return no_data(t, &figures);
    }
    if (outcome == RELEASE_OK && t->op.share_ppm > 0) {
        tell_figures(t, &figures);
    }
    return outcome;
}

static enum release_outcome share(struct task *t, const struct port_routers *at)
{
    struct err err = {0};
    return ended(t, port_share(at, t->op.share_ppm, t->salts ? t->c->header.salt : NULL, &err),
                 &err);
}

/* Visitors are sampled where all routers say how they are reached. */
static enum release_outcome verify(struct task *t, const struct port_routers *at)
{
    const struct release_config *config = t->c->config;
    struct err err = {0};
    const char **visit = mem_array(config->routers + 1, sizeof *visit);
    size_t n = 0;
    for (size_t i = 0; i < config->routers; i++) {
        if (config->router[i].visit != NULL) {
            visit[n++] = config->router[i].visit;
        }
    }
    int rc = port_verify(at, n == config->routers ? visit : NULL, n == config->routers ? n : 0,
                         t->op.share_ppm, &err);
    mem_free(visit);
    if (rc == ERR_NOT_FOUND) {
        task_tell(t, "%s", err.msg);
        return RELEASE_NOTHING;
    }
    return ended(t, rc, &err);
}

static enum release_outcome drain(struct task *t, const struct port_routers *at,
                                  const char *address)
{
    const struct release_spec *spec = &t->c->config->spec;
    struct err err = {0};
    char by[RELEASE_BY];
    by_text(t->c, by);
    int rc = port_drain(at, address, by, spec->requests_ms, spec->streams_ms, &err);
    return unless_missing(t, rc, &err);
}

static bool changes(enum release_op_kind kind)
{
    return kind == OP_DRAIN || kind == OP_READY || kind == OP_ADD || kind == OP_REMOVE ||
           kind == OP_TRACK || kind == OP_SHARE;
}

/*
 * Routers know no lease: a controller that was stopped for long, and has lost its own meanwhile,
 * looks before it says anything to them.  A host that cannot be reached says nothing against it.
 */
static bool has_lost_lease(struct task *t)
{
    struct err err = {0};
    struct driver_place place = controller_place_of(t->c, t->op.host < 0 ? 0 : t->op.host,
                                                    RELEASE_SLOT_A, RELEASE_NEW, t, &t->told);
    if (t->c->locked && t->c->driver->lease_beat(&place, LEASE_MS, &err) == ERR_CONFLICT) {
        t->c->fenced = true;
        task_tell(t, "%s", err.msg);
    }
    return t->c->fenced;
}

enum release_outcome task_at_router(struct task *t)
{
    struct port_routers at = controller_routers(t->c, t);
    enum track track = gateway_track(t->op.track);
    struct err err = {0};
    char address[256] = "";
    if (changes(t->op.kind) && has_lost_lease(t)) {
        return RELEASE_FENCED;
    }
    if (t->op.host >= 0 && controller_address(t->c, t->op.host, t->op.slot, address, &err) < 0) {
        return task_fail(t, &err);
    }
    switch ((int) t->op.kind) {
    case OP_KEEP_UP:
        return enough(t, &at, address);
    case OP_CAPACITY:
        return enough(t, &at, NULL);
    case OP_DRAIN:
        return drain(t, &at, address);
    case OP_QUIET:
        return unless_missing(t, port_quiet(&at, address, &err), &err);
    case OP_READY:
        return ready(t, &at, address);
    case OP_ADD:
        return ended(t, add(t, &at, address, &err), &err);
    case OP_REMOVE:
        return unless_missing(t, port_remove(&at, address, &err), &err);
    case OP_TRACK:
        return ended(t, port_track(&at, address, track, &err), &err);
    case OP_SHARE:
        return share(t, &at);
    case OP_VERIFY:
        return verify(t, &at);
    case OP_DWELL:
        return dwell(t, &at);
    default:
        BUG("no router does \"%s\"", release_op_name[t->op.kind]);
    }
}
