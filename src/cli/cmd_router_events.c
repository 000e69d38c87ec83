/* pourover router events */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/out.h"
#include "cli/routers.h"

#include <stdlib.h>
#include <string.h>

/* Where one router is read. */
struct reader {
    char cursor[64], instance[17];
    bool done;      /* of the present pass */
    bool was_read;  /* goal is known */
    uint64_t goal;  /* number of the record that ends the pass */
    uint64_t older; /* events that were gone before the first pass */
    uint64_t lost[TRACKS];
    bool anew; /* its counters began anew */
    struct err err;
    VEC(struct router_event) kept;
};

struct line {
    const struct router_event *event;
    const struct fleet_router *router;
};

struct tail {
    struct cli *cli;
    struct reader *reader; /* one for each router */
    size_t kept_max;       /* of each */
};

static bool is_wanted(const struct cli *cli, const struct router_event *e)
{
    for (size_t i = 0; i < cli->kinds.len; i++) {
        if (strcmp(cli->kinds.ptr[i], e->kind) == 0) {
            return true;
        }
    }
    return cli->kinds.len == 0;
}

/* Keeps the newest; what is dropped to make room counts as older. */
static void keep(const struct tail *t, struct reader *reader, const struct router_event *e)
{
    if (!is_wanted(t->cli, e)) {
        return;
    }
    if (reader->kept.len >= 2 * t->kept_max) {
        reader->kept.len -= t->kept_max;
        reader->older += t->kept_max;
        memmove(reader->kept.ptr, reader->kept.ptr + t->kept_max,
                reader->kept.len * sizeof *reader->kept.ptr);
    }
    vec_push(&reader->kept, *e);
}

static void take_page(const struct tail *t, struct reader *reader, const struct router_events *page)
{
    bool first = strcmp(reader->cursor, "0") == 0;
    uint64_t last = 0;
    if (!first && strcmp(reader->instance, page->instance) != 0) {
        memcpy(reader->cursor, "0", 2); /* another zone: its numbers begin anew */
        reader->anew = true;
        return;
    }
    memcpy(reader->instance, page->instance, sizeof reader->instance);
    if (!reader->was_read) {
        reader->was_read = true;
        reader->goal = page->appended;
    }
    if (first && page->len > 0) {
        reader->older += page->event[0].seq - 1;
    }
    for (int i = 0; i < TRACKS && !first && page->has_lost; i++) {
        reader->lost[i] += page->lost[i];
    }
    for (size_t i = 0; i < page->len; i++) {
        keep(t, reader, &page->event[i]);
        last = page->event[i].seq;
    }
    reader->done = page->len == 0 || last >= reader->goal;
    memcpy(reader->cursor, page->next, sizeof reader->cursor);
}

/* Reads every router up to what it had when the pass began. */
static void read_pass(struct tail *t)
{
    struct fleet *fleet = &t->cli->fleet;
    bool again = true;
    for (size_t i = 0; i < fleet->len; i++) {
        t->reader[i].done = t->reader[i].was_read = t->reader[i].anew = false;
        t->reader[i].older = t->reader[i].lost[0] = t->reader[i].lost[1] = 0;
        t->reader[i].err = (struct err){0};
        t->reader[i].kept.len = 0;
    }
    while (again && !t->cli->interrupted) {
        const char *after[FLEET_MAX];
        for (size_t i = 0; i < fleet->len; i++) {
            after[i] = t->reader[i].done ? NULL : t->reader[i].cursor;
        }
        fleet_read_events(fleet, after);
        again = false;
        for (size_t i = 0; i < fleet->len; i++) {
            const struct fleet_router *r = &fleet->router[i];
            if (after[i] != NULL && r->err.code != 0) {
                t->reader[i].err = r->err;
                t->reader[i].done = true;
            } else if (after[i] != NULL) {
                take_page(t, &t->reader[i], &r->events);
            }
            again = again || !t->reader[i].done;
        }
    }
}

/* --- printing --- */

static void add_duration(struct buf *b, uint64_t us)
{
    if (us < 1000000) {
        buf_addf(b, "%.1fms", (double) us / 1000);
    } else {
        out_time(b, us / 1000);
    }
}

static void add_outcome(struct buf *b, const struct router_event *e, const struct router_watch *w)
{
    if (strcmp(e->kind, "slow") == 0) {
        if (e->status >= 0 && (size_t) e->status < w->nslow) {
            buf_add_cstr(b, " longer than ");
            add_duration(b, w->slow_us[e->status]);
            buf_add_char(b, ',');
        }
        return;
    }
    if (e->grpc >= 0) {
        buf_addf(b, " grpc-status %lld", (long long) e->grpc);
    } else if (e->status > 0) {
        buf_addf(b, " HTTP %lld", (long long) e->status);
    }
}

