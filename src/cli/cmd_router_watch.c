/* pourover router watch */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/delta.h"
#include "cli/out.h"
#include "cli/routers.h"

#include <math.h>
#include <string.h>

struct watch {
    struct cli *cli;
    struct delta_base *base; /* one for each router */
    struct delta *delta;     /* the same; of the last interval */
    struct delta sum, total; /* of all routers: in the last interval, since the start */
    uint64_t read_at_ms, interval_ms;
    bool all_reached, agree;
    bool has_peers[FLEET_MAX]; /* the service could be read beside the statistics */
};

/* Ready peers that get no requests, or may get none: only routers with checks tell. */
static bool has_doubts(const struct watch *w, size_t i, int track)
{
    const struct router_track *t = &w->cli->fleet.router[i].service.track[track];
    return w->has_peers[i] && t->has_health && (t->failing > 0 || t->unknown > 0);
}

static void add_doubts(const struct watch *w, size_t i, struct buf *b)
{
    for (int k = 0; k < TRACKS; k++) {
        const struct router_track *t = &w->cli->fleet.router[i].service.track[k];
        if (has_doubts(w, i, k)) {
            buf_addf(b, "%s%s: %llu peers, %llu live, %llu failing, %llu unknown",
                     b->len > 0 ? "; " : "", track_name[k], (unsigned long long) t->peers,
                     (unsigned long long) t->live, (unsigned long long) t->failing,
                     (unsigned long long) t->unknown);
        }
    }
}

static void add_percent(struct table *t, double fraction)
{
    char text[32] = "-";
    struct buf b;
    if (!isnan(fraction)) {
        buf_init_fixed(&b, text, sizeof text);
        out_percent(&b, fraction);
    }
    table_addf(t, "%s", text);
}

static void add_ms(struct table *t, const struct hist *time, double q)
{
    double us = hist_quantile_us(time, q);
    if (isnan(us)) {
        table_addf(t, "-");
    } else {
        table_addf(t, us < 10000 ? "%.2fms" : "%.0fms", us / 1000);
    }
}

static void add_row(const struct watch *w, struct table *t, const char *name,
                    const struct router_split *split, const struct delta *d)
{
    char share[16];
    double seconds = (double) w->interval_ms / 1000;
    num_share_text(split->share_ppm, share);
    table_addf(t, "%s", name);
    table_addf(t, "%s%s", share, split->enabled ? "" : " OFF");
    add_percent(t, delta_split_share(d));
    add_percent(t, delta_share(d));
    for (int i = TRACKS - 1; i >= 0; i--) { /* a narrow terminal cuts off what comes last */
        table_addf(t, "%.0f/s", (double) d->track[i].requests / seconds);
        table_addf(t, "%llu", (unsigned long long) d->track[i].errors);
        add_ms(t, d->track[i].time, 0.5);
        add_ms(t, d->track[i].time, 0.99);
    }
}

static void write_table(const struct watch *w, struct buf *b)
{
    static const char *const head[] = {"ROUTER", "SET", "VISITORS'", "REQUESTS", "CANARY", "ERRORS",
                                       "P50",    "P99", "STABLE",    "ERRORS",   "P50",    "P99"};
    const struct fleet *fleet = &w->cli->fleet;
    struct table t;
    table_init(&t, head, 12, 0xffe);
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->err.code != 0) {
            buf_addf(b, "%s: %s\n", r->at.name, r->err.msg);
        } else {
            add_row(w, &t, r->at.name, &r->stats.split, &w->delta[i]);
        }
    }
    if (fleet->len > 1) {
        add_row(w, &t, "all", &fleet->router[0].stats.split, &w->sum);
    }
    table_write(&t, b);
    table_done(&t);
    for (size_t i = 0; i < fleet->len; i++) {
        struct buf doubts;
        buf_init(&doubts, 1024);
        add_doubts(w, i, &doubts);
        if (doubts.len > 0) {
            buf_addf(b, "%s: %s\n", fleet->router[i].at.name, doubts.ptr);
        }
        buf_done(&doubts);
    }
    if (!w->agree && w->all_reached) {
        out_paint(b, PAINT_BAD,
                  "the routers differ: bring them together by pourover router sync\n");
    }
}

static void draw(const struct watch *w)
{
    char now[32];
    struct buf b;
    buf_init(&b, OUT_MAX);
    clock_format_utc_ms(clock_wall_ms(), now);
    buf_addf(&b, "%s  service %s  ", now, w->cli->fleet.service);
    out_count(&b, w->total.track[0].requests + w->total.track[1].requests);
    buf_add_cstr(&b, " requests so far\n");
    write_table(w, &b);
    out_redraw(buf_str(&b));
    buf_done(&b);
}

