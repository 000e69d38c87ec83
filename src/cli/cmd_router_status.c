/* pourover router status */
#include "base/buf.h"
#include "base/num.h"
#include "cli/out.h"
#include "cli/routers.h"

#include <string.h>

static void note(struct buf *b, const char *what, const char *detail)
{
    buf_addf(b, "%s%s%s%s", b->len > 0 ? "; " : "", what, detail[0] != '\0' ? ": " : "", detail);
}

/* What a reader should know beyond the columns. */
static void write_notes(const struct fleet_router *r, struct buf *b)
{
    const struct router_status *status = &r->status;
    const char *restored = r->service.restored;
    if (strcmp(restored, "refused") == 0) {
        note(b, "state file refused", status->restored_reason);
    }
    if (strcmp(restored, "partly") == 0) {
        note(b, "state file partly bad", status->restored_reason);
    }
    if (status->has_state_file && !status->saved) {
        note(b, "not saved", status->state_error);
    }
    if (!status->has_state_file) {
        note(b, "no state file", "");
    }
    if (status->upgrading) {
        note(b, "nginx is being upgraded", "");
    }
    if (status->failing.failing) {
        note(b, "health checks fail by command", status->failing.by);
    }
    if (r->service.maintenance.on) {
        note(b, "in maintenance", r->service.maintenance.message);
    }
    for (int i = 0; i < TRACKS && !r->service.is_cut; i++) {
        const struct router_track *track = &r->service.track[i];
        if (track->failing > 0) {
            buf_addf(b, "%s%llu failing: %s", b->len > 0 ? "; " : "",
                     (unsigned long long) track->failing, track_name[i]);
        }
        if (track->live == 0) {
            note(b, "no live peer", track_name[i]);
        }
    }
}

static void add_row(struct table *t, const struct fleet_router *r)
{
    const struct router_service *s = &r->service;
    const struct router_track *track = s->track;
    char share[16], text[512];
    struct buf notes;
    table_addf(t, "%s", r->at.name);
    if (r->err.code != 0) {
        for (int i = 0; i < 8; i++) {
            table_addf(t, "-");
        }
        table_addf(t, "ERROR: %s", r->err.msg);
        return;
    }
    buf_init_fixed(&notes, text, sizeof text);
    write_notes(r, &notes);
    num_share_text(s->split.share_ppm, share);
    table_addf(t, "%s", share);
    table_addf(t, "%llu", (unsigned long long) s->split.revision);
    table_addf(t, "%s", s->split.salt);
    table_addf(t, "%s", s->split.enabled ? "yes" : "NO");
    for (int i = 0; i < TRACKS; i++) {
        table_addf(t, s->is_cut ? "-" : "%llu/%llu", (unsigned long long) track[i].live,
                   (unsigned long long) track[i].peers);
    }
    uint64_t in_flight = track[0].in_flight + track[1].in_flight;
    table_addf(t, "%llu", (unsigned long long) in_flight);
    table_addf(t, "%s", s->restored);
    table_addf(t, "%s", text);
}

static void add_counts(const struct fleet_router *r, struct buf *b)
{
    for (int i = 0; i < TRACKS; i++) {
        const struct router_track *t = &r->service.track[i];
        const struct router_counts *c = &r->stats.track[i];
        buf_addf(b, "%s: %s: %llu peers, %llu live", r->at.name, track_name[i],
                 (unsigned long long) t->peers, (unsigned long long) t->live);
        if (t->has_health) {
            buf_addf(b, ", %llu failing, %llu unknown", (unsigned long long) t->failing,
                     (unsigned long long) t->unknown);
        }
        buf_addf(b,
                 "; %llu times in panic, %llu answered by the other track, %llu in maintenance, "
                 "%llu cut by drains\n",
                 (unsigned long long) c->panic, (unsigned long long) c->other_track,
                 (unsigned long long) c->maintenance, (unsigned long long) c->cut);
    }
}

static void add_units(const struct fleet_router *r, struct buf *b)
{
    for (size_t i = 0; i < r->stats.nunits; i++) {
        const struct router_units *u = &r->stats.units[i];
        char share[16];
        num_share_text(u->share_ppm, share);
        buf_addf(b, "%s: visitors under revision %llu (%s): about ", r->at.name,
                 (unsigned long long) u->revision, share);
        out_count(b, u->count[TRACK_STABLE]);
        buf_add_cstr(b, " on stable, ");
        out_count(b, u->count[TRACK_CANARY]);
        buf_add_cstr(b, " on the canary (standard error ");
        out_percent(b, r->stats.units_error);
        buf_add_cstr(b, ")\n");
    }
}

/* What --verbose adds: peers, counts, distinct visitors, the worker that checks. */
static void add_details(const struct fleet_router *r, bool has_stats, struct buf *b)
{
    for (size_t k = 0; k < r->service.npeers; k++) {
        buf_addf(b, "%s: %s is a %s peer\n", r->at.name, r->service.peer[k].address,
                 track_name[r->service.peer[k].track]);
    }
    if (has_stats) {
        add_counts(r, b);
        add_units(r, b);
    }
    if (r->status.has_checker) {
        const struct router_checker *c = &r->status.checker;
        buf_addf(b, "%s: process %llu checks the peers: %llu checks, %llu late\n", r->at.name,
                 (unsigned long long) c->pid, (unsigned long long) c->checks,
                 (unsigned long long) c->late);
    }
}

