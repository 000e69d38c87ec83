/*
 * pourover router walk
 *
 * For each stage:
 *     SET -> PROVE      the share is set on all routers and read back    [set_stage]
 *     PROVE -> DWELL    test visitors are cut as set                     [prove_stage]
 *     DWELL -> next     the time is up; each second the routers agree    [dwell]
 * Any failure, or a signal, in any state: back to 0 on all routers      [go_back]
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/change.h"
#include "cli/delta.h"
#include "cli/out.h"
#include "cli/routers.h"
#include "cli/verify.h"
#include "judge/binomial.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 1000
#define ERRORS_CERTAINTY                                                     \
    0.0001 /* chance at a look to go back for an error share that is allowed \
            */

struct walk {
    struct cli *cli;
    bool live;
    size_t stage;
    struct router_split split; /* as set at this stage */
    struct delta_base *base;   /* one for each router, at the start of the dwelling */
    struct delta one, sum;     /* since then, of one router and of all */
    uint64_t start_ms, dwell_start_ms, last_reached_ms;
    const char *step; /* "set", "prove", "dwell" */
    char done[CLI_STAGES_MAX][192];
    enum exit_code code;
    char reason[700]; /* why it failed */
};

static void fail(struct walk *w, enum exit_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct walk *w, enum exit_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(w->reason, sizeof w->reason, fmt, args);
    va_end(args);
    w->code = code;
}

static void share_of_stage(const struct walk *w, size_t stage, char out[16])
{
    num_share_text(w->cli->stages.share_ppm[stage], out);
}

/* --- telling --- */

/* Requests and errors since the dwelling began, short enough for a narrow terminal. */
static void write_traffic(const struct walk *w, struct buf *b)
{
    double share = delta_split_share(&w->sum);
    for (int i = 0; i < TRACKS; i++) {
        buf_addf(b, "%s%s ", i > 0 ? "; " : "", track_name[i]);
        out_count(b, w->sum.track[i].requests);
        buf_add_cstr(b, " requests, ");
        out_count(b, w->sum.track[i].errors);
        buf_add_cstr(b, " errors");
    }
    if (!isnan(share)) {
        buf_add_cstr(b, "; measured ");
        out_percent(b, share);
    }
}

static void draw(const struct walk *w)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    buf_addf(&b, "service %s, %zu router%s, walking for ", w->cli->fleet.service, w->cli->fleet.len,
             w->cli->fleet.len > 1 ? "s" : "");
    out_time(&b, clock_mono_ms() - w->start_ms);
    buf_add_cstr(&b, "; Ctrl-C goes back to 0\n");
    for (size_t i = 0; i < w->cli->stages.len; i++) {
        char share[16], head[32];
        share_of_stage(w, i, share);
        (void) snprintf(head, sizeof head, "%8s  ", share);
        buf_add_cstr(&b, head);
        if (i < w->stage) {
            out_paint(&b, PAINT_GOOD, "done ");
            buf_add_cstr(&b, w->done[i]);
        } else if (i == w->stage) {
            buf_addf(&b, "%s  ", w->step);
            if (strcmp(w->step, "dwell") == 0) {
                out_time(&b, clock_mono_ms() - w->dwell_start_ms);
                buf_add_cstr(&b, " of ");
                out_time(&b, w->cli->dwell_ms);
                buf_add_cstr(&b, ": ");
                write_traffic(w, &b);
            }
        }
        buf_add_char(&b, '\n');
    }
    out_redraw(buf_str(&b));
    buf_done(&b);
}

