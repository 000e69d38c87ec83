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

static void paint_as(struct buf *b, enum release_step_status status, const char *text)
{
    if (status == STEP_DONE) {
        out_paint(b, PAINT_GOOD, text);
    } else if (status == STEP_BROKEN) {
        out_paint(b, PAINT_BAD, text);
    } else if (status == STEP_PENDING || status == STEP_SKIPPED) {
        out_paint(b, PAINT_FAINT, text);
    } else {
        buf_add_cstr(b, text);
    }
}

/* A step of the service, with its name. */
static void add_tick(const struct view_step *s, struct buf *b)
{
    char word[64];
    buf_print(word, sizeof word, "%s%s", mark_of(s->status), release_step_name[s->plan.key.kind]);
    paint_as(b, s->status, word);
    buf_add_char(b, ' ');
}

/* What is shown in the row of a host: its runbook, and what it got in trouble.  The preflight of
 * all, before everything else, only while it is news. */
static bool is_of_host(const struct view *v, size_t i, int host)
{
    const struct view_step *s = &v->step[i];
    bool is_news = s->status == STEP_RUNNING || s->status == STEP_BROKEN;
    if (s->plan.key.host != host) {
        return false;
    }
    return s->plan.key.part == PART_PREPARE ? is_news : i < v->len || s->status != STEP_PENDING;
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

/* The ticks of a host, padded to a width; gives the step that runs, or failed; NULL. */
static const struct view_step *add_ticks(const struct view *v, size_t host, size_t width,
                                         struct buf *b)
{
    const struct view_step *news = NULL;
    size_t n = 0;
    for (size_t i = 0; i < v->total; i++) {
        const struct view_step *s = &v->step[i];
        if (!is_of_host(v, i, (int) host)) {
            continue;
        }
        paint_as(b, s->status, mark_of(s->status));
        n++;
        if (s->status == STEP_RUNNING || (s->status == STEP_BROKEN && news == NULL)) {
            news = s;
        }
    }
    buf_addf(b, "%*s  ", n < width ? (int) (width - n) : 0, "");
    return news;
}

static size_t ticks_of(const struct view *v, size_t host)
{
    size_t n = 0;
    for (size_t i = 0; i < v->total; i++) {
        n += is_of_host(v, i, (int) host);
    }
    return n;
}

/* "  west-1  ✓✓✓✓✓…····  test 5.2s  3 of 5": one line a host. */
static void add_host(const struct view *v, size_t host, int width, struct buf *b)
{
    const struct view_host *h = &v->host[host];
    size_t ticks = 0;
    for (size_t i = 0; i < v->hosts; i++) {
        size_t n = ticks_of(v, i);
        ticks = n > ticks ? n : ticks;
    }
    buf_addf(b, "  %-*s  ", width, h->name);
    const struct view_step *news = add_ticks(v, host, ticks, b);
    if (news == NULL) {
        buf_addf(b, "%s %s", h->now_version, h->now_state);
    } else if (news->status == STEP_BROKEN) {
        char word[64];
        buf_print(word, sizeof word, "%s failed", release_step_name[news->plan.key.kind]);
        out_paint(b, PAINT_BAD, word);
        buf_addf(b, ", %s %s", h->now_version, h->now_state);
    } else {
        buf_addf(b, "%s ", release_step_name[news->plan.key.kind]);
        add_running(v, news, b);
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
    bool all = rows == 0 || v->hosts + v->dcs + 6 <= rows;
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
