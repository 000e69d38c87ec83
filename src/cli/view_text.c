/* Plans, steps and states as tables and JSON; see view.h. */
#include "base/clock.h"
#include "base/json.h"
#include "cli/event.h"
#include "cli/out.h"
#include "cli/view.h"

#include <string.h>

#define STEP_TEXT_MAX 200

/* What the step is, in words; "" when nobody said. */
static const char *words_of(const struct view_step *s)
{
    return s->words != NULL ? s->words : "";
}

/* The longest name of a host. */
static int host_width(const struct view *v)
{
    size_t width = 1;
    for (size_t i = 0; i < v->hosts; i++) {
        size_t len = strlen(v->host[i].name);
        width = len > width ? len : width;
    }
    return (int) width;
}

void view_plan(const struct view *v, struct buf *b)
{
    unsigned part = PARTS;
    unsigned group = UINT16_MAX + 1u;
    int width = host_width(v);
    buf_addf(b, "%s %s -> %s: %zu steps on %zu host%s\n", v->service,
             v->from[0] != '\0' ? v->from : "nothing", v->to, v->len, v->hosts,
             v->hosts == 1 ? "" : "s");
    for (size_t i = 0; i < v->len; i++) {
        const struct view_step *s = &v->step[i];
        if (s->plan.key.part != part) {
            part = s->plan.key.part;
            buf_addf(b, "%s\n", view_part(part));
        }
        /* What begins a group waits for all of the one before; lanes go side by side. */
        const char *mark = s->plan.group != group ? ">" : " ";
        group = s->plan.group;
        const char *host = view_host_of(v, s);
        buf_addf(b, "%4zu %s %-*s  %-11s  %s\n", i + 1, mark, width, host[0] != '\0' ? host : "-",
                 release_step_name[s->plan.key.kind], words_of(s));
    }
}

static void json_step(const struct view *v, const struct view_step *s, struct json_writer *w)
{
    json_kv_cstr(w, "part", view_part(s->plan.key.part));
    if (s->plan.key.host >= 0) {
        json_kv_cstr(w, "host", view_host_of(v, s));
    }
    json_kv_cstr(w, "step", release_step_name[s->plan.key.kind]);
    if (s->plan.key.kind == STEP_SHARE || s->plan.key.kind == STEP_DWELL) {
        json_kv_u64(w, "share_ppm", s->plan.share_ppm);
    }
    json_kv_cstr(w, "text", words_of(s));
}

void view_plan_json(const struct view *v, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "service", v->service);
    json_kv_cstr(&w, "from", v->from);
    json_kv_cstr(&w, "version", v->to);
    json_key(&w, "steps");
    json_arr_begin(&w);
    for (size_t i = 0; i < v->len; i++) {
        json_obj_begin(&w);
        json_step(v, &v->step[i], &w);
        json_kv_u64(&w, "group", v->step[i].plan.group);
        json_obj_end(&w);
    }
    json_arr_end(&w);
    json_obj_end(&w);
    buf_add_char(b, '\n');
}

static void cell_time(struct table *t, uint64_t ms)
{
    char text[32] = "-";
    struct buf b;
    if (ms > 0) {
        buf_init_fixed(&b, text, sizeof text);
        out_time(&b, ms);
    }
    table_addf(t, "%s", text);
}

static void add_step_row(struct table *t, const struct view *v, const struct view_step *s,
                         const char *number)
{
    char at[16] = "-", text[STEP_TEXT_MAX];
    struct buf b;
    const char *host = view_host_of(v, s);
    if (s->began_ms > 0) {
        buf_init_fixed(&b, at, sizeof at);
        event_clock(&b, s->began_ms);
    }
    table_addf(t, "%s", number);
    table_addf(t, "%s", at);
    table_addf(t, "%s", host[0] != '\0' ? host : "-");
    table_addf(t, "%s", release_step_name[s->plan.key.kind]);
    table_addf(t, "%s", view_status(s->status));
    cell_time(t, s->took_ms);
    buf_init(&b, OUT_MAX);
    if (s->plan.key.kind == STEP_SHARE || s->plan.key.kind == STEP_DWELL) {
        view_share(&b, s->plan.share_ppm);
        buf_add_cstr(&b, s->text != NULL && s->text[0] != '\0' ? "; " : "");
    }
    view_one_line(&b, s->text != NULL ? s->text : "");
    buf_print(text, sizeof text, "%s", b.len > 0 ? b.ptr : "");
    buf_done(&b);
    table_addf(t, "%s", text);
}

void view_steps_table(const struct view *v, struct buf *b)
{
    static const char *const head[] = {"#", "AT", "HOST", "STEP", "STATE", "TOOK", "SAW"};
    struct table t;
    table_init(&t, head, sizeof head / sizeof head[0], 1u << 0 | 1u << 5);
    for (size_t i = 0; i < v->past.len; i++) {
        add_step_row(&t, v, &v->past.ptr[i], "<");
    }
    for (size_t i = 0; i < v->total; i++) {
        char number[24];
        buf_print(number, sizeof number, "%zu", i + 1);
        if (i < v->len || v->step[i].status != STEP_PENDING) {
            add_step_row(&t, v, &v->step[i], i < v->len ? number : "!");
        }
    }
    table_write(&t, b);
    table_done(&t);
}

static void add_host_row(struct table *t, const struct view *v, const struct view_host *h)
{
    table_addf(t, "%s", h->dc < v->dcs ? v->dc[h->dc] : "-");
    table_addf(t, "%s", h->name);
    table_addf(t, "%s", h->now_version[0] != '\0' ? h->now_version : "-");
    table_addf(t, "%s", h->now_state);
    if (h->lease[0] == '\0') {
        table_addf(t, "-");
    } else {
        char left[32];
        struct buf b;
        buf_init_fixed(&b, left, sizeof left);
        out_time(&b, h->lease_left_ms);
        table_addf(t, "%s, %s left", h->lease, left);
    }
}

