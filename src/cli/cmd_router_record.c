/* pourover router record */
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/out.h"
#include "cli/results.h"
#include "cli/routers.h"
#include "gateway/order.h"

#include <string.h>

#define COLUMNS 6

static bool changes(const struct cli *cli)
{
    const struct record_wish *w = &cli->record;
    return w->has_slow || w->has_hang || w->has_sample || w->has_also;
}

static void json_slow(struct json_writer *w, const struct router_watch *watch)
{
    json_key(w, "slow_us");
    json_arr_begin(w);
    for (size_t i = 0; i < watch->nslow; i++) {
        json_u64(w, watch->slow_us[i]);
    }
    json_arr_end(w);
}

static void json_also(struct json_writer *w, const struct router_watch *watch)
{
    json_key(w, "kinds");
    json_arr_begin(w);
    if (watch->client_errors) {
        json_cstr(w, "4xx");
    }
    if (watch->redirects) {
        json_cstr(w, "3xx");
    }
    json_arr_end(w);
}

/* The members that are wished for, as an object. */
static void json_wish(struct json_writer *w, const struct record_wish *wish)
{
    json_obj_begin(w);
    if (wish->has_slow) {
        json_slow(w, &wish->want);
    }
    if (wish->has_hang) {
        json_kv_u64(w, "hang_ms", wish->want.hang_ms);
    }
    if (wish->has_sample) {
        json_kv_u64(w, "sample", wish->want.sample);
    }
    if (wish->has_also) {
        json_also(w, &wish->want);
    }
    json_obj_end(w);
}

static bool holds(const struct fleet_router *r, size_t order, void *ctx)
{
    const struct record_wish *wish = ctx;
    const struct router_watch *want = &wish->want, *have = &r->events.watch;
    (void) order;
    bool slow = want->nslow == have->nslow &&
                memcmp(want->slow_us, have->slow_us, want->nslow * sizeof *want->slow_us) == 0;
    bool also = want->client_errors == have->client_errors && want->redirects == have->redirects;
    return (!wish->has_slow || slow) && (!wish->has_hang || want->hang_ms == have->hang_ms) &&
           (!wish->has_sample || want->sample == have->sample) && (!wish->has_also || also);
}

static void tell(struct cli *cli, uint64_t deadline_ms, struct fleet_result *result)
{
    _cleanup_(buf_done) struct buf path, body;
    struct json_writer w;
    buf_init(&path, 4096);
    buf_init(&body, 4096);
    buf_addf(&path, "v1/services/%s/watch", cli->fleet.service);
    json_writer_init(&w, &body);
    json_wish(&w, &cli->record);
    struct fleet_order order = {.method = "PUT", .path = path.ptr, .body = buf_str(&body)};
    struct fleet_plan plan = {
        .order = &order, .n = 1, .place = FLEET_IN_EVENTS, .holds = holds, .ctx = &cli->record};
    fleet_tell(&cli->fleet, &plan, deadline_ms, result);
}

/* --- printing --- */

static void slow_text(const struct router_watch *w, struct buf *b)
{
    for (size_t i = 0; i < w->nslow; i++) {
        buf_addf(b, "%s%gms", i > 0 ? "," : "", (double) w->slow_us[i] / 1000);
    }
    if (w->nslow == 0) {
        buf_add_cstr(b, "off");
    }
}

static void also_text(const struct router_watch *w, struct buf *b)
{
    buf_addf(b, "%s%s%s", w->client_errors ? "4xx" : "",
             w->client_errors && w->redirects ? "," : "", w->redirects ? "3xx" : "");
    if (!w->client_errors && !w->redirects) {
        buf_add_cstr(b, "none");
    }
}

