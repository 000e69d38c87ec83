/* Changes of peers; see peer_change.h. */
#include "cli/peer_change.h"

#include "base/mem.h"
#include "cli/out.h"
#include "cli/peer_text.h"
#include "cli/results.h"
#include "cli/routers.h"

#include <string.h>

#define COLUMNS 8

static struct fleet_result *result_of(const struct peer_work *w, size_t router, size_t k)
{
    return &w->result[router * w->n + k];
}

/* --- what is asked for --- */

static int take_refs(struct peer_work *w, size_t peers, struct err *err)
{
    const struct cli *cli = w->cli;
    for (size_t k = 0; k < peers; k++) {
        const char *text = cli->operand[k];
        size_t len = strlen(text);
        for (size_t i = 0; i < k; i++) {
            if (strcmp(cli->operand[i], text) == 0) {
                return err_set(err, ERR_INVALID, "\"%s\" is named twice", text);
            }
        }
        if (len == 0 || len >= ROUTER_TEXT_MAX || strpbrk(text, " \t\r\n") != NULL) {
            return err_set(err, ERR_INVALID,
                           "\"%s\" is no address of a peer, such as 10.0.1.11:8080", text);
        }
        w->ref[k] =
            (struct peer_ref){.address = text, .has_track = cli->has_track, .track = cli->track};
        if (w->change->adds) {
            w->ref[k].has_track = true; /* or a peer of the other track would be moved */
        }
    }
    w->n = peers;
    return 0;
}

/* Whether a peer can be told at a router that was read. */
static int check_peer(const struct peer_work *w, const struct fleet_router *r, size_t k,
                      struct fleet_result *result, struct err *err)
{
    struct peer_view view = {0};
    const char *address = w->ref[k].address;
    switch (peers_find(&r->service, &w->ref[k], &view)) {
    case PEER_FOUND:
        return 0;
    case PEER_MISSING:
        if (!w->change->adds) {
            result->outcome = FLEET_REFUSED;
            (void) peers_unknown(&w->cli->fleet, &w->ref[k], &result->why);
        }
        return 0;
    case PEER_ON_BOTH:
        return err_set(err, ERR_INVALID,
                       "\"%s\" is a peer of both tracks at router %s: say which by --track stable "
                       "or --track canary",
                       address, r->at.name);
    case PEER_OF_NAME:
        return err_set(err, ERR_INVALID,
                       "\"%s\" is an address of the name %s at router %s and changes with it: say "
                       "that name",
                       address, view.peer->name, r->at.name);
    }
    BUG("a match of unknown kind");
}

static int check_peers(const struct peer_work *w, struct err *err)
{
    const struct fleet *fleet = &w->cli->fleet;
    for (size_t k = 0; k < w->n; k++) {
        size_t reached = 0, missing = 0;
        for (size_t i = 0; i < fleet->len; i++) {
            const struct fleet_router *r = &fleet->router[i];
            struct fleet_result *result = result_of(w, i, k);
            if (r->err.code != 0) {
                result->outcome = FLEET_NOT_PROVED;
                result->why = r->err;
                continue;
            }
            if (check_peer(w, r, k, result, err) != 0) {
                return err->code;
            }
            reached++;
            missing += result->outcome == FLEET_REFUSED;
        }
        if (reached == 0) {
            *err = result_of(w, 0, k)->why;
            return err_wrap(err, "router %s", fleet->router[0].at.name);
        }
        if (missing == reached) {
            return peers_unknown(fleet, &w->ref[k], err);
        }
    }
    return 0;
}

static int check_stable(const struct peer_work *w, struct err *err)
{
    const struct fleet *fleet = &w->cli->fleet;
    for (size_t i = 0; i < fleet->len && !w->cli->force; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->err.code == 0 && !peers_may_leave(&r->service, w->ref, w->n)) {
            return err_set(err, ERR_CONFLICT,
                           "refused: stable would be left without a peer that takes requests at "
                           "router %s; --force does it all the same",
                           r->at.name);
        }
    }
    return 0;
}

/* --- the change --- */

static bool holds(const struct fleet_router *r, size_t k, void *ctx)
{
    const struct peer_work *w = ctx;
    struct peer_view view = {0};
    bool found = peers_find(&r->service, &w->ref[k], &view) == PEER_FOUND;
    return w->change->holds(found ? &view : NULL, w->cli);
}

/* A router that was away when the others were checked. */
static int check_late(const struct fleet_router *r, size_t k, void *ctx, struct err *err)
{
    const struct peer_work *w = ctx;
    struct fleet_result result = {0};
    int code = check_peer(w, r, k, &result, err);
    if (code == 0 && result.outcome == FLEET_REFUSED) {
        *err = result.why;
        return err->code;
    }
    if (code == 0 && w->change->takes_out && !w->cli->force &&
        !peers_may_leave(&r->service, w->ref, w->n)) {
        return err_set(err, ERR_CONFLICT,
                       "stable would be left without a peer that takes requests; --force does it "
                       "all the same");
    }
    return code;
}