static void json_event(const struct walk *w, const char *event, const struct verify_result *result)
{
    struct json_writer j;
    struct buf b;
    buf_init(&b, OUT_MAX);
    json_writer_init(&j, &b);
    json_obj_begin(&j);
    json_kv_u64(&j, "time_ms", clock_wall_ms());
    json_kv_cstr(&j, "event", event);
    json_kv_u64(&j, "stage", w->stage);
    if (w->stage < w->cli->stages.len) {
        json_kv_u64(&j, "share_ppm", w->cli->stages.share_ppm[w->stage]);
    }
    json_kv_u64(&j, "revision", w->split.revision);
    if (strcmp(event, "dwelt") == 0) {
        for (int i = 0; i < TRACKS; i++) {
            json_key(&j, track_name[i]);
            json_obj_begin(&j);
            json_kv_u64(&j, "requests", w->sum.track[i].requests);
            json_kv_u64(&j, "errors", w->sum.track[i].errors);
            json_obj_end(&j);
        }
    }
    if (strcmp(event, "back") == 0) {
        change_json_routers(w->cli, &j);
    }
    for (size_t i = 0; result != NULL && i < w->cli->fleet.len; i++) {
        if (i == 0) {
            json_key(&j, "routers");
            json_arr_begin(&j);
        }
        verify_write_json(&result[i], &j);
        if (i + 1 == w->cli->fleet.len) {
            json_arr_end(&j);
        }
    }
    json_kv_cstr(&j, "error", w->reason[0] != '\0' ? w->reason : NULL);
    json_kv_u64(&j, "exit", w->code);
    json_obj_end(&j);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
    buf_done(&b);
}

/* One line, where neither a block nor JSON is wanted. */
static void line(const struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(const struct walk *w, const char *fmt, ...)
{
    char text[1024], share[16], now[32];
    if (w->cli->json || w->live || w->cli->quiet) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    share_of_stage(w, w->stage, share);
    clock_format_utc_ms(clock_wall_ms(), now);
    out_printf("%s %s: %s\n", now, share, text);
}

/* --- the steps --- */

static void begin_step(struct walk *w, const char *step)
{
    w->step = step;
    if (w->live) {
        draw(w);
    }
}

static bool set_stage(struct walk *w)
{
    struct err err = {0};
    struct router_patch patch = {.has_share = true,
                                 .share_ppm = w->cli->stages.share_ppm[w->stage]};
    begin_step(w, "set");
    enum exit_code code = change_split(w->cli, &patch, &err);
    if (code != EXIT_DONE) {
        fail(w, code, "%s", err.msg);
        return false;
    }
    w->split = w->cli->fleet.router[0].service.split;
    line(w, "set on %zu router%s and read back, revision %llu", w->cli->fleet.len,
         w->cli->fleet.len > 1 ? "s" : "", (unsigned long long) w->split.revision);
    if (w->cli->json) {
        json_event(w, "set", NULL);
    }
    return true;
}

/* The promise about false alarms is for the whole walk: each stage and router gets its part. */
static double confidence_of_one(const struct walk *w)
{
    double tests = (double) (w->cli->stages.len * w->cli->fleet.len);
    return 1 - (1 - w->cli->confidence) / tests;
}

static bool prove_stage(struct walk *w)
{
    size_t n = w->cli->fleet.len;
    uint64_t fresh = 0, canary = 0;
    begin_step(w, "prove");
    struct verify_result *result = mem_array(n, sizeof *result);
    enum exit_code code = verify_run(w->cli, confidence_of_one(w), result);
    for (size_t i = 0; i < n; i++) {
        fresh += result[i].fresh;
        canary += result[i].canary;
        if (code != EXIT_DONE && verify_exit(result[i].word) == code) {
            fail(w, code, "router %s: %s", result[i].router->at.name, result[i].message);
        }
    }
    if (w->cli->json) {
        json_event(w, "verified", result);
    }
    mem_free(result);
    (void) snprintf(w->done[w->stage], sizeof w->done[0],
                    "%llu of %llu test visitors on the canary", (unsigned long long) canary,
                    (unsigned long long) fresh);
    if (code == EXIT_DONE) {
        line(w, "proved: %s, all as the split says", w->done[w->stage]);
    }
    return code == EXIT_DONE;
}

/* The routers still have the split of this stage; silent ones get --timeout to come back. */
static bool still_agree(struct walk *w)
{
    const struct fleet *fleet = &w->cli->fleet;
    uint64_t now = clock_mono_ms();
    bool all = true;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->err.code == 0 && !router_split_equal(&r->stats.split, &w->split)) {
            char text[256];
            struct buf b;
            buf_init_fixed(&b, text, sizeof text);
            fleet_split_text(&r->stats.split, &b);
            fail(w, EXIT_FAILED, "somebody else changed router %s: it has %s", r->at.name, text);
            return false;
        }
        if (r->err.code != 0) {
            all = false;
            if (now - w->last_reached_ms > w->cli->timeout_ms) {
                fail(w, EXIT_UNREACHABLE, "router %s: %s", r->at.name, r->err.msg);
                return false;
            }
        }
    }
    w->last_reached_ms = all ? now : w->last_reached_ms;
    return true;
}

