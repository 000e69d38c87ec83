/* Events as lines; see event.h. */
#include "cli/event.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/out.h"

#include <time.h>

#define LINE_TEXT_MAX 240

void event_clock(struct buf *b, uint64_t wall_ms)
{
    struct tm tm;
    time_t t = (time_t) (wall_ms / 1000);
    if (localtime_r(&t, &tm) == NULL) {
        buf_add_cstr(b, "--:--:--");
        return;
    }
    buf_addf(b, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static const char *host_of(const struct view *v, const struct controller_event *e)
{
    int host = e->step == NULL ? -1 : e->step->key.host;
    return host >= 0 && (size_t) host < v->hosts ? v->host[host].name : "";
}

static const char *status_of(const struct controller_event *e)
{
    bool late = e->status == STEP_BROKEN && e->outcome == RELEASE_LATE;
    bool away = e->status == STEP_BROKEN && e->outcome == RELEASE_AWAY;
    return late ? "late" : away ? "unreachable" : view_status(e->status);
}

/* A line is for one look; the message at the end, --json and `show` have the whole text. */
static void add_text(struct buf *b, const char *text)
{
    struct str rest = str_of(text);
    size_t len = 0;
    if (rest.len == 0) {
        return;
    }
    while (len < rest.len && len < LINE_TEXT_MAX) {
        size_t n = str_utf8_char((struct str){rest.ptr + len, rest.len - len});
        len += n > 0 ? n : 1;
    }
    char *cut = mem_strdup_str((struct str){rest.ptr, len});
    buf_add_cstr(b, "  ");
    view_one_line(b, cut);
    buf_add_cstr(b, len < rest.len ? " ..." : "");
    mem_free(cut);
}

void event_line(const struct view *v, const struct controller_event *e, struct buf *b)
{
    const char *host = host_of(v, e);
    event_clock(b, e->at_ms);
    buf_addf(b, " %-10s ", host[0] != '\0' ? host : "-");
    switch (e->kind) {
    case CONTROLLER_STEP:
        buf_addf(b, "%-10s %s", release_step_name[e->step->key.kind], status_of(e));
        if (e->status == STEP_DONE || e->status == STEP_BROKEN) {
            buf_add_char(b, ' ');
            out_time(b, e->took_ms);
        }
        if (e->attempt > 1) {
            buf_addf(b, ", attempt %u", e->attempt);
        }
        if (e->step->key.kind == STEP_SHARE || e->step->key.kind == STEP_DWELL) {
            buf_add_cstr(b, "  ");
            view_share(b, e->step->share_ppm);
        }
        break;
    case CONTROLLER_MODE:
        buf_addf(b, "%-10s %s\n", "release", e->state); /* why: the step's own line says it */
        return;
    case CONTROLLER_SHARE:
        buf_addf(b, "%-10s ", "share");
        view_share(b, e->share_ppm);
        buf_add_cstr(b, " at all routers");
        break;
    case CONTROLLER_TOLD:
        buf_addf(b, "%-10s", e->step != NULL ? release_step_name[e->step->key.kind] : "release");
        break;
    }
    add_text(b, e->text);
    buf_add_char(b, '\n');
}

static void json_step(const struct view *v, const struct controller_event *e, struct json_writer *w)
{
    const struct release_key *key = &e->step->key;
    json_kv_cstr(w, "part", view_part(key->part));
    if (key->host >= 0) {
        json_kv_cstr(w, "host", host_of(v, e));
    }
    json_kv_cstr(w, "step", release_step_name[key->kind]);
    if (key->kind == STEP_SHARE || key->kind == STEP_DWELL) {
        json_kv_u64(w, "share_ppm", e->step->share_ppm);
    }
}

void event_json(const struct view *v, const struct controller_event *e, struct buf *b)
{
    static const char *const name[] = {
        [CONTROLLER_STEP] = "step",
        [CONTROLLER_MODE] = "mode",
        [CONTROLLER_SHARE] = "share",
        [CONTROLLER_TOLD] = "told",
    };
    char at[32];
    struct json_writer w;
    clock_format_utc_ms(e->at_ms, at);
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "event", name[e->kind]);
    json_kv_cstr(&w, "at", at);
    json_kv_u64(&w, "at_ms", e->at_ms);
    json_kv_cstr(&w, "service", v->service);
    if (e->step != NULL && (e->kind == CONTROLLER_STEP || e->kind == CONTROLLER_TOLD)) {
        json_step(v, e, &w);
    }
    if (e->kind == CONTROLLER_STEP) {
        json_kv_cstr(&w, "status", view_status(e->status));
        json_kv_cstr(&w, "outcome", release_outcome_name[e->outcome]);
        json_kv_u64(&w, "attempt", e->attempt);
        json_kv_u64(&w, "took_ms", e->took_ms);
    } else if (e->kind == CONTROLLER_MODE) {
        json_kv_cstr(&w, "state", e->state);
    } else if (e->kind == CONTROLLER_SHARE) {
        json_kv_u64(&w, "share_ppm", e->share_ppm);
    }
    json_kv_cstr(&w, "text", e->text != NULL ? e->text : "");
    json_obj_end(&w);
    buf_add_char(b, '\n');
}

/* Of the way forward, of which only the journal is left: what is where, the way back says. */
static bool is_past(const struct view *v, const struct view_step *s)
{
    return s >= v->past.ptr && s < v->past.ptr + v->past.len;
}

static void apply_step(struct view *v, const struct controller_event *e)
{
    struct view_step *s = view_find(v, &e->step->key);
    if (s == NULL) {
        return;
    }
    if (e->kind == CONTROLLER_STEP) {
        s->status = e->status;
        s->outcome = e->outcome;
        s->attempt = e->attempt;
        s->took_ms = e->took_ms;
        if (e->status == STEP_RUNNING) {
            s->began_ms = e->at_ms;
        }
        if (!is_past(v, s)) {
            view_step_over(v, s);
        }
    }
    if (e->text != NULL && e->text[0] != '\0') {
        mem_free(s->text);
        s->text = mem_strdup(e->text);
    }
}

void event_apply(struct view *v, const struct controller_event *e)
{
    v->now_ms = e->at_ms;
    switch (e->kind) {
    case CONTROLLER_STEP:
    case CONTROLLER_TOLD:
        if (e->step != NULL) {
            apply_step(v, e);
        }
        break;
    case CONTROLLER_MODE:
        buf_print(v->state, sizeof v->state, "%s", e->state);
        buf_print(v->reason, sizeof v->reason, "%s", e->text != NULL ? e->text : "");
        break;
    case CONTROLLER_SHARE:
        v->share_ppm = e->share_ppm;
        break;
    }
}
