/* pourover router peers */
#include "base/cleanup.h"
#include "cli/out.h"
#include "cli/peer_text.h"
#include "cli/routers.h"
#include "gateway/peers.h"

#define COLUMNS 9

/* A cell that a buf holds. */
static void add_cell(struct table *t, struct buf *b)
{
    table_addf(t, "%s", b->len > 0 ? b->ptr : "");
    buf_clear(b);
}

static void add_peer(struct table *t, const struct fleet_router *r, const struct router_peer *p)
{
    _cleanup_(buf_done) struct buf b;
    uint64_t now_ms = fleet_clock(r);
    buf_init(&b, 4096);
    table_addf(t, "%s", r->at.name);
    peer_text_address(&b, p);
    add_cell(t, &b);
    table_addf(t, "%s", track_name[p->track]);
    table_addf(t, "%s", p->dc);
    peer_text_weight(&b, p);
    add_cell(t, &b);
    peer_text_state(&b, p->state, p->has_drain ? &p->drain : NULL, now_ms);
    add_cell(t, &b);
    peer_text_health(&b, p, now_ms);
    add_cell(t, &b);
    table_addf(t, "%llu", (unsigned long long) p->in_flight);
    out_count(&b, p->requests);
    add_cell(t, &b);
}

/* A name has a line of its own when its addresses do not tell enough: none, or only old ones. */
static void add_name(struct table *t, const struct fleet_router *r, const struct router_name *n)
{
    const char *error = n->error[0] != '\0' ? n->error : "not resolved yet";
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 4096);
    table_addf(t, "%s", r->at.name);
    table_addf(t, "%s", n->address);
    table_addf(t, "%s", track_name[n->track]);
    table_addf(t, "%s", n->dc);
    table_addf(t, "%llu", (unsigned long long) n->weight);
    peer_text_state(&b, n->state, n->has_drain ? &n->drain : NULL, fleet_clock(r));
    add_cell(t, &b);
    if (n->addresses == 0) {
        table_addf(t, "no address: %s", error);
    } else {
        table_addf(t, "keeps its last addresses: %s", error);
    }
    table_addf(t, "-");
    table_addf(t, "-");
}

static void add_router(struct table *t, const struct fleet_router *r)
{
    for (size_t i = 0; i < r->service.nnames; i++) {
        const struct router_name *n = &r->service.named[i];
        if (n->addresses == 0 || n->error[0] != '\0') {
            add_name(t, r, n);
        }
    }
    for (size_t i = 0; i < r->service.npeers; i++) {
        add_peer(t, r, &r->service.peer[i]);
    }
}

/* What --verbose adds of every peer. */
static void add_details(const struct fleet_router *r, struct buf *b)
{
    for (size_t i = 0; i < r->service.npeers; i++) {
        const struct router_peer *p = &r->service.peer[i];
        const struct router_check *c = &p->check;
        buf_addf(b, "%s: %s: from %s, %llu failures", r->at.name, p->address, p->origin,
                 (unsigned long long) p->failures);
        if (p->has_check) {
            buf_addf(b, "; last seen: %s%s%s, %.1fms, %llu in a row, %llu changes of health",
                     c->reason, c->text[0] != '\0' ? ": " : "", c->text, (double) c->took_us / 1000,
                     (unsigned long long) c->streak, (unsigned long long) c->changes);
            peer_text_ago(b, c->at_ms, fleet_clock(r));
        }
        buf_add_char(b, '\n');
    }
}

static void add_maintenance(const struct fleet_router *r, struct buf *b)
{
    const struct router_maintenance *m = &r->service.maintenance;
    if (m->on) {
        buf_addf(b, "%s: in maintenance%s%s", r->at.name, m->by[0] != '\0' ? " by " : "", m->by);
        peer_text_ago(b, m->since_ms, fleet_clock(r));
        buf_addf(b, "%s%s\n", m->message[0] != '\0' ? ": " : "", m->message);
    }
}

static void print_table(const struct cli *cli, const struct buf *differences)
{
    static const char *const head[COLUMNS] = {"ROUTER", "PEER",   "TRACK",     "DC",      "WEIGHT",
                                              "STATE",  "HEALTH", "IN FLIGHT", "REQUESTS"};
    const struct fleet *fleet = &cli->fleet;
    _cleanup_(table_done) struct table t;
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, OUT_MAX);
    table_init(&t, head, COLUMNS, 0x190);
    buf_addf(&b, "service %s\n", fleet->service);
    for (size_t i = 0; i < fleet->len; i++) {
        if (fleet->router[i].err.code == 0) {
            add_router(&t, &fleet->router[i]);
        }
    }
    table_write(&t, &b);
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->err.code != 0) {
            buf_addf(&b, "%s: ERROR: %s\n", r->at.name, r->err.msg);
            continue;
        }
        add_maintenance(r, &b);
        if (cli->verbose) {
            add_details(r, &b);
        }
    }
    if (differences->len > 0) {
        out_paint(&b, PAINT_BAD, "the routers differ:");
        buf_add_char(&b, '\n');
        buf_add_str(&b, buf_str(differences));
    }
    out_write(buf_str(&b));
}