/* has_stats: of each router, with --verbose. */
static void print_table(const struct cli *cli, const struct err *disagree, const bool *has_stats)
{
    static const char *const head[] = {"ROUTER", "SHARE",  "REVISION",  "SALT",     "ENABLED",
                                       "STABLE", "CANARY", "IN FLIGHT", "RESTORED", "NOTES"};
    const struct fleet *fleet = &cli->fleet;
    struct table t;
    struct buf b;
    buf_init(&b, OUT_MAX);
    table_init(&t, head, 10, 0xe6);
    for (size_t i = 0; i < fleet->len; i++) {
        add_row(&t, &fleet->router[i]);
    }
    buf_addf(&b, "service %s\n", fleet->service);
    table_write(&t, &b);
    for (size_t i = 0; i < fleet->len && cli->verbose; i++) {
        if (fleet->router[i].err.code == 0) {
            add_details(&fleet->router[i], has_stats[i], &b);
        }
    }
    if (disagree->code == ERR_CONFLICT) {
        out_paint(&b, PAINT_BAD, disagree->msg);
        buf_add_cstr(&b, "\nbring them together: pourover router sync\n");
    }
    out_write(buf_str(&b));
    table_done(&t);
    buf_done(&b);
}

static void json_router(struct json_writer *w, const struct fleet_router *r)
{
    const struct router_service *s = &r->service;
    json_obj_begin(w);
    json_kv_cstr(w, "name", r->at.name);
    json_kv_bool(w, "reached", r->err.code == 0);
    json_kv_cstr(w, "error", r->err.code == 0 ? NULL : r->err.msg);
    if (r->err.code == 0) {
        char text[512];
        struct buf notes;
        buf_init_fixed(&notes, text, sizeof text);
        write_notes(r, &notes);
        json_kv_split(w, "split", &s->split);
        json_kv_cstr(w, "restored", s->restored);
        json_key(w, "tracks");
        json_obj_begin(w);
        for (int i = 0; i < TRACKS; i++) {
            json_key(w, track_name[i]);
            json_obj_begin(w);
            json_kv_u64(w, "peers", s->track[i].peers);
            json_kv_u64(w, "live", s->track[i].live);
            if (s->track[i].has_health) {
                json_kv_u64(w, "failing", s->track[i].failing);
                json_kv_u64(w, "unknown", s->track[i].unknown);
            }
            json_kv_u64(w, "in_flight", s->track[i].in_flight);
            json_obj_end(w);
        }
        json_obj_end(w);
        json_kv_bool(w, "upgrading", r->status.upgrading);
        json_kv_bool(w, "saved", r->status.saved);
        json_kv_bool(w, "health_failing", r->status.failing.failing);
        json_kv_maintenance(w, &s->maintenance);
        json_kv_cstr(w, "notes", text);
    }
    json_obj_end(w);
}

static void print_json(const struct fleet *fleet, const struct err *disagree, enum exit_code code)
{
    struct json_writer w;
    struct buf b;
    buf_init(&b, OUT_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "service", fleet->service);
    json_kv_bool(&w, "agree", disagree->code == 0);
    json_kv_cstr(&w, "error", disagree->code == 0 ? NULL : disagree->msg);
    json_kv_u64(&w, "exit", code);
    json_key(&w, "routers");
    json_arr_begin(&w);
    for (size_t i = 0; i < fleet->len; i++) {
        json_router(&w, &fleet->router[i]);
    }
    json_arr_end(&w);
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
    buf_done(&b);
}

static enum exit_code run(struct cli *cli)
{
    struct err err = {0};
    bool has_stats[FLEET_MAX] = {false};
    if (routers_open(cli, &err) != 0) {
        return cli_fail(cli, &err);
    }
    if (cli->verbose && !cli->json) {
        fleet_read_stats(&cli->fleet);
        for (size_t i = 0; i < cli->fleet.len; i++) {
            has_stats[i] = cli->fleet.router[i].err.code == 0;
        }
    }
    fleet_read(&cli->fleet);
    int agree = fleet_agree(&cli->fleet, &err);
    enum exit_code code = EXIT_DONE;
    if (agree != 0) {
        code = agree == ERR_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
    }
    if (cli->json) {
        print_json(&cli->fleet, &err, code);
    } else if (!cli->quiet || code != EXIT_DONE) {
        print_table(cli, &err, has_stats);
    }
    return code;
}

static const struct opt *const options[] = {opt_routers, NULL};

static const struct example examples[] = {
    {"pourover router status --router http://127.0.0.1:9900/pourover", "one router"},
    {"pourover router status --json | jq .agree", "for a script; the exit code says it too"},
    {NULL, NULL},
};

const struct cmd cmd_router_status = {
    .name = "router status",
    .summary = "show the split, peers and state of every router",
    .option = options,
    .details =
        "Prints a line for each router: the share that is set, its revision, salt and kill switch, "
        "live and all peers of both tracks, requests in flight, and what became of the state file "
        "at its start. --verbose adds every peer, failing and unknown ones, distinct visitors of "
        "the last revisions, and the worker that checks the peers.\n\n"
        "Exit code 1 when the routers differ in share, salt, enabled or revision; 3 when one "
        "cannot "
        "be reached (the others are shown).",
    .example = examples,
    .run = run,
};