static void write_text(const struct line *line, struct buf *b)
{
    const struct router_event *e = line->event;
    char at[32];
    clock_format_utc_ms((uint64_t) e->start_ms, at);
    buf_addf(b, "%s %s %s %s:", at, line->router->at.name, e->assigned, e->kind);
    add_outcome(b, e, &line->router->events.watch);
    bool took = strcmp(e->kind, "exposure") != 0; /* that one is written down when it comes */
    if (took) {
        buf_add_cstr(b, strcmp(e->kind, "hang") == 0 ? " no answer after " : " after ");
        add_duration(b, e->took_us);
    }
    buf_addf(b, "%s%s", e->peer[0] != '\0' ? " at " : "", e->peer);
    buf_addf(b, "%s %s", took || e->peer[0] != '\0' ? "," : "", e->route);
    buf_addf(b, "%s%s", e->unit[0] != '\0' ? ", unit " : "", e->unit);
    if (e->nth > 1) {
        buf_addf(b, ", event %llu of this unit and kind", (unsigned long long) e->nth);
    }
    if (strcmp(e->served, e->assigned) != 0) {
        buf_addf(b, ", served by %s", e->served);
    }
    bool is_slow = strcmp(e->kind, "slow") == 0;
    if (e->final_status > 0 && !is_slow && e->final_status != e->status) {
        buf_addf(b, ", answered %lld", (long long) e->final_status);
    }
    buf_addf(b, ", revision %llu\n", (unsigned long long) e->revision);
}

static void write_json(const struct line *line, struct buf *b)
{
    const struct router_event *e = line->event;
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "router", line->router->at.name);
    json_kv_u64(&w, "seq", e->seq);
    json_kv_double(&w, "start_ms", e->start_ms);
    json_kv_cstr(&w, "unit", e->unit[0] != '\0' ? e->unit : NULL);
    json_kv_cstr(&w, "assigned", e->assigned);
    json_kv_cstr(&w, "served", e->served);
    json_kv_cstr(&w, "reason", e->reason);
    json_kv_u64(&w, "revision", e->revision);
    json_kv_u64(&w, "share_ppm", e->share_ppm);
    json_kv_cstr(&w, "kind", e->kind);
    json_kv_u64(&w, "nth", e->nth);
    json_kv_i64(&w, "status", e->status);
    json_kv_i64(&w, "grpc", e->grpc);
    json_kv_u64(&w, "took_us", e->took_us);
    json_kv_i64(&w, "final_status", e->final_status);
    json_kv_cstr(&w, "peer", e->peer);
    json_kv_cstr(&w, "route", e->route);
    json_obj_end(&w);
    buf_add_char(b, '\n');
}

static void json_note(const struct fleet_router *r, const struct reader *reader, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "router", r->at.name);
    if (reader->err.code != 0) {
        json_kv_cstr(&w, "error", reader->err.msg);
    }
    json_kv_bool(&w, "began_anew", reader->anew);
    json_kv_u64(&w, "older", reader->older);
    json_key(&w, "lost");
    json_obj_begin(&w);
    for (int i = 0; i < TRACKS; i++) {
        json_kv_u64(&w, track_name[i], reader->lost[i]);
    }
    json_obj_end(&w);
    json_obj_end(&w);
    buf_add_char(b, '\n');
}

/* What is not an event, but has to be known. */
static void print_notes(const struct tail *t)
{
    for (size_t i = 0; i < t->cli->fleet.len; i++) {
        const struct fleet_router *r = &t->cli->fleet.router[i];
        const struct reader *reader = &t->reader[i];
        bool lost = reader->lost[TRACK_STABLE] + reader->lost[TRACK_CANARY] > 0;
        struct buf b;
        buf_init(&b, 4096);
        if (t->cli->json && (reader->err.code != 0 || reader->anew || lost || reader->older > 0)) {
            json_note(r, reader, &b);
        } else if (!t->cli->json) {
            if (reader->anew) {
                buf_addf(&b, "%s: began anew, as after a restart\n", r->at.name);
            }
            if (reader->older > 0) {
                buf_addf(&b, "%s: %llu older events are gone\n", r->at.name,
                         (unsigned long long) reader->older);
            }
            if (lost) {
                buf_addf(&b,
                         "%s: LOST: %llu events of stable and %llu of canary were overwritten "
                         "before they were read\n",
                         r->at.name, (unsigned long long) reader->lost[TRACK_STABLE],
                         (unsigned long long) reader->lost[TRACK_CANARY]);
            }
            if (reader->err.code != 0) {
                out_complain("router %s: %s", r->at.name, reader->err.msg);
            }
        }
        out_write(buf_str(&b));
        buf_done(&b);
    }
}