/* All hosts were asked, and no lease is alive. */
static bool nobody_runs_it(const struct view *v)
{
    for (size_t i = 0; i < v->hosts; i++) {
        if (!v->host[i].reached || (v->host[i].lease[0] != '\0' && v->host[i].lease_left_ms > 0)) {
            return false;
        }
    }
    return v->looked;
}

static void add_next(const struct view *v, struct buf *b)
{
    bool stopped = strcmp(v->state, "halted") == 0 || strcmp(v->state, "held") == 0 ||
                   strcmp(v->state, "paused") == 0;
    bool over = v->none || v->ended_ms > 0 || strcmp(v->state, "done") == 0 ||
                strcmp(v->state, "rolled back") == 0;
    if (!v->none && stopped) {
        return; /* the message of the halt says both ways on */
    }
    if (!over && nobody_runs_it(v)) {
        buf_addf(b,
                 "next: nobody runs it, whoever did was ended: pourover resume%s goes on, pourover "
                 "rollback%s goes back\n",
                 v->options, v->options);
        return;
    }
    buf_addf(b, "next: pourover %s%s\n", over ? "plan VERSION" : "watch", v->options);
}

static void add_release(const struct view *v, struct buf *b)
{
    if (v->none) {
        buf_addf(b, "%s: no release is known here or at the hosts\n", v->service);
        return;
    }
    buf_addf(b, "%s%s%s%s: ", v->service, v->environment[0] != '\0' ? " (" : "", v->environment,
             v->environment[0] != '\0' ? ")" : "");
    buf_addf(b, "%s ", strcmp(v->kind, "train") == 0 ? "train" : "release");
    if (v->number > 0) {
        buf_addf(b, "%llu ", (unsigned long long) v->number);
    }
    buf_addf(b, "%s -> %s %s", v->from[0] != '\0' ? v->from : "nothing", v->to, v->state);
    if (v->by[0] != '\0') {
        buf_addf(b, ", by %s", v->by);
    }
    if (v->why[0] != '\0') {
        buf_addf(b, ": %s", v->why);
    }
    buf_add_char(b, '\n');
}

void view_status_table(const struct view *v, struct buf *b)
{
    static const char *const head[] = {"DC", "HOST", "VERSION", "STATE", "LEASE"};
    struct table t;
    add_release(v, b);
    table_init(&t, head, sizeof head / sizeof head[0], 0);
    for (size_t i = 0; i < v->hosts; i++) {
        add_host_row(&t, v, &v->host[i]);
    }
    table_write(&t, b);
    table_done(&t);
    if (v->looked) {
        buf_add_cstr(b, "share of the canary: ");
        view_share(b, v->share_ppm);
        buf_addf(b, "; %zu of %zu routers reached", v->routers_reached, v->routers);
        buf_addf(b, "%s%s\n", v->routers_error[0] != '\0' ? ": " : "", v->routers_error);
    }
    add_next(v, b);
}

static void json_copy(const struct view_copy *c, struct json_writer *w)
{
    json_obj_begin(w);
    json_kv_cstr(w, "version", c->version);
    json_kv_bool(w, "runs", c->runs);
    json_kv_bool(w, "known", c->known);
    json_kv_bool(w, "serves", c->serves);
    json_kv_cstr(w, "track", c->track == RELEASE_CANARY ? "canary" : "stable");
    json_kv_cstr(w, "state", c->state);
    json_obj_end(w);
}

static void json_host(const struct view *v, const struct view_host *h, struct json_writer *w)
{
    json_obj_begin(w);
    json_kv_cstr(w, "name", h->name);
    json_kv_cstr(w, "datacenter", h->dc < v->dcs ? v->dc[h->dc] : NULL);
    json_kv_cstr(w, "version", h->now_version);
    json_kv_cstr(w, "state", h->now_state);
    json_kv_cstr(w, "error", h->looked && !h->reached ? h->error : NULL);
    json_kv_cstr(w, "lease", h->lease[0] != '\0' ? h->lease : NULL);
    json_kv_u64(w, "lease_left_ms", h->lease_left_ms);
    json_key(w, "slots");
    json_arr_begin(w);
    for (int s = 0; h->looked && s < RELEASE_SLOTS; s++) {
        json_copy(&h->copy[s], w);
    }
    json_arr_end(w);
    json_obj_end(w);
}

void view_status_json(const struct view *v, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "service", v->service);
    json_kv_cstr(&w, "environment", v->environment[0] != '\0' ? v->environment : NULL);
    json_key(&w, "release");
    if (v->none) {
        json_null(&w);
    } else {
        json_obj_begin(&w);
        json_kv_u64(&w, "number", v->number);
        json_kv_cstr(&w, "kind", v->kind);
        json_kv_cstr(&w, "from", v->from);
        json_kv_cstr(&w, "version", v->to);
        json_kv_cstr(&w, "state", v->state);
        json_kv_cstr(&w, "by", v->by);
        json_kv_cstr(&w, "why", v->why);
        json_kv_u64(&w, "began_ms", v->began_ms);
        json_obj_end(&w);
    }
    json_kv_u64(&w, "share_ppm", v->share_ppm);
    json_kv_u64(&w, "routers", v->routers);
    json_kv_u64(&w, "routers_reached", v->routers_reached);
    json_key(&w, "hosts");
    json_arr_begin(&w);
    for (size_t i = 0; i < v->hosts; i++) {
        json_host(v, &v->host[i], &w);
    }
    json_arr_end(&w);
    json_obj_end(&w);
    buf_add_char(b, '\n');
}