static void json_name(struct json_writer *w, const struct router_name *n)
{
    json_obj_begin(w);
    json_kv_cstr(w, "address", n->address);
    json_kv_cstr(w, "track", track_name[n->track]);
    json_kv_cstr(w, "dc", n->dc);
    json_kv_u64(w, "weight", n->weight);
    json_kv_cstr(w, "state", router_state_name[n->state]);
    json_key(w, "drain");
    peer_json_drain(w, n->has_drain ? &n->drain : NULL);
    json_kv_u64(w, "addresses", n->addresses);
    json_kv_u64(w, "resolved_at_ms", n->resolved_at_ms);
    json_kv_cstr(w, "error", n->error);
    json_obj_end(w);
}

static void json_router(struct json_writer *w, const struct fleet_router *r)
{
    const struct router_service *s = &r->service;
    json_obj_begin(w);
    json_kv_cstr(w, "name", r->at.name);
    json_kv_bool(w, "reached", r->err.code == 0);
    json_kv_cstr(w, "error", r->err.code == 0 ? NULL : r->err.msg);
    if (r->err.code == 0) {
        json_kv_maintenance(w, &s->maintenance);
        json_key(w, "peers");
        json_arr_begin(w);
        for (size_t i = 0; i < s->npeers; i++) {
            json_obj_begin(w);
            peer_json(w, &s->peer[i]);
            json_obj_end(w);
        }
        json_arr_end(w);
        json_key(w, "names");
        json_arr_begin(w);
        for (size_t i = 0; i < s->nnames; i++) {
            json_name(w, &s->named[i]);
        }
        json_arr_end(w);
    }
    json_obj_end(w);
}

/* The lines as an array of strings. */
static void json_lines(struct json_writer *w, struct str lines)
{
    struct str line;
    json_arr_begin(w);
    while (lines.len > 0 && str_cut(&lines, '\n', &line)) {
        json_str(w, line);
    }
    json_arr_end(w);
}

static void print_json(const struct fleet *fleet, const struct buf *differences,
                       enum exit_code code)
{
    struct json_writer w;
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, OUT_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "service", fleet->service);
    json_kv_bool(&w, "agree", code == EXIT_DONE);
    json_kv_u64(&w, "exit", code);
    json_key(&w, "differences");
    json_lines(&w, buf_str(differences));
    json_key(&w, "routers");
    json_arr_begin(&w);
    for (size_t i = 0; i < fleet->len; i++) {
        json_router(&w, &fleet->router[i]);
    }
    json_arr_end(&w);
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
}

static enum exit_code judge(const struct fleet *fleet, size_t differences)
{
    for (size_t i = 0; i < fleet->len; i++) {
        if (fleet->router[i].err.code != 0) {
            return fleet->router[i].err.code == ERR_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
        }
    }
    return differences > 0 ? EXIT_FAILED : EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
    struct err err = {0};
    _cleanup_(buf_done) struct buf differences;
    buf_init(&differences, OUT_MAX);
    if (routers_open(cli, &err) != 0) {
        return cli_fail(cli, &err);
    }
    fleet_read(&cli->fleet);
    enum exit_code code = judge(&cli->fleet, peers_differ(&cli->fleet, &differences));
    if (cli->json) {
        print_json(&cli->fleet, &differences, code);
    } else if (!cli->quiet || code != EXIT_DONE) {
        print_table(cli, &differences);
    }
    return code;
}

static const struct opt *const options[] = {opt_routers, NULL};

static const struct example examples[] = {
    {"pourover router peers", "all peers at all routers"},
    {"pourover router peers -v", "with what was seen of each last"},
    {NULL, NULL},
};

const struct cmd cmd_router_peers = {
    .name = "router peers",
    .summary = "show the peers of every router: state, health, in flight",
    .option = options,
    .details =
        "WEIGHT is what the peer has now and what it will have, during a slow start. STATE is what "
        "was asked of the peer: ready, draining (no new requests) or down. HEALTH is what was seen "
        "of it: unchecked (nobody looks), unknown (no check has ended yet), up, or down with the "
        "reason. A name that has no address, or only old ones, has a line of its own.\n\n"
        "Exit code 1 when the routers differ: a peer or its state is on one and not on the other, "
        "or its weight, or maintenance; 3 when one cannot be reached (the others are shown).",
    .example = examples,
    .run = run,
};