static int by_start(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->event->start_ms != y->event->start_ms) {
        return x->event->start_ms < y->event->start_ms ? -1 : 1;
    }
    if (x->router != y->router) {
        return x->router < y->router ? -1 : 1;
    }
    return x->event->seq < y->event->seq ? -1 : x->event->seq > y->event->seq;
}

/* Prints what a pass has read, of all routers by the time when requests began. */
static void print_pass(const struct tail *t)
{
    const struct fleet *fleet = &t->cli->fleet;
    size_t n = 0, from = 0;
    for (size_t i = 0; i < fleet->len; i++) {
        n += t->reader[i].kept.len;
    }
    struct line *list = mem_array(n + 1, sizeof *list);
    n = 0;
    for (size_t i = 0; i < fleet->len; i++) {
        for (size_t k = 0; k < t->reader[i].kept.len; k++) {
            list[n++] = (struct line){&t->reader[i].kept.ptr[k], &fleet->router[i]};
        }
    }
    qsort(list, n, sizeof *list, by_start);
    if (t->cli->limit > 0 && n > t->cli->limit) {
        from = n - t->cli->limit;
    }
    print_notes(t);
    for (size_t i = from; i < n; i++) {
        struct buf b;
        buf_init(&b, 16384);
        if (t->cli->json) {
            write_json(&list[i], &b);
        } else {
            write_text(&list[i], &b);
        }
        out_write(buf_str(&b));
        buf_done(&b);
    }
    mem_free(list);
}

/* --- the command --- */

static enum exit_code judge(const struct tail *t)
{
    enum exit_code code = EXIT_DONE;
    for (size_t i = 0; i < t->cli->fleet.len; i++) {
        enum err_code err = t->reader[i].err.code;
        if (err == ERR_UNREACHABLE && code == EXIT_DONE) {
            code = EXIT_UNREACHABLE;
        } else if (err != 0 && err != ERR_UNREACHABLE) {
            code = EXIT_FAILED;
        }
    }
    return code;
}

static bool is_interrupted(void *ctx)
{
    const struct cli *cli = ctx;
    return cli->interrupted;
}

static enum exit_code read_on(struct tail *t)
{
    struct cli *cli = t->cli;
    uint64_t start = clock_mono_ms(), next = start;
    read_pass(t);
    print_pass(t);
    enum exit_code code = judge(t);
    while (cli->follow && (cli->for_ms == 0 || clock_mono_ms() - start < cli->for_ms)) {
        next += cli->interval_ms;
        uint64_t now = clock_mono_ms();
        if (io_loop_wait(cli->loop, next > now ? next - now : 0, is_interrupted, cli)) {
            return code;
        }
        read_pass(t);
        if (!cli->interrupted) {
            print_pass(t);
            code = judge(t);
        }
    }
    return cli->interrupted && !cli->follow ? EXIT_INTERRUPTED : code;
}

static enum exit_code run(struct cli *cli)
{
    struct err err = {0};
    if (routers_open(cli, &err) != 0) {
        return cli_fail(cli, &err);
    }
    routers_catch_signals(cli);
    size_t n = cli->fleet.len;
    struct tail t = {.cli = cli, .kept_max = CLI_EVENTS_MAX / n / 2};
    t.reader = mem_array(n, sizeof *t.reader);
    for (size_t i = 0; i < n; i++) {
        memcpy(t.reader[i].cursor, "0", 2);
    }
    enum exit_code code = read_on(&t);
    for (size_t i = 0; i < n; i++) {
        vec_done(&t.reader[i].kept);
    }
    mem_free(t.reader);
    return code;
}

static const struct opt *const options[] = {opt_events, opt_watch, opt_routers, NULL};

static const struct example examples[] = {
    {"pourover router events --limit 20", "the last twenty"},
    {"pourover router events --follow --kind app,grpc", "errors of the application, as they come"},
    {"pourover router events --json --kind slow | jq .peer", "for a script"},
    {NULL, NULL},
};

const struct cmd cmd_router_events = {
    .name = "router events",
    .summary = "print bad outcomes and sampled visitors, one by one",
    .option = options,
    .details =
        "One line for each event, of all routers together, by the time when the request began. "
        "Every event tells of the first attempt at a peer, so that a retry elsewhere hides "
        "nothing. Kinds: app (HTTP 5xx), grpc (a server fault as gRPC status), connect, reset, "
        "timeout, hang, truncated, client-gone, slow, exposure (a sampled visitor's first "
        "request), and if \"router record\" asks for them client-error and redirect.\n\n"
        "Routers remember a few thousand. What was overwritten before it could be read is counted "
        "and told for each track. --for and --interval are for --follow.\n\n"
        "Exit code 3 when a router could not be reached at the last reading.",
    .example = examples,
    .run = run,
};
