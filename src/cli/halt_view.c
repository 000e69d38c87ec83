/* The message of a halted release, made of what is shown of it. */
#include "cli/halt.h"

#include "base/mem.h"

#include <string.h>

/* The step of trouble of a host; NULL. */
static const struct view_step *trouble_of(const struct view *v, int host,
                                          enum release_step_kind kind)
{
    for (size_t i = v->len; i < v->total; i++) {
        const struct release_key *key = &v->step[i].plan.key;
        if (key->host == host && key->kind == kind) {
            return &v->step[i];
        }
    }
    return NULL;
}

static void what_was_done(const struct view *v, int host, struct halt *h)
{
    const struct view_step *shut = trouble_of(v, host, STEP_SHUT);
    const struct view_step *back = trouble_of(v, host, STEP_PUT_BACK);
    h->done = HALT_UNTOUCHED;
    if (back != NULL && back->status == STEP_DONE) {
        h->done = HALT_PUT_BACK;
    } else if (shut != NULL && shut->status == STEP_DONE) {
        h->done = HALT_SHUT;
    } else if ((shut != NULL && shut->status == STEP_BROKEN) ||
               (back != NULL && back->status == STEP_BROKEN)) {
        const struct view_step *s = shut != NULL && shut->status == STEP_BROKEN ? shut : back;
        h->done = HALT_STUCK;
        h->done_text = s->text;
    }
}

static bool any_left(const struct view *v)
{
    for (size_t i = 0; i < v->total; i++) {
        const struct view_step *s = &v->step[i];
        bool moves = s->plan.key.kind == STEP_LEAVE || s->plan.key.kind == STEP_STOP ||
                     s->plan.key.kind == STEP_START || s->plan.key.kind == STEP_JOIN ||
                     s->plan.key.kind == STEP_SHUT;
        if (moves && s->status != STEP_PENDING) {
            return true;
        }
    }
    return false;
}

static struct halt_host at_host(const struct view *v, const struct view_host *h)
{
    return (struct halt_host){
        .name = h->name,
        .dc = h->dc < v->dcs ? v->dc[h->dc] : "",
        .version = h->now_version,
        .state = h->now_state,
    };
}

void halt_of_view(const struct view *v, struct buf *b)
{
    const struct view_step *s = v->culprit >= 0 ? &v->step[v->culprit] : NULL;
    struct halt_host *at = mem_array(v->hosts == 0 ? 1 : v->hosts, sizeof *at);
    struct halt h = {
        .state = v->state,
        .direction = v->direction,
        .has_step = v->culprit >= 0,
        .outcome = v->outcome,
        .text = v->reason,
        .from = v->from,
        .to = v->direction == RELEASE_BACK ? v->from : v->to,
        .options = v->options,
        .number = v->number,
        .share_ppm = v->share_ppm,
        .barrier = v->barrier,
        .is_train = strcmp(v->kind, "train") == 0,
        .any_left = any_left(v),
        .at = at,
        .hosts = v->hosts,
    };
    for (size_t i = 0; i < v->hosts; i++) {
        at[i] = at_host(v, &v->host[i]);
    }
    if (s != NULL) {
        int host = s->plan.key.host;
        h.kind = s->plan.key.kind;
        h.hold = s->plan.hold;
        h.words = s->words != NULL ? s->words : "";
        h.step_ppm = s->plan.share_ppm;
        h.text = s->text != NULL && s->text[0] != '\0' ? s->text : v->reason;
        if (host >= 0 && (size_t) host < v->hosts) {
            h.host = v->host[host].name;
            h.dc = at[host].dc;
            what_was_done(v, host, &h);
        }
    }
    halt_message(&h, b);
    mem_free(at);
}
