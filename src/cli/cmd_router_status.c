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
    for (int i = 0; i < TRACKS && !r->service.is_cut; i++) {
        if (r->service.track[i].live == 0) {
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

static void add_peers(const struct fleet *fleet, struct buf *b)
{
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        for (size_t k = 0; r->err.code == 0 && k < r->service.npeers; k++) {
            buf_addf(b, "%s: %s is a %s peer\n", r->at.name, r->service.peer[k].address,
                     track_name[r->service.peer[k].track]);
        }
    }
}

static void print_table(const struct cli *cli, const struct err *disagree)
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
    if (cli->verbose) {
        add_peers(fleet, &b);
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
            json_kv_u64(w, "in_flight", s->track[i].in_flight);
            json_obj_end(w);
        }
        json_obj_end(w);
        json_kv_bool(w, "upgrading", r->status.upgrading);
        json_kv_bool(w, "saved", r->status.saved);
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
    if (routers_open(cli, &err) != 0) {
        return cli_fail(cli, &err);
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
        print_table(cli, &err);
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
        "at its start.\n\n"
        "Exit code 1 when the routers differ in share, salt, enabled or revision; 3 when one "
        "cannot "
        "be reached (the others are shown).",
    .example = examples,
    .run = run,
};