static bool errors_stay_below(struct walk *w)
{
    const struct track_delta *canary = &w->sum.track[TRACK_CANARY];
    double allowed = (double) w->cli->max_errors_ppm / NUM_PPM_MAX;
    if (!w->cli->has_max_errors || canary->errors == 0) {
        return true;
    }
    /* 1 error of 3 requests is not 33 %: the errors must contradict the share that is allowed. */
    uint64_t errors = canary->errors < canary->requests ? canary->errors : canary->requests;
    if (binomial_at_least(errors, canary->requests, allowed) >= ERRORS_CERTAINTY) {
        return true;
    }
    char share[16];
    num_share_text(w->cli->max_errors_ppm, share);
    fail(w, EXIT_FAILED, "%llu of %llu requests failed on the canary: more than %s",
         (unsigned long long) canary->errors, (unsigned long long) canary->requests, share);
    return false;
}

static void count_traffic(struct walk *w, bool anew)
{
    delta_clear(&w->sum);
    for (size_t i = 0; i < w->cli->fleet.len; i++) {
        const struct fleet_router *r = &w->cli->fleet.router[i];
        if (r->stats.track[0].time == NULL) {
            continue; /* never read so far */
        }
        if (anew || !w->base[i].has_counts) {
            delta_base_set(&w->base[i], &r->stats);
        }
        delta_since(&w->base[i], &r->stats, &w->one);
        delta_add(&w->sum, &w->one);
    }
}

static bool is_interrupted(void *ctx)
{
    const struct cli *cli = ctx;
    return cli->interrupted;
}

static bool dwell(struct walk *w)
{
    struct cli *cli = w->cli;
    uint64_t next = clock_mono_ms();
    w->dwell_start_ms = w->last_reached_ms = next;
    fleet_read_stats(&cli->fleet);
    count_traffic(w, true);
    begin_step(w, "dwell");
    for (;;) {
        uint64_t now = clock_mono_ms(), end = w->dwell_start_ms + cli->dwell_ms;
        if (!still_agree(w) || !errors_stay_below(w)) {
            return false;
        }
        if (now >= end) {
            return true;
        }
        next = next + LOOK_MS < end ? next + LOOK_MS : end;
        if (io_loop_wait(cli->loop, next > now ? next - now : 0, is_interrupted, cli)) {
            return true; /* the caller sees it */
        }
        fleet_read_stats(&cli->fleet);
        count_traffic(w, false);
        if (w->live) {
            draw(w);
        }
    }
}

static bool walk_stage(struct walk *w)
{
    if (!set_stage(w) || w->cli->interrupted || !prove_stage(w) || w->cli->interrupted ||
        !dwell(w) || w->cli->interrupted) {
        return false;
    }
    struct buf b;
    char text[160];
    buf_init_fixed(&b, text, sizeof text);
    write_traffic(w, &b);
    line(w, "dwelt: %s", text);
    if (w->cli->json) {
        json_event(w, "dwelt", NULL);
    }
    return true;
}

/* --- the end --- */

