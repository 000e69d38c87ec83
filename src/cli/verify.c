/* Judges what the test visitors found; see verify.h. */
#include "cli/verify.h"

#include "base/buf.h"
#include "base/num.h"
#include "cli/out.h"
#include "cli/routers.h"
#include "judge/binomial.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CERTAINTY 0.99

static const char *const fault_key[PROBE_FAULTS] = {
    [PROBE_NO_ANSWER] = "no_answer",
    [PROBE_NO_VERDICT] = "no_verdict",
    [PROBE_WRONG_SPLIT] = "wrong_split",
    [PROBE_NO_ID] = "no_id",
    [PROBE_WRONG_BUCKET] = "wrong_bucket",
    [PROBE_WRONG_TRACK] = "wrong_track",
    [PROBE_OTHER_REASON] = "other_reason",
    [PROBE_MOVED] = "moved",
    [PROBE_NEW_ID] = "new_id",
    [PROBE_WRONG_PEER] = "wrong_peer",
    [PROBE_SERVER_ERROR] = "server_error",
};

int verify_check_usage(const struct cli *cli, struct err *err)
{
    size_t visits = cli->visits.len, routers = cli->fleet.len;
    if (visits == 0) {
        return err_set(err, ERR_INVALID,
                       "--visit URL is missing: the visitors' address of the router, such as "
                       "http://127.0.0.1:8080/");
    }
    if (visits != 1 && visits != routers) {
        return err_set(err, ERR_INVALID,
                       "--visit is there %zu times for %zu routers: name one for each in the same "
                       "order, or one for all",
                       visits, routers);
    }
    return 0;
}

/* A share other than p that is worth noticing. */
static double other_share(double p)
{
    if (p <= 0) {
        return 0.001;
    }
    if (p >= 1) {
        return 0.999;
    }
    if (p <= 0.1) {
        return 2 * p;
    }
    return p <= 0.9 ? p + 0.05 : 1 - 2 * (1 - p);
}

static void fail(struct verify_result *r, enum exit_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct verify_result *r, enum exit_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(r->message, sizeof r->message, fmt, args);
    va_end(args);
    r->code = code;
}

/* One address before several routers: what another one answered says nothing about this one. */
static bool is_elsewhere(const struct cli *cli, const struct verify_result *r)
{
    return cli->visits.len == 1 && cli->fleet.len > 1 && r->fresh > 0;
}

/* The first definite fault there is; the order of the enum is the order of importance. */
static bool judge_faults(const struct cli *cli, struct verify_result *r)
{
    for (int i = 0; i < PROBE_FAULTS; i++) {
        uint64_t n = r->facts.fault[i];
        if (n == 0 || (i == PROBE_NO_VERDICT && is_elsewhere(cli, r))) {
            continue;
        }
        enum exit_code code = EXIT_FAILED;
        if (i == PROBE_NO_ANSWER) {
            code = EXIT_UNREACHABLE;
        } else if (i == PROBE_NO_ID && r->fresh == 0) {
            code = EXIT_NOTHING;
        }
        fail(r, code, "%llu of %llu %s; the first: %s", (unsigned long long) n,
             (unsigned long long) r->facts.visits, probe_fault_text[i], r->facts.example[i]);
        return true;
    }
    return false;
}

static uint64_t least_to_say_anything(double p, double confidence)
{
    uint64_t n = 1;
    while (!binomial_can_contradict(n, p, confidence)) {
        n++; /* a few dozen at most, for p between 0 and 1 */
    }
    return n;
}

static void judge(const struct cli *cli, struct verify_result *r)
{
    char share[16];
    const struct router_split *split = &r->router->service.split;
    num_share_text(split->enabled ? split->share_ppm : 0, share);
    for (int i = 0; i < PROBE_PASSES; i++) {
        r->fresh += r->facts.pass[i].fresh;
        r->canary += r->facts.pass[i].canary;
    }
    if (r->fresh > 0) {
        binomial_interval(r->canary, r->fresh, r->confidence, &r->low, &r->high);
    }
    r->other = other_share(r->share);
    r->needed = binomial_needed(r->share, r->other, r->confidence, CERTAINTY);
    if (judge_faults(cli, r)) {
        return;
    }
    if (r->fresh == 0) {
        fail(r, EXIT_NOTHING, "no visitor was cut by this router");
    } else if (binomial_contradicts(r->canary, r->fresh, r->share, r->confidence)) {
        fail(r, EXIT_FAILED, "%llu of %llu fresh visitors were sent to the canary: that is not %s",
             (unsigned long long) r->canary, (unsigned long long) r->fresh, share);
    } else if (!binomial_can_contradict(r->fresh, r->share, r->confidence)) {
        fail(r, EXIT_NOTHING,
             "%llu visitors are too few to say anything about a share of %s: %llu are the least",
             (unsigned long long) r->fresh, share,
             (unsigned long long) least_to_say_anything(r->share, r->confidence));
    }
}