static void tell(struct peer_work *w, uint64_t deadline_ms)
{
    struct fleet_order order[CLI_OPERANDS_MAX];
    struct buf path[CLI_OPERANDS_MAX];
    for (size_t k = 0; k < w->n; k++) {
        buf_init(&path[k], 4096);
        peers_path(&w->cli->fleet, &w->ref[k], &path[k]);
        order[k] = (struct fleet_order){
            .method = w->change->method, .path = path[k].ptr, .body = w->change->body};
    }
    struct fleet_plan plan = {.order = order,
                              .n = w->n,
                              .holds = holds,
                              .ctx = w,
                              .again = w->change->insists ? check_late : NULL};
    fleet_tell(&w->cli->fleet, &plan, deadline_ms, w->result);
    for (size_t k = 0; k < w->n; k++) {
        buf_done(&path[k]);
    }
}

static void work_done(struct peer_work *w)
{
    for (size_t i = 0; w->requests != NULL && i < w->cli->fleet.len * w->n; i++) {
        drain_requests_done(&w->requests[i]);
    }
    mem_free(w->requests);
    mem_free(w->result);
}

static int begin(struct peer_work *w, size_t peers, struct err *err)
{
    struct cli *cli = w->cli;
    int code = take_refs(w, peers, err);
    code = code != 0 ? code : routers_prepare(cli, err);
    if (code != 0) {
        return code;
    }
    uint64_t deadline_ms = routers_deadline(cli);
    w->result = mem_array(cli->fleet.len * w->n, sizeof *w->result);
    w->requests = mem_array(cli->fleet.len * w->n, sizeof *w->requests);
    fleet_read_status(&cli->fleet);
    code = fleet_choose_service(&cli->fleet, cli->service, err);
    if (code != 0) {
        return code;
    }
    fleet_read(&cli->fleet);
    code = check_peers(w, err);
    code = code != 0 || !w->change->takes_out ? code : check_stable(w, err);
    if (code != 0) {
        return code;
    }
    routers_catch_signals(cli); /* until here nothing was done: the program simply ends */
    tell(w, deadline_ms);
    return 0;
}

int peer_work_begin(struct cli *cli, const struct peer_change *change, size_t peers,
                    struct peer_work *ret, struct err *err)
{
    struct peer_work work = {.cli = cli, .change = change};
    int code = begin(&work, peers, err);
    if (code != 0) {
        work_done(&work);
        return code;
    }
    *ret = work;
    return 0;
}

/* --- how it ended --- */

static enum exit_code find_worst(const struct peer_work *w, struct err *err)
{
    enum exit_code worst = EXIT_DONE;
    for (size_t i = 0; i < w->cli->fleet.len * w->n; i++) {
        enum exit_code code = result_exit(&w->result[i]);
        if (!result_worse(code, worst)) {
            continue;
        }
        char text[400];
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        result_text(&w->result[i], w->change->done, &b);
        worst = code;
        (void) err_set(err, ERR_REMOTE, "router %s: %s: %s", w->cli->fleet.router[i / w->n].at.name,
                       w->ref[i % w->n].address, text);
    }
    if (worst == EXIT_INTERRUPTED) {
        (void) err_set(err, ERR_CANCELLED, "interrupted; what was changed stays as it is");
    }
    return worst;
}

static void add_row(const struct peer_work *w, size_t router, size_t k, struct table *t)
{
    const struct fleet_router *r = &w->cli->fleet.router[router];
    struct peer_view view = {0};
    bool shown = r->has_read && peers_find(&r->service, &w->ref[k], &view) == PEER_FOUND;
    struct buf b;
    buf_init(&b, 4096);
    table_addf(t, "%s", r->at.name);
    table_addf(t, "%s", w->ref[k].address);
    table_addf(t, "%s", shown ? track_name[view.track] : "-");
    table_addf(t, "%s", shown ? router_state_name[view.state] : "-");
    table_addf(t, shown ? "%llu" : "-", (unsigned long long) view.weight);
    if (shown && view.named != NULL) {
        buf_addf(&b, "%zu address%s", view.peers, view.peers == 1 ? "" : "es");
    } else if (shown) {
        peer_text_health(&b, view.peer, fleet_clock(r));
    }
    table_addf(t, "%s", b.len > 0 ? b.ptr : "-");
    table_addf(t, shown ? "%llu" : "-", (unsigned long long) view.in_flight);
    buf_clear(&b);
    result_text(result_of(w, router, k), w->change->done, &b);
    table_addf(t, "%s", b.ptr);
    buf_done(&b);
}

void peer_work_table(const struct peer_work *w, struct buf *b)
{
    static const char *const head[COLUMNS] = {"ROUTER", "PEER",   "TRACK",     "STATE",
                                              "WEIGHT", "HEALTH", "IN FLIGHT", "RESULT"};
    struct table t;
    table_init(&t, head, COLUMNS, 0x50);
    buf_addf(b, "service %s: %s%s%s\n", w->cli->fleet.service, w->change->what,
             w->cli->by != NULL ? " by " : "", w->cli->by != NULL ? w->cli->by : "");
    for (size_t i = 0; i < w->cli->fleet.len; i++) {
        for (size_t k = 0; k < w->n; k++) {
            add_row(w, i, k, &t);
        }
    }
    table_write(&t, b);
    table_done(&t);
}