static void add_row(const struct cli *cli, const struct fleet_router *r,
                    const struct fleet_result *result, struct table *t)
{
    const struct router_watch *w = &r->events.watch;
    bool shown = r->err.code == 0;
    struct buf b;
    buf_init(&b, 4096);
    table_addf(t, "%s", r->at.name);
    slow_text(w, &b);
    table_addf(t, "%s", shown ? b.ptr : "-");
    table_addf(t,
               !shown           ? "-"
               : w->hang_ms > 0 ? "%llums"
                                : "off",
               (unsigned long long) w->hang_ms);
    table_addf(t,
               !shown          ? "-"
               : w->sample > 0 ? "1 of %llu"
                               : "off",
               (unsigned long long) w->sample);
    buf_clear(&b);
    also_text(w, &b);
    table_addf(t, "%s", shown ? b.ptr : "-");
    buf_clear(&b);
    result_text(result, changes(cli) ? "set" : "", &b);
    table_addf(t, "%s", b.ptr);
    buf_done(&b);
}

static void print_text(const struct cli *cli, const struct fleet_result *result,
                       const struct err *err)
{
    static const char *const head[COLUMNS] = {"ROUTER", "SLOW", "HANG", "SAMPLE", "ALSO", "RESULT"};
    _cleanup_(buf_done) struct buf b;
    struct table t;
    buf_init(&b, OUT_MAX);
    table_init(&t, head, COLUMNS, 0);
    for (size_t i = 0; i < cli->fleet.len; i++) {
        add_row(cli, &cli->fleet.router[i], &result[i], &t);
    }
    buf_addf(&b, "service %s\n", cli->fleet.service);
    table_write(&t, &b);
    table_done(&t);
    if (!cli->quiet || err->code != 0) {
        out_write(buf_str(&b));
    }
    if (err->code != 0) {
        out_complain("%s", err->msg);
    }
}

static void print_json(const struct cli *cli, const struct fleet_result *result,
                       enum exit_code code, const struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    struct json_writer w;
    buf_init(&b, OUT_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "service", cli->fleet.service);
    json_kv_cstr(&w, "error", err->code == 0 ? NULL : err->msg);
    json_kv_u64(&w, "exit", code);
    json_key(&w, "routers");
    json_arr_begin(&w);
    for (size_t i = 0; i < cli->fleet.len; i++) {
        const struct fleet_router *r = &cli->fleet.router[i];
        struct record_wish all = {true, true, true, true, r->events.watch};
        json_obj_begin(&w);
        json_kv_cstr(&w, "name", r->at.name);
        result_json(&result[i], &w);
        if (r->err.code == 0) {
            json_key(&w, "watch");
            json_wish(&w, &all);
        }
        json_obj_end(&w);
    }
    json_arr_end(&w);
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
}

static enum exit_code run(struct cli *cli)
{
    struct err err = {0};
    uint64_t deadline_ms = routers_deadline(cli);
    if (routers_open(cli, &err) != 0) {
        return cli_fail(cli, &err);
    }
    fleet_read_watch(&cli->fleet);
    struct fleet_result *result = results_new(&cli->fleet, changes(cli));
    if (changes(cli)) {
        routers_catch_signals(cli);
        tell(cli, deadline_ms, result);
    }
    enum exit_code code = results_judge(&cli->fleet, result, &err);
    if (cli->json) {
        print_json(cli, result, code, &err);
    } else {
        print_text(cli, result, &err);
    }
    mem_free(result);
    return code;
}

static const struct opt *const options[] = {opt_record, opt_routers, NULL};

static const struct example examples[] = {
    {"pourover router record", "what is set"},
    {"pourover router record --slow 500ms,2s --hang 10s --sample 64",
     "slow and hanging requests, and the first of one visitor in 64"},
    {NULL, NULL},
};

const struct cmd cmd_router_record = {
    .name = "router record",
    .summary = "say what the routers write down as events besides failures",
    .option = options,
    .details =
        "For a service, on all routers; what is not named stays. Without options: shows what "
        "is set. It is kept over a reload, but not over a restart.",
    .example = examples,
    .run = run,
};
