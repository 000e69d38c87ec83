/* Releases of the past; see history.h. */
#include "cli/history.h"

#include "base/clock.h"
#include "base/json.h"
#include "cli/out.h"

#include <string.h>
#include <time.h>

/* "2026-01-31 23:59", in the zone of TZ. */
static void when(uint64_t wall_ms, char out[32])
{
    struct tm tm;
    time_t t = (time_t) (wall_ms / 1000);
    if (wall_ms == 0 || localtime_r(&t, &tm) == NULL ||
        strftime(out, 32, "%Y-%m-%d %H:%M", &tm) == 0) {
        buf_print(out, 32, "-");
    }
}

static void took(const struct journal_release *r, char out[32])
{
    struct buf b;
    buf_print(out, 32, "-");
    if (r->ended_ms > r->began_ms) {
        buf_init_fixed(&b, out, 32);
        out_time(&b, r->ended_ms - r->began_ms);
    }
}

void history_table(const struct journal_releases *list, struct buf *b)
{
    static const char *const head[] = {"#",  "BEGAN", "SERVICE", "ENV", "KIND", "FROM",
                                       "TO", "STATE", "TOOK",    "BY",  "WHY"};
    struct table t;
    if (list->list.len == 0) {
        buf_add_cstr(b, "no release is known here\n");
        return;
    }
    table_init(&t, head, sizeof head / sizeof head[0], 1u << 0 | 1u << 8);
    for (size_t i = 0; i < list->list.len; i++) {
        const struct journal_release *r = &list->list.ptr[i];
        char began[32], time[32];
        when(r->began_ms, began);
        took(r, time);
        table_addf(&t, "%llu", (unsigned long long) r->number);
        const char *cell[] = {began,      r->service, r->environment, r->kind, r->from,
                              r->version, r->state,   time,           r->by,   r->why};
        for (size_t k = 0; k < sizeof cell / sizeof cell[0]; k++) {
            table_addf(&t, "%s", cell[k][0] != '\0' ? cell[k] : "-");
        }
    }
    table_write(&t, b);
    table_done(&t);
}

void history_json(const struct journal_releases *list, struct buf *b)
{
    for (size_t i = 0; i < list->list.len; i++) {
        const struct journal_release *r = &list->list.ptr[i];
        struct json_writer w;
        json_writer_init(&w, b);
        json_obj_begin(&w);
        json_kv_u64(&w, "number", r->number);
        json_kv_cstr(&w, "id", r->id);
        json_kv_cstr(&w, "service", r->service);
        json_kv_cstr(&w, "environment", r->environment);
        json_kv_cstr(&w, "kind", r->kind);
        json_kv_cstr(&w, "from", r->from);
        json_kv_cstr(&w, "version", r->version);
        json_kv_cstr(&w, "state", r->state);
        json_kv_cstr(&w, "by", r->by);
        json_kv_cstr(&w, "why", r->why);
        json_kv_u64(&w, "began_ms", r->began_ms);
        json_kv_u64(&w, "ended_ms", r->ended_ms);
        json_obj_end(&w);
        buf_add_char(b, '\n');
    }
}

void show_text(const struct view *v, struct buf *b)
{
    char began[32];
    when(v->began_ms, began);
    buf_addf(b, "%s%s%s%s %s %llu: %s -> %s, %s\n", v->service,
             v->environment[0] != '\0' ? " (" : "", v->environment,
             v->environment[0] != '\0' ? ")" : "", v->kind, (unsigned long long) v->number,
             v->from[0] != '\0' ? v->from : "nothing", v->to, v->state);
    buf_addf(b, "began %s by %s%s%s\n", began, v->by, v->why[0] != '\0' ? ": " : "", v->why);
    if (v->reason[0] != '\0') {
        buf_add_cstr(b, "why it is ");
        buf_addf(b, "%s: ", v->state);
        view_one_line(b, v->reason);
        buf_add_char(b, '\n');
    }
    buf_add_char(b, '\n');
    view_steps_table(v, b);
}

static void json_step(const struct view *v, const struct view_step *s, bool before,
                      struct json_writer *w)
{
    json_obj_begin(w);
    json_kv_cstr(w, "direction", s->plan.key.direction == RELEASE_BACK ? "back" : "forward");
    json_kv_bool(w, "before_rollback", before);
    json_kv_cstr(w, "part", view_part(s->plan.key.part));
    if (s->plan.key.host >= 0) {
        json_kv_cstr(w, "host", view_host_of(v, s));
    }
    json_kv_cstr(w, "step", release_step_name[s->plan.key.kind]);
    json_kv_cstr(w, "status", view_status(s->status));
    json_kv_cstr(w, "outcome", release_outcome_name[s->outcome]);
    json_kv_u64(w, "attempt", s->attempt);
    json_kv_u64(w, "began_ms", s->began_ms);
    json_kv_u64(w, "took_ms", s->took_ms);
    json_kv_u64(w, "share_ppm", s->plan.share_ppm);
    json_kv_cstr(w, "text", s->text != NULL ? s->text : "");
    json_obj_end(w);
}

void show_json(const struct view *v, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_u64(&w, "number", v->number);
    json_kv_cstr(&w, "service", v->service);
    json_kv_cstr(&w, "environment", v->environment);
    json_kv_cstr(&w, "kind", v->kind);
    json_kv_cstr(&w, "from", v->from);
    json_kv_cstr(&w, "version", v->to);
    json_kv_cstr(&w, "state", v->state);
    json_kv_cstr(&w, "reason", v->reason);
    json_kv_cstr(&w, "by", v->by);
    json_kv_cstr(&w, "why", v->why);
    json_kv_u64(&w, "began_ms", v->began_ms);
    json_key(&w, "steps");
    json_arr_begin(&w);
    for (size_t i = 0; i < v->past.len; i++) {
        json_step(v, &v->past.ptr[i], true, &w);
    }
    for (size_t i = 0; i < v->total; i++) {
        if (i < v->len || v->step[i].status != STEP_PENDING) {
            json_step(v, &v->step[i], false, &w);
        }
    }
    json_arr_end(&w);
    json_obj_end(&w);
    buf_add_char(b, '\n');
}