static void verify_one(struct cli *cli, size_t index, struct verify_result *r)
{
    const struct router_service *s = &r->router->service;
    struct err err = {0};
    struct probe_plan plan = {
        .url = cli->visits.ptr[cli->visits.len == 1 ? 0 : index],
        .host = cli->host_header,
        .id_header = cli->id_header,
        .service = cli->fleet.service,
        .split = s->split,
        .peers = s,
        .token = r->router->token,
        .visitors = cli->requests,
        .cut_only = cli->cut_only,
        .timeout_ms = cli->timeout_ms,
        .interrupted = &cli->interrupted,
    };
    r->share = s->split.enabled ? (double) s->split.share_ppm / NUM_PPM_MAX : 0;
    int code = probe_run(cli->loop, &plan, &r->facts, &err);
    if (code == 0) {
        r->has_facts = true;
        judge(cli, r);
    } else {
        fail(r, code == ERR_CANCELLED ? EXIT_INTERRUPTED : EXIT_UNREACHABLE, "%s", err.msg);
    }
}

static int rank(enum exit_code code)
{
    static const enum exit_code order[] = {EXIT_DONE, EXIT_NOTHING, EXIT_UNREACHABLE, EXIT_FAILED,
                                           EXIT_INTERRUPTED};
    for (int i = 0; i < (int) (sizeof order / sizeof order[0]); i++) {
        if (order[i] == code) {
            return i;
        }
    }
    BUG("verify cannot end in %d", (int) code);
}

static bool note_unreached(struct verify_result *r)
{
    if (r->router->err.code != 0 && r->code == EXIT_DONE) {
        fail(r, EXIT_UNREACHABLE, "%s", r->router->err.msg);
    }
    return r->code == EXIT_DONE;
}

enum exit_code verify_run(struct cli *cli, double confidence, struct verify_result *result)
{
    enum exit_code worst = EXIT_DONE;
    struct fleet *fleet = &cli->fleet;
    for (size_t i = 0; i < fleet->len; i++) {
        result[i] = (struct verify_result){.router = &fleet->router[i], .confidence = confidence};
    }
    fleet_read(fleet);
    for (size_t i = 0; i < fleet->len; i++) {
        (void) note_unreached(&result[i]);
    }
    fleet_read_tokens(fleet);
    for (size_t i = 0; i < fleet->len; i++) {
        if (note_unreached(&result[i])) {
            verify_one(cli, i, &result[i]);
        }
        worst = rank(result[i].code) > rank(worst) ? result[i].code : worst;
    }
    return worst;
}

static void write_visitors(const struct verify_result *r, struct buf *b)
{
    uint64_t returned = r->facts.pass[0].returning + r->facts.pass[1].returning;
    buf_add_cstr(b, "  ");
    out_count(b, r->fresh);
    buf_add_cstr(b, " fresh visitors, ");
    out_count(b, r->canary);
    buf_add_cstr(b, " on the canary");
    if (r->fresh > 0) {
        buf_add_cstr(b, " = ");
        out_percent(b, (double) r->canary / (double) r->fresh);
        buf_addf(b, " (with %g%% confidence ", r->confidence * 100);
        out_percent(b, r->low);
        buf_add_cstr(b, " to ");
        out_percent(b, r->high);
        buf_add_char(b, ')');
    }
    buf_add_cstr(b, "\n  ");
    out_count(b, returned);
    buf_add_cstr(b, " came back to the same track; ");
    out_count(b, r->facts.visits);
    buf_add_cstr(b, " visits in all\n");
}

