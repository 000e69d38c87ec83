/* Words and small parts of what is shown of a release; see view.h. */
#include "cli/view.h"

#include "base/mem.h"

#include <string.h>

static void step_done(struct view_step *s)
{
    mem_free(s->text);
    mem_free(s->words);
}

void view_done(struct view *v)
{
    for (size_t i = 0; i < v->total; i++) {
        step_done(&v->step[i]);
    }
    for (size_t i = 0; i < v->past.len; i++) {
        step_done(&v->past.ptr[i]);
    }
    vec_done(&v->past);
    mem_free(v->step);
    mem_free(v->host);
    memset(v, 0, sizeof *v);
}

const char *view_part(unsigned part)
{
    static const char *const name[PARTS] = {
        [PART_PREPARE] = "prepare", [PART_POOL] = "pool", [PART_WALK] = "walk",
        [PART_STABLE] = "stable",   [PART_DOWN] = "down", [PART_FINISH] = "finish",
        [PART_SHUT] = "shut",
    };
    return part < PARTS ? name[part] : "";
}

const char *view_status(enum release_step_status status)
{
    static const char *const name[] = {
        [STEP_PENDING] = "pending", [STEP_RUNNING] = "running", [STEP_DONE] = "done",
        [STEP_BROKEN] = "failed",   [STEP_SKIPPED] = "skipped",
    };
    return name[status];
}

const char *view_host_of(const struct view *v, const struct view_step *s)
{
    int host = s->plan.key.host;
    return host >= 0 && (size_t) host < v->hosts ? v->host[host].name : "";
}

void view_share(struct buf *b, uint32_t share_ppm)
{
    buf_addf(b, "%g %%", share_ppm / 1e4);
}

void view_one_line(struct buf *b, const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' ')) {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '\n') {
            buf_add_cstr(b, "; ");
        } else if ((unsigned char) c < ' ' || c == 0x7f) {
            buf_add_char(b, '?');
        } else {
            buf_add_char(b, c);
        }
    }
}

static bool same_key(const struct release_key *a, const struct release_key *b)
{
    return a->direction == b->direction && a->kind == b->kind && a->part == b->part &&
           a->host == b->host && a->nth == b->nth;
}

struct view_step *view_find(const struct view *v, const struct release_key *key)
{
    for (size_t i = 0; i < v->total; i++) {
        if (same_key(&v->step[i].plan.key, key)) {
            return &v->step[i];
        }
    }
    for (size_t i = 0; i < v->past.len; i++) {
        if (same_key(&v->past.ptr[i].plan.key, key)) {
            return &v->past.ptr[i];
        }
    }
    return NULL;
}

/* What a step that is over leaves a host as; NULL: as it was. */
static const char *left_as(const struct view_step *s)
{
    switch ((int) s->plan.key.kind) {
    case STEP_LEAVE:
        return "out of the routers";
    case STEP_STOP:
    case STEP_PROXY:
    case STEP_SHUT:
        return "stopped, out of the routers";
    case STEP_START:
    case STEP_TEST:
        return "up, not in the routers yet";
    case STEP_JOIN:
    case STEP_PUT_BACK:
    case STEP_TRACK:
        return "serves";
    default:
        return NULL;
    }
}

static const char *version_of(const struct view *v, size_t host, enum release_version version)
{
    if (version == RELEASE_NEW) {
        return v->to;
    }
    return v->host[host].old_version[0] != '\0' ? v->host[host].old_version : v->from;
}

/* At rest: what the release found. */
static void as_found(struct view *v, size_t host)
{
    struct view_host *h = &v->host[host];
    buf_print(h->now_version, sizeof h->now_version, "%s", version_of(v, host, RELEASE_OLD));
    buf_print(h->now_state, sizeof h->now_state, "%s", h->served ? "serves" : "not in the routers");
}

void view_step_over(struct view *v, const struct view_step *s)
{
    int host = s->plan.key.host;
    const char *as = left_as(s);
    if (host < 0 || (size_t) host >= v->hosts || s->status != STEP_DONE || as == NULL) {
        return;
    }
    struct view_host *h = &v->host[host];
    buf_print(h->now_state, sizeof h->now_state, "%s%s", as,
              strcmp(as, "serves") == 0 && s->plan.track == RELEASE_CANARY ? " the canary" : "");
    if (s->plan.version != RELEASE_NONE && s->plan.key.kind != STEP_LEAVE) {
        buf_print(h->now_version, sizeof h->now_version, "%s",
                  version_of(v, (size_t) host, s->plan.version));
    }
}

/* "serves", "up; draining by release shop-17", "stopped; draining": one copy as it was seen. */
static void copy_as_seen(const struct view_copy *c, struct buf *b)
{
    if (c->serves && c->runs) {
        buf_addf(b, "serves%s", c->track == RELEASE_CANARY ? " the canary" : "");
        return;
    }
    buf_add_cstr(b, c->runs ? "up" : "stopped");
    if (!c->known) {
        buf_add_cstr(b, ", no router knows it");
    } else if (c->state[0] != '\0') {
        buf_addf(b, ", %s", c->state);
    }
    if (c->dead[0] != '\0') {
        buf_addf(b, "; %s", c->dead);
    }
}

static bool is_there(const struct view_copy *c)
{
    return c->version[0] != '\0' || c->runs || c->known;
}

static void as_seen(struct view_host *h)
{
    struct buf b;
    size_t main = 0, other = 1;
    buf_init_fixed(&b, h->now_state, sizeof h->now_state);
    h->now_version[0] = '\0';
    if (!h->reached) {
        buf_add_cstr(&b, "not reached: ");
        view_one_line(&b, h->error);
        return;
    }
    if ((h->copy[1].serves && !h->copy[0].serves) || !is_there(&h->copy[0])) {
        main = 1;
        other = 0;
    }
    if (!is_there(&h->copy[main])) {
        buf_add_cstr(&b, "nothing runs");
        return;
    }
    buf_print(h->now_version, sizeof h->now_version, "%s", h->copy[main].version);
    copy_as_seen(&h->copy[main], &b);
    if (h->copy[other].runs || h->copy[other].serves) {
        buf_addf(&b, "; beside it %s ", h->copy[other].version);
        copy_as_seen(&h->copy[other], &b);
    }
}

void view_places(struct view *v)
{
    for (size_t i = 0; i < v->hosts; i++) {
        if (v->host[i].looked) {
            as_seen(&v->host[i]);
        } else {
            as_found(v, i);
        }
    }
    for (size_t i = 0; i < v->total; i++) {
        int host = v->step[i].plan.key.host;
        if (host >= 0 && (size_t) host < v->hosts && !v->host[host].looked) {
            view_step_over(v, &v->step[i]);
        }
    }
}