static void add_us(struct buf *b, const char *key, double us)
{
    if (!isnan(us)) {
        buf_addf(b, ", %s %.0fus", key, us);
    }
}

/* One line a router, for logs. */
static void print_line(const struct watch *w, size_t router)
{
    const struct fleet_router *r = &w->cli->fleet.router[router];
    const struct router_split *split = &r->stats.split;
    const struct delta *d = &w->delta[router];
    char now[32], share[16];
    struct buf b, doubts;
    buf_init(&b, OUT_MAX);
    clock_format_utc_ms(clock_wall_ms(), now);
    num_share_text(split->share_ppm, share);
    buf_addf(&b, "%s %s: share %s%s, revision %llu, visitors' ", now, r->at.name, share,
             split->enabled ? "" : " but disabled", (unsigned long long) split->revision);
    double visitors = delta_split_share(d);
    if (isnan(visitors)) {
        buf_add_char(&b, '-');
    } else {
        out_percent(&b, visitors);
    }
    for (int i = 0; i < TRACKS; i++) {
        buf_addf(&b, "; %s %llu requests, %llu errors", track_name[i],
                 (unsigned long long) d->track[i].requests,
                 (unsigned long long) d->track[i].errors);
        add_us(&b, "p50", hist_quantile_us(d->track[i].time, 0.5));
        add_us(&b, "p99", hist_quantile_us(d->track[i].time, 0.99));
    }
    buf_init(&doubts, 1024);
    add_doubts(w, router, &doubts);
    buf_addf(&b, "%s%s\n", doubts.len > 0 ? "; " : "", doubts.len > 0 ? doubts.ptr : "");
    buf_done(&doubts);
    out_write(buf_str(&b));
    buf_done(&b);
}

static void print_lines(const struct watch *w)
{
    const struct fleet *fleet = &w->cli->fleet;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->err.code != 0) {
            out_complain("router %s: %s", r->at.name, r->err.msg);
        } else {
            print_line(w, i);
        }
    }
}

static void json_delta(struct json_writer *j, const struct delta *d)
{
    json_kv_double(j, "share_of_requests", delta_share(d));
    json_kv_double(j, "share_of_visitors_requests", delta_split_share(d));
    json_key(j, "tracks");
    json_obj_begin(j);
    for (int i = 0; i < TRACKS; i++) {
        const struct track_delta *t = &d->track[i];
        json_key(j, track_name[i]);
        json_obj_begin(j);
        json_kv_u64(j, "requests", t->requests);
        json_kv_u64(j, "visitors_requests", t->split);
        json_kv_u64(j, "errors", t->errors);
        json_kv_u64(j, "crossed", t->crossed);
        json_kv_double(j, "p50_us", hist_quantile_us(t->time, 0.5));
        json_kv_double(j, "p99_us", hist_quantile_us(t->time, 0.99));
        json_obj_end(j);
    }
    json_obj_end(j);
}

static void json_peers(struct json_writer *j, const struct watch *w, size_t i)
{
    const struct router_track *track = w->cli->fleet.router[i].service.track;
    if (!w->has_peers[i]) {
        return;
    }
    json_key(j, "peers");
    json_obj_begin(j);
    for (int k = 0; k < TRACKS; k++) {
        json_key(j, track_name[k]);
        json_obj_begin(j);
        json_kv_u64(j, "peers", track[k].peers);
        json_kv_u64(j, "live", track[k].live);
        if (track[k].has_health) {
            json_kv_u64(j, "failing", track[k].failing);
            json_kv_u64(j, "unknown", track[k].unknown);
        }
        json_obj_end(j);
    }
    json_obj_end(j);
}

static void print_json(const struct watch *w)
{
    const struct fleet *fleet = &w->cli->fleet;
    struct json_writer j;
    struct buf b;
    buf_init(&b, OUT_MAX);
    json_writer_init(&j, &b);
    json_obj_begin(&j);
    json_kv_u64(&j, "time_ms", clock_wall_ms());
    json_kv_cstr(&j, "service", fleet->service);
    json_kv_u64(&j, "interval_ms", w->interval_ms);
    json_kv_bool(&j, "agree", w->agree);
    json_delta(&j, &w->sum);
    json_key(&j, "routers");
    json_arr_begin(&j);
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        json_obj_begin(&j);
        json_kv_cstr(&j, "name", r->at.name);
        json_kv_cstr(&j, "error", r->err.code == 0 ? NULL : r->err.msg);
        if (r->err.code == 0) {
            json_kv_split(&j, "split", &r->stats.split);
            json_delta(&j, &w->delta[i]);
            json_peers(&j, w, i);
        }
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_obj_end(&j);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
    buf_done(&b);
}