static void write_peers(const struct verify_result *r, struct buf *b)
{
    for (int track = 0; track < TRACKS; track++) {
        const char *before = "";
        for (size_t i = 0; i < r->facts.npeers; i++) {
            const struct probe_peer *peer = &r->facts.peer[i];
            if (peer->track != (enum track) track) {
                continue;
            }
            if (before[0] == '\0') {
                buf_addf(b, "  %s peers: ", track_name[track]);
            }
            buf_addf(b, "%s%s (%llu)", before, peer->address, (unsigned long long) peer->visits);
            before = ", ";
        }
        buf_add_cstr(b, before[0] != '\0' ? "\n" : "");
    }
}

void verify_write_text(const struct cli *cli, const struct verify_result *r, struct buf *b)
{
    char text[256];
    struct buf split;
    buf_init_fixed(&split, text, sizeof text);
    fleet_split_text(&r->router->service.split, &split);
    buf_addf(b, "%s: %s\n", r->router->at.name, r->router->has_read ? text : "not read");
    if (r->has_facts) {
        write_visitors(r, b);
        write_peers(r, b);
        if (r->facts.fault[PROBE_NO_VERDICT] > 0 && is_elsewhere(cli, r)) {
            buf_addf(b, "  %llu visits were answered by another router\n",
                     (unsigned long long) r->facts.fault[PROBE_NO_VERDICT]);
        }
        if (r->needed > 0) {
            buf_add_cstr(b, "  a share of ");
            out_percent(b, r->other);
            buf_addf(b, " would be seen with %g%% certainty from ", CERTAINTY * 100);
            out_count(b, r->needed);
            uint64_t passes = cli->cut_only ? 1 : PROBE_PASSES;
            buf_addf(b, " visitors (--requests %llu)\n",
                     (unsigned long long) ((r->needed + passes - 1) / passes));
        }
    }
    buf_add_cstr(b, "  ");
    if (r->code == EXIT_DONE) {
        out_paint(b, PAINT_GOOD, "ok: every visit was cut as the split says");
    } else {
        out_paint(b, PAINT_BAD, r->code == EXIT_NOTHING ? "NOT TESTED: " : "FAILED: ");
        buf_add_cstr(b, r->message);
    }
    buf_add_char(b, '\n');
}

static void json_facts(const struct verify_result *r, struct json_writer *w)
{
    json_kv_u64(w, "visits", r->facts.visits);
    json_kv_u64(w, "fresh", r->fresh);
    json_kv_u64(w, "canary", r->canary);
    json_kv_u64(w, "returned", r->facts.pass[0].returning + r->facts.pass[1].returning);
    json_kv_double(w, "confidence", r->confidence);
    json_kv_double(w, "low", r->low);
    json_kv_double(w, "high", r->fresh > 0 ? r->high : 1);
    json_key(w, "needed");
    json_obj_begin(w);
    json_kv_double(w, "share", r->other);
    json_kv_double(w, "certainty", CERTAINTY);
    json_kv_u64(w, "visitors", r->needed);
    json_obj_end(w);
    json_key(w, "faults");
    json_obj_begin(w);
    for (int i = 0; i < PROBE_FAULTS; i++) {
        json_kv_u64(w, fault_key[i], r->facts.fault[i]);
    }
    json_obj_end(w);
    json_key(w, "peers");
    json_arr_begin(w);
    for (size_t i = 0; i < r->facts.npeers; i++) {
        json_obj_begin(w);
        json_kv_cstr(w, "address", r->facts.peer[i].address);
        json_kv_cstr(w, "track", track_name[r->facts.peer[i].track]);
        json_kv_u64(w, "visits", r->facts.peer[i].visits);
        json_obj_end(w);
    }
    json_arr_end(w);
}

void verify_write_json(const struct verify_result *r, struct json_writer *w)
{
    json_obj_begin(w);
    json_kv_cstr(w, "router", r->router->at.name);
    json_kv_u64(w, "exit", r->code);
    json_kv_cstr(w, "error", r->code == EXIT_DONE ? NULL : r->message);
    if (r->router->has_read) {
        json_kv_split(w, "split", &r->router->service.split);
    }
    if (r->has_facts) {
        json_facts(r, w);
    }
    json_obj_end(w);
}