/* One line a request; what: "cut" or "in flight". */
static void add_requests(const struct peer_work *w, size_t index, const char *what,
                         const struct router_request *list, size_t len, struct buf *b)
{
    const struct fleet_router *r = &w->cli->fleet.router[index / w->n];
    for (size_t i = 0; i < len; i++) {
        buf_addf(b, "%s: %s: %s: ", r->at.name, w->ref[index % w->n].address, what);
        peer_text_request(b, &list[i], fleet_clock(r));
        buf_add_char(b, '\n');
    }
}

static void print_text(const struct peer_work *w, const struct err *err)
{
    struct buf table, b;
    buf_init(&table, OUT_MAX);
    buf_init(&b, OUT_MAX);
    peer_work_table(w, &table);
    for (size_t i = 0; i < w->cli->fleet.len * w->n; i++) {
        const struct drain_requests *q = &w->requests[i];
        add_requests(w, i, "cut", q->cut.ptr, q->cut.len, &b);
        if (w->result[i].outcome != FLEET_PROVED) {
            add_requests(w, i, "in flight", q->active.ptr, q->active.len, &b);
        }
        if (q->more > 0) {
            buf_addf(&b, "%s: %s: in flight: %llu more\n", w->cli->fleet.router[i / w->n].at.name,
                     w->ref[i % w->n].address, (unsigned long long) q->more);
        }
    }
    if (!w->cli->quiet || err->code != 0) {
        if (out_is_live()) {
            out_redraw(STR("")); /* its lines are cut at the terminal's width, these are not */
        }
        out_write(buf_str(&table));
        out_write(buf_str(&b));
    }
    buf_done(&table);
    buf_done(&b);
    if (err->code != 0) {
        out_complain("%s", err->msg);
    }
}

static void json_requests(struct json_writer *w, const char *key, const struct router_request *list,
                          size_t len)
{
    json_key(w, key);
    json_arr_begin(w);
    for (size_t i = 0; i < len; i++) {
        peer_json_request(w, &list[i]);
    }
    json_arr_end(w);
}

static void json_peer(const struct peer_work *w, size_t router, size_t k, struct json_writer *j)
{
    const struct fleet_router *r = &w->cli->fleet.router[router];
    const struct drain_requests *q = &w->requests[router * w->n + k];
    struct peer_view view = {0};
    bool shown = r->has_read && peers_find(&r->service, &w->ref[k], &view) == PEER_FOUND;
    json_obj_begin(j);
    json_kv_cstr(j, "address", w->ref[k].address);
    result_json(result_of(w, router, k), j);
    if (shown) {
        json_kv_cstr(j, "track", track_name[view.track]);
        json_kv_cstr(j, "state", router_state_name[view.state]);
        json_kv_cstr(j, "health",
                     view.named == NULL ? router_health_name[view.peer->health] : NULL);
        json_kv_u64(j, "weight", view.weight);
        json_kv_u64(j, "in_flight", view.in_flight);
    }
    json_requests(j, "active", q->active.ptr, q->active.len);
    json_kv_u64(j, "more", q->more);
    json_requests(j, "cut", q->cut.ptr, q->cut.len);
    json_obj_end(j);
}

static void print_json(const struct peer_work *w, enum exit_code code, const struct err *err)
{
    const struct fleet *fleet = &w->cli->fleet;
    struct json_writer j;
    struct buf b;
    buf_init(&b, OUT_MAX);
    json_writer_init(&j, &b);
    json_obj_begin(&j);
    json_kv_cstr(&j, "service", fleet->service);
    json_kv_cstr(&j, "change", w->change->what);
    json_kv_cstr(&j, "by", w->cli->by);
    json_kv_cstr(&j, "error", err->code == 0 ? NULL : err->msg);
    json_kv_u64(&j, "exit", code);
    json_key(&j, "routers");
    json_arr_begin(&j);
    for (size_t i = 0; i < fleet->len; i++) {
        json_obj_begin(&j);
        json_kv_cstr(&j, "name", fleet->router[i].at.name);
        json_key(&j, "peers");
        json_arr_begin(&j);
        for (size_t k = 0; k < w->n; k++) {
            json_peer(w, i, k, &j);
        }
        json_arr_end(&j);
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_obj_end(&j);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
    buf_done(&b);
}

enum exit_code peer_work_end(struct peer_work *w)
{
    struct err err = {0};
    enum exit_code code = find_worst(w, &err);
    if (w->cli->json) {
        print_json(w, code, &err);
    } else {
        print_text(w, &err);
    }
    work_done(w);
    return code;
}

enum exit_code peer_change_run(struct cli *cli, const struct peer_change *change, size_t peers)
{
    struct peer_work work;
    struct err err = {0};
    if (peer_work_begin(cli, change, peers, &work, &err) != 0) {
        return cli_fail(cli, &err);
    }
    return peer_work_end(&work);
}
