/* A step in words. */
#include "base/num.h"
#include "controller/controller_int.h"

static void add_version(const struct controller *c, const struct release_step_plan *step,
                        const char *before, struct buf *b)
{
    int host = step->key.host;
    const char *variant = controller_variant(c, host, step->version, step->track);
    buf_addf(b, "%s%s%s%s", before, controller_version(c, host, step->version),
             variant[0] == '\0' ? "" : "-", variant);
    if (c->config->spec.swap == RELEASE_BESIDE) {
        buf_addf(b, " in slot %c", step->slot == RELEASE_SLOT_A ? 'a' : 'b');
    }
}

static const char *track_word(enum release_track track)
{
    return track == RELEASE_CANARY ? "the canary track" : "stable";
}

static void host_words(const struct controller *c, const struct release_step_plan *step,
                       struct buf *b)
{
    switch ((int) step->key.kind) {
    case STEP_PREFLIGHT:
        buf_add_cstr(b, "reachable, rights, clock, others up");
        break;
    case STEP_ROOM:
        buf_add_cstr(b, "room on the disk");
        break;
    case STEP_PULL:
        add_version(c, step, "pull ", b);
        break;
    case STEP_LEAVE:
        buf_add_cstr(b, "out of every router, nothing in flight, health check fails");
        break;
    case STEP_STOP:
        buf_add_cstr(b, "stop workers, then applications");
        break;
    case STEP_PROXY:
        buf_add_cstr(b, "proxy up, failing by command");
        break;
    case STEP_CONNECT:
        buf_add_cstr(b, "outside components answer");
        break;
    case STEP_START:
        add_version(c, step, "start ", b);
        break;
    case STEP_TEST:
        buf_add_cstr(b, "API tests against this host alone");
        break;
    case STEP_JOIN:
        buf_addf(b, "health check passes, every router sends to it on %s", track_word(step->track));
        break;
    case STEP_SOAK:
        buf_addf(b, "watch it for %g s", (double) step->wait_ms / 1e3);
        break;
    case STEP_SWITCH:
        add_version(c, step, "no new visitors for ", b);
        break;
    case STEP_STOP_OLD:
        add_version(c, step, "stop ", b);
        break;
    case STEP_PUT_BACK:
        buf_add_cstr(b, "back into the routers as it was");
        break;
    case STEP_SHUT:
        buf_add_cstr(b, "out of the routers, everything stopped");
        break;
    case STEP_TRACK:
        buf_addf(b, "to %s", track_word(step->track));
        break;
    case STEP_MIGRATE:
        add_version(c, step, "migration, once, in ", b);
        break;
    default:
        buf_add_cstr(b, release_step_name[step->key.kind]);
        break;
    }
}

static const char *hook_name(const struct controller *c, const struct release_step_plan *step)
{
    enum release_hook_time when = step->key.kind == STEP_HOOK_AFTER ? HOOK_AFTER : HOOK_BEFORE;
    return step->key.nth < c->config->hooks[when] ? c->config->hook[when][step->key.nth].name : "";
}

void controller_step_words(const struct controller *c, const struct release_step_plan *step,
                           struct buf *b)
{
    char share[16];
    num_share_text(step->share_ppm, share);
    switch ((int) step->key.kind) {
    case STEP_LOCK:
        buf_addf(b, "lease of %zu hosts", c->config->hosts);
        break;
    case STEP_HOOK_BEFORE:
    case STEP_HOOK_AFTER:
        buf_addf(b, "hook %s", hook_name(c, step));
        break;
    case STEP_SHARE:
        buf_addf(b, "%s of the visitors to the new version, on every router", share);
        break;
    case STEP_DWELL:
        if (step->hold) {
            buf_add_cstr(b, "wait for a person");
        } else {
            buf_addf(b, "stay at %s for %g s, within the limits", share,
                     (double) step->wait_ms / 1e3);
        }
        break;
    case STEP_KEEP_OLD:
        buf_addf(b, "old copies stay warm for %g s", (double) step->wait_ms / 1e3);
        break;
    default:
        host_words(c, step, b);
        break;
    }
}
