/* pourover router drain */
#include "base/clock.h"
#include "cli/out.h"
#include "cli/peer_change.h"
#include "cli/routers.h"

#define DEFAULT_WAIT_MS 60000
#define AFTER_LIMIT_MS  10000 /* what the end of requests at a limit may take */
#define LINE_EVERY_MS   1000  /* where stdout is no terminal: at most so often ... */
#define SAME_EVERY_MS   10000 /* ... and the same again only so often */

struct progress {
    const struct peer_work *work;
    uint64_t told_at_ms;
    struct buf told;
};

static void add_waiting(const struct peer_work *w, struct buf *b)
{
    for (size_t i = 0; i < w->cli->fleet.len * w->n; i++) {
        const struct fleet_result *result = &w->result[i];
        if (result->outcome == FLEET_NOT_PROVED && result->pending) {
            buf_addf(b, "%s%s: %s: %s",
                     b->len > 0 ? "; " : "waiting: ", w->cli->fleet.router[i / w->n].at.name,
                     w->ref[i % w->n].address, result->why.msg);
        }
    }
    buf_add_char(b, '\n');
}

/* A line now and then, for logs. */
static void tell_line(struct progress *p)
{
    uint64_t since = clock_mono_ms() - p->told_at_ms;
    struct buf b;
    if (since < LINE_EVERY_MS) {
        return;
    }
    buf_init(&b, OUT_MAX);
    add_waiting(p->work, &b);
    if (since >= SAME_EVERY_MS || !str_eq(buf_str(&b), buf_str(&p->told))) {
        p->told_at_ms = clock_mono_ms();
        buf_clear(&p->told);
        buf_add_str(&p->told, buf_str(&b));
        out_write(buf_str(&b));
    }
    buf_done(&b);
}

/* After each reading: a table that is drawn anew, or a line. */
static void show(void *ctx)
{
    struct progress *p = ctx;
    const struct cli *cli = p->work->cli;
    struct buf b;
    if (cli->json || cli->quiet) {
        return;
    }
    if (!out_is_live()) {
        tell_line(p);
        return;
    }
    buf_init(&b, OUT_MAX);
    peer_work_table(p->work, &b);
    out_redraw(buf_str(&b));
    buf_done(&b);
}

static uint64_t wait_ms(const struct cli *cli)
{
    uint64_t limit = cli->requests_ms > cli->streams_ms ? cli->requests_ms : cli->streams_ms;
    if (cli->wait_ms > 0) {
        return cli->wait_ms;
    }
    return limit + AFTER_LIMIT_MS > DEFAULT_WAIT_MS ? limit + AFTER_LIMIT_MS : DEFAULT_WAIT_MS;
}

static bool is_draining(const struct peer_view *view, const struct cli *cli)
{
    (void) cli;
    return view != NULL && view->state == ROUTER_DRAINING;
}

static void write_body(const struct cli *cli, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "state", "draining");
    if (cli->by != NULL) {
        json_kv_cstr(&w, "by", cli->by);
    }
    json_kv_u64(&w, "requests_ms", cli->requests_ms);
    json_kv_u64(&w, "streams_ms", cli->streams_ms);
    json_obj_end(&w);
}

static enum exit_code run(struct cli *cli)
{
    char text[512];
    struct buf body;
    struct err err = {0};
    struct peer_work work;
    buf_init_fixed(&body, text, sizeof text);
    write_body(cli, &body);
    struct peer_change change = {.what = "drain",
                                 .done = cli->no_wait ? "draining" : "drained",
                                 .method = "PATCH",
                                 .body = buf_str(&body),
                                 .takes_out = true,
                                 .insists = true,
                                 .holds = is_draining};
    if (peer_work_begin(cli, &change, cli->noperands, &work, &err) != 0) {
        return cli_fail(cli, &err);
    }
    if (!cli->no_wait) {
        struct progress progress = {.work = &work, .told_at_ms = clock_mono_ms()};
        buf_init(&progress.told, OUT_MAX);
        uint64_t deadline_ms = clock_mono_ms() + wait_ms(cli);
        fleet_drain(&cli->fleet, work.ref, work.n, deadline_ms, show, &progress, work.result);
        buf_done(&progress.told);
        fleet_read_requests(&cli->fleet, work.ref, work.n, deadline_ms, work.requests);
    }
    return peer_work_end(&work);
}

static const struct opt *const options[] = {opt_drain, opt_by,      opt_out,
                                            opt_track, opt_routers, NULL};

static const struct example examples[] = {
    {"pourover router drain 10.0.1.11:8080 --by 'release 42'", "out of service, and wait for it"},
    {"pourover router drain 10.0.1.11:8080 --requests 30s --streams 5m",
     "what is in flight then is ended and listed"},
    {"pourover router drain app-new:8080 --no-wait", "all addresses of a name"},
    {NULL, NULL},
};

const struct cmd cmd_router_drain = {
    .name = "router drain",
    .summary = "send a peer no new requests, and wait until none is in flight",
    .operand = "PEER...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_MAX,
    .option = options,
    .details =
        "PEER is the address of a peer, or a name that the routers resolve. It is set to drain on "
        "every router, and stays so until \"router undrain\": no check and no restart ends it. One "
        "that cannot be reached is tried again until --timeout. The limits count from now on; "
        "draining again sets them anew.\n\n"
        "A drain is proved at a router by two readings one after the other that say draining and "
        "nothing in flight, while no second NGINX serves there beside the first, as during an "
        "upgrade of its binary. What a limit has ended is listed; so is what still is in flight "
        "when the time to wait is over.\n\n"
        "Exit code 0: proved on all routers; 4: the time to wait was over; 3: a router cannot be "
        "reached (the others are drained); 1: a router refused, lacks the peer, or somebody else "
        "ended the drain. The last peer of stable that takes requests is not drained, but by "
        "--force.",
    .example = examples,
    .run = run,
};
