/* The live block: data centers as groups, hosts as rows, steps as ticks. */
#include "cli/out.h"
#include "cli/view.h"

#include <string.h>

#define LINE_MAX_BYTES 512

static const char *mark_of(enum release_step_status status)
{
    static const char *const mark[] = {
        [STEP_PENDING] = "\u00b7", [STEP_RUNNING] = "\u2026", [STEP_DONE] = "\u2713",
        [STEP_BROKEN] = "\u2717",  [STEP_SKIPPED] = "-",
    };
    return mark[status];
}

static void add_tick(const struct view_step *s, struct buf *b)
{
    char word[64];
    struct buf w;
    buf_init_fixed(&w, word, sizeof word);
    buf_addf(&w, "%s%s", mark_of(s->status), release_step_name[s->plan.key.kind]);
    if (s->status == STEP_DONE) {
        out_paint(b, PAINT_GOOD, word);
    } else if (s->status == STEP_BROKEN) {
        out_paint(b, PAINT_BAD, word);
    } else if (s->status == STEP_PENDING || s->status == STEP_SKIPPED) {
        out_paint(b, PAINT_FAINT, word);
    } else {
        buf_add_cstr(b, word);
    }
    buf_add_char(b, ' ');
}

static bool is_of_host(const struct view *v, size_t i, int host)
{
    const struct view_step *s = &v->step[i];
    return s->plan.key.host == host && (i < v->len || s->status != STEP_PENDING);
}

static uint64_t since(const struct view *v, const struct view_step *s)
{
    return s->began_ms > 0 && v->now_ms > s->began_ms ? v->now_ms - s->began_ms : 0;
}

/* What runs: its time, and the last that was told of it. */
static void add_running(const struct view *v, const struct view_step *s, struct buf *b)
{
    out_time(b, since(v, s));
    if (s->attempt > 1) {
        buf_addf(b, ", attempt %u", s->attempt);
    }
    if (s->text != NULL && s->text[0] != '\0') {
        char line[LINE_MAX_BYTES];
        struct str last = str_trim(str_of(s->text));
        for (size_t at; (at = str_find_char(last, '\n')) < last.len;) {
            last.ptr += at + 1;
            last.len -= at + 1;
        }
        buf_print(line, sizeof line, STR_FMT, STR_ARG(last));
        buf_add_cstr(b, "  ");
        view_one_line(b, line);
    }
}

static void add_host(const struct view *v, size_t host, int width, struct buf *b)
{
    const struct view_host *h = &v->host[host];
    const struct view_step *running = NULL;
    buf_addf(b, "  %-*s  ", width, h->name);
    for (size_t i = 0; i < v->total; i++) {
        if (is_of_host(v, i, (int) host)) {
            add_tick(&v->step[i], b);
            running = v->step[i].status == STEP_RUNNING ? &v->step[i] : running;
        }
    }
    buf_add_cstr(b, running != NULL ? "\n" : "");
    if (running != NULL) {
        buf_addf(b, "  %*s  %s ", width, "", release_step_name[running->plan.key.kind]);
        add_running(v, running, b);
    } else {
        buf_addf(b, " %s %s", h->now_version, h->now_state);
    }
    buf_add_char(b, '\n');
}

/* "0 % ✓  0.1 % ✓  1 % …  10 %": each stage once, then the dwell that runs. */
static void add_walk(const struct view *v, struct buf *b)
{
    const struct view_step *dwell = NULL;
    bool any = false;
    for (size_t i = 0; i < v->len; i++) {
        const struct view_step *s = &v->step[i];
        if (s->plan.key.kind == STEP_SHARE) {
            buf_add_cstr(b, any ? "  " : "share of the canary  ");
            view_share(b, s->plan.share_ppm);
            buf_addf(b, " %s", mark_of(s->status));
            any = true;
        }
        dwell = s->plan.key.kind == STEP_DWELL && s->status == STEP_RUNNING ? s : dwell;
    }
    buf_add_cstr(b, any ? "\n" : "");
    if (dwell != NULL) {
        uint64_t been = since(v, dwell);
        buf_add_cstr(b, "  at ");
        view_share(b, dwell->plan.share_ppm);
        buf_add_cstr(b, " for ");
        out_time(b, been);
        buf_add_cstr(b, been < dwell->plan.wait_ms ? ", left " : ", waiting for enough requests");
        if (been < dwell->plan.wait_ms) {
            out_time(b, dwell->plan.wait_ms - been);
        }
        if (dwell->text != NULL && dwell->text[0] != '\0') {
            buf_add_cstr(b, "  ");
            view_one_line(b, dwell->text);
        }
        buf_add_char(b, '\n');
    }
}