/* Reads all routers and counts from the reading before. */
static void read_once(struct watch *w)
{
    struct fleet *fleet = &w->cli->fleet;
    const struct router_split *first = NULL;
    fleet_read(fleet);
    for (size_t i = 0; i < fleet->len; i++) {
        w->has_peers[i] = fleet->router[i].err.code == 0;
    }
    uint64_t now = clock_mono_ms();
    fleet_read_stats(fleet);
    w->interval_ms = w->read_at_ms > 0 && now > w->read_at_ms ? now - w->read_at_ms : 1;
    w->read_at_ms = now;
    w->all_reached = w->agree = true;
    delta_clear(&w->sum);
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        delta_clear(&w->delta[i]);
        if (r->err.code != 0) {
            w->all_reached = w->agree = false;
            continue;
        }
        if (w->base[i].has_counts) {
            delta_since(&w->base[i], &r->stats, &w->delta[i]);
        }
        delta_base_set(&w->base[i], &r->stats);
        delta_add(&w->sum, &w->delta[i]);
        first = first == NULL ? &r->stats.split : first;
        w->agree = w->agree && router_split_equal(first, &r->stats.split);
    }
    delta_add(&w->total, &w->sum);
}

static bool is_interrupted(void *ctx)
{
    const struct cli *cli = ctx;
    return cli->interrupted;
}

static void watch_until_end(struct watch *w)
{
    struct cli *cli = w->cli;
    uint64_t start = clock_mono_ms(), next = start;
    bool live = out_is_live() && !cli->json;
    read_once(w);
    do {
        next += cli->interval_ms;
        uint64_t now = clock_mono_ms();
        (void) io_loop_wait(cli->loop, next > now ? next - now : 0, is_interrupted, cli);
        if (cli->interrupted) {
            break;
        }
        read_once(w);
        if (cli->json) {
            print_json(w);
        } else if (live) {
            draw(w);
        } else {
            print_lines(w);
        }
    } while (cli->for_ms == 0 || clock_mono_ms() - start < cli->for_ms);
}

static enum exit_code run(struct cli *cli)
{
    struct err err = {0};
    if (routers_open(cli, &err) != 0) {
        return cli_fail(cli, &err);
    }
    routers_catch_signals(cli);
    size_t n = cli->fleet.len;
    struct watch w = {.cli = cli};
    w.base = mem_array(n, sizeof *w.base);
    w.delta = mem_array(n, sizeof *w.delta);
    for (size_t i = 0; i < n; i++) {
        delta_init(&w.delta[i]);
    }
    delta_init(&w.sum);
    delta_init(&w.total);
    watch_until_end(&w);
    enum exit_code code = w.all_reached ? w.agree ? EXIT_DONE : EXIT_FAILED : EXIT_UNREACHABLE;
    for (size_t i = 0; i < n; i++) {
        delta_done(&w.delta[i]);
        delta_base_done(&w.base[i]);
    }
    delta_done(&w.sum);
    delta_done(&w.total);
    mem_free(w.base);
    mem_free(w.delta);
    return code;
}

static const struct opt *const options[] = {opt_watch, opt_routers, NULL};

static const struct example examples[] = {
    {"pourover router watch", "a live table, until Ctrl-C"},
    {"pourover router watch --for 1m --json", "an object a second, for a minute"},
    {NULL, NULL},
};

const struct cmd cmd_router_watch = {
    .name = "router watch",
    .summary = "show shares, requests, errors and latencies as they go",
    .option = options,
    .details =
        "Counts what happened since the reading before: the canary's part of the requests that the "
        "split decided (VISITORS') and of all requests (REQUESTS), and for both tracks requests, "
        "errors (HTTP 5xx and gRPC's server faults) and the time to the answer's head. Peers "
        "that fail their checks, or have not been checked yet, are told below.\n\n"
        "Redraws on a terminal, prints a line a router elsewhere. The exit code is the one of the "
        "last reading: 1 when the routers differed, 3 when one could not be reached.",
    .example = examples,
    .run = run,
};