/* Back to 0 on all routers; the exit code is the one of the failure, 1 when that is not proved. */
static void go_back(struct walk *w)
{
    struct cli *cli = w->cli;
    struct router_patch zero = {.has_share = true, .share_ppm = 0};
    struct err err = {0};
    if (cli->interrupted && w->code == EXIT_DONE) {
        fail(w, EXIT_INTERRUPTED, "interrupted");
    }
    if (w->code == EXIT_INTERRUPTED) {
        (void) snprintf(w->reason, sizeof w->reason, "interrupted");
    }
    if (w->live) {
        draw(w);
    }
    if (!cli->json) {
        out_complain("going back to 0: %s", w->reason);
    }
    cli->fleet.interrupted = NULL; /* the way back is not given up */
    if (cli->json) {
        json_event(w, "failed", NULL);
    }
    if (change_split(cli, &zero, &err) != EXIT_DONE) {
        fail(w, EXIT_FAILED, "not proved to be back at 0: %s", err.msg);
    } else {
        err = (struct err){0};
    }
    if (cli->json) {
        json_event(w, "back", NULL);
    } else {
        change_print(cli, err.code == 0 ? "back at 0" : "going back to 0", w->code, &err);
    }
}

static int may_start(struct cli *cli, struct err *err)
{
    fleet_read(&cli->fleet);
    int code = fleet_agree(&cli->fleet, err);
    if (code != 0) {
        return code;
    }
    if (!cli->fleet.router[0].service.split.enabled) {
        return err_set(err, ERR_CONFLICT,
                       "the kill switch is on: end it by \"pourover router enable\" first");
    }
    return 0;
}

static void walk(struct walk *w)
{
    struct cli *cli = w->cli;
    for (w->stage = 0; w->stage < cli->stages.len; w->stage++) {
        if (!walk_stage(w)) {
            go_back(w);
            return;
        }
    }
    if (w->live) {
        draw(w);
    } else if (cli->json) {
        json_event(w, "done", NULL);
    } else if (!cli->quiet) {
        char share[16];
        share_of_stage(w, cli->stages.len - 1, share);
        out_printf("done: at %s on all routers\n", share);
    }
}

static enum exit_code run(struct cli *cli)
{
    struct err err = {0};
    int r = routers_prepare(cli, &err);
    r = r != 0 ? r : verify_check_usage(cli, &err);
    if (r == 0) {
        fleet_read_status(&cli->fleet);
        r = fleet_choose_service(&cli->fleet, cli->service, &err);
    }
    r = r != 0 ? r : may_start(cli, &err);
    if (r != 0) {
        return cli_fail(cli, &err);
    }
    routers_catch_signals(cli);
    struct walk *w = mem_zalloc(sizeof *w);
    w->cli = cli;
    w->live = out_is_live() && !cli->json && !cli->quiet;
    w->start_ms = clock_mono_ms();
    w->base = mem_array(cli->fleet.len, sizeof *w->base);
    delta_init(&w->one);
    delta_init(&w->sum);
    walk(w);
    enum exit_code code = w->code;
    for (size_t i = 0; i < cli->fleet.len; i++) {
        delta_base_done(&w->base[i]);
    }
    delta_done(&w->one);
    delta_done(&w->sum);
    mem_free(w->base);
    mem_free(w);
    return code;
}

static const struct opt *const options[] = {opt_walk, opt_routers, NULL};

static const struct example examples[] = {
    {"pourover router walk --visit http://127.0.0.1:8080/", "0 to 100% in a minute and a bit"},
    {"pourover router walk --visit https://shop.example/ --stages 0,0.1%,1%,10% --dwell 15m "
     "--max-errors 1%",
     "stop at 10%; back to 0 when more than 1% of the canary's requests fail"},
    {NULL, NULL},
};

const struct cmd cmd_router_walk = {
    .name = "router walk",
    .summary = "walk the share up stage by stage: set, prove, dwell, next",
    .option = options,
    .details =
        "Each stage is set on all routers and read back, proved by test visitors as router verify "
        "does, and kept for --dwell, while every second is looked whether the routers still "
        "agree.\n\n"
        "Any failure, Ctrl-C or SIGTERM: back to 0 on all routers, with the reason. After a signal "
        "the exit code is 130, after a failure its own; 1 when going back could not be proved on "
        "every router.\n\n"
        "--max-errors counts HTTP 5xx and gRPC's server faults of the canary since the stage "
        "began; "
        "a few errors among few requests do not count until they contradict the share that is "
        "allowed.",
    .example = examples,
    .run = run,
};