/* Steps of the whole service but those of the walk, which have a line of their own. */
static void add_service(const struct view *v, struct buf *b)
{
    bool any = false;
    for (size_t i = 0; i < v->len; i++) {
        const struct view_step *s = &v->step[i];
        if (s->plan.key.host < 0 && s->plan.key.kind != STEP_SHARE &&
            s->plan.key.kind != STEP_DWELL) {
            add_tick(s, b);
            any = true;
            if (s->status == STEP_RUNNING) {
                add_running(v, s, b);
                buf_add_char(b, ' ');
            }
        }
    }
    buf_add_cstr(b, any ? "\n" : "");
}

static void add_head(const struct view *v, struct buf *b)
{
    buf_addf(b, "%s", v->service);
    if (v->environment[0] != '\0') {
        buf_addf(b, " (%s)", v->environment);
    }
    buf_addf(b, "  %s -> %s  ", v->from[0] != '\0' ? v->from : "nothing", v->to);
    bool bad = v->mode == RELEASE_HALTED || v->mode == RELEASE_HALTING;
    if (bad) {
        out_paint(b, PAINT_BAD, v->state);
    } else {
        buf_add_cstr(b, v->state);
    }
    buf_add_cstr(b, "  ");
    uint64_t end_ms = v->ended_ms > 0 ? v->ended_ms : v->now_ms;
    out_time(b, end_ms > v->began_ms ? end_ms - v->began_ms : 0);
    if (v->number > 0) {
        buf_addf(b, "  release %llu", (unsigned long long) v->number);
    }
    if (v->reason[0] != '\0') {
        buf_add_cstr(b, "  ");
        view_one_line(b, v->reason);
    }
    buf_add_char(b, '\n');
}

static int name_width(const struct view *v)
{
    size_t width = 0;
    for (size_t i = 0; i < v->hosts; i++) {
        size_t len = strlen(v->host[i].name);
        width = len > width ? len : width;
    }
    return (int) width;
}

/* Whether something of the host runs, or failed. */
static bool is_busy(const struct view *v, size_t host)
{
    for (size_t i = 0; i < v->total; i++) {
        const struct view_step *s = &v->step[i];
        if (s->plan.key.host == (int) host &&
            (s->status == STEP_RUNNING || s->status == STEP_BROKEN)) {
            return true;
        }
    }
    return false;
}

/* The hosts of a data center; where there is no room for all, those that are busy. */
static void add_dc(const struct view *v, size_t dc, bool all, int width, struct buf *b)
{
    size_t hidden = 0;
    buf_addf(b, "%s\n", v->dc[dc]);
    for (size_t i = 0; i < v->hosts; i++) {
        if (v->host[i].dc != dc) {
            continue;
        }
        if (all || is_busy(v, i)) {
            add_host(v, i, width, b);
        } else {
            hidden++;
        }
    }
    if (hidden > 0) {
        buf_addf(b, "  and %zu more, waiting or done\n", hidden);
    }
}

void view_block(const struct view *v, size_t rows, struct buf *b)
{
    int width = name_width(v);
    size_t busy = 0;
    for (size_t i = 0; i < v->hosts; i++) {
        busy += is_busy(v, i);
    }
    bool all = rows == 0 || v->hosts + busy + v->dcs + 6 <= rows;
    add_head(v, b);
    add_service(v, b);
    add_walk(v, b);
    for (size_t dc = 0; dc < v->dcs; dc++) {
        add_dc(v, dc, all, width, b);
    }
}

void view_summary(const struct view *v, struct buf *b)
{
    size_t done = 0;
    for (size_t i = 0; i < v->len; i++) {
        done += v->step[i].status == STEP_DONE;
    }
    bool back = v->direction == RELEASE_BACK;
    buf_addf(b, "%s: %s serves on %zu host%s, ", v->state, back ? v->from : v->to, v->hosts,
             v->hosts == 1 ? "" : "s");
    buf_addf(b, "%zu step%s in ", done, done == 1 ? "" : "s");
    uint64_t end_ms = v->ended_ms > 0 ? v->ended_ms : v->now_ms;
    out_time(b, end_ms > v->began_ms ? end_ms - v->began_ms : 0);
    buf_add_char(b, '\n');
    if (back && v->reason[0] != '\0') {
        buf_add_cstr(b, "  why      ");
        view_one_line(b, v->reason);
        buf_add_char(b, '\n');
    }
    if (!back && v->number > 0) {
        buf_addf(b, "  more     pourover show %llu%s\n", (unsigned long long) v->number,
                 v->options);
    }
}
