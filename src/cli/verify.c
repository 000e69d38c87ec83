/* Tells what the test visitors found; see verify.h. */
#include "cli/verify.h"

#include "base/buf.h"
#include "base/num.h"
#include "cli/out.h"
#include "cli/routers.h"

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

static struct verify_plan plan_of(const struct cli *cli, double confidence)
{
    return (struct verify_plan){
        .visit = cli->visits.ptr,
        .n_visit = cli->visits.len,
        .host = cli->host_header,
        .id_header = cli->id_header,
        .visitors = cli->requests,
        .cut_only = cli->cut_only,
        .timeout_ms = cli->timeout_ms,
        .confidence = confidence,
        .interrupted = &cli->interrupted,
    };
}

enum exit_code verify_exit(enum verify_word word)
{
    static const enum exit_code exit[] = {
        [VERIFY_PROVED] = EXIT_DONE,
        [VERIFY_NOTHING] = EXIT_NOTHING,
        [VERIFY_UNREACHABLE] = EXIT_UNREACHABLE,
        [VERIFY_LATE] = EXIT_DEADLINE,
        [VERIFY_WRONG] = EXIT_FAILED,
        [VERIFY_CANCELLED] = EXIT_INTERRUPTED,
    };
    return exit[word];
}

enum exit_code verify_run(struct cli *cli, double confidence, struct verify_result *result)
{
    struct verify_plan plan = plan_of(cli, confidence);
    return verify_exit(fleet_verify(&cli->fleet, &plan, result));
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
    struct verify_plan plan = plan_of(cli, r->confidence);
    struct buf split;
    buf_init_fixed(&split, text, sizeof text);
    fleet_split_text(&r->router->service.split, &split);
    buf_addf(b, "%s: %s\n", r->router->at.name, r->router->has_read ? text : "not read");
    if (r->has_facts) {
        write_visitors(r, b);
        write_peers(r, b);
        if (r->facts.fault[PROBE_NO_VERDICT] > 0 && verify_is_elsewhere(&plan, cli->fleet.len, r)) {
            buf_addf(b, "  %llu visits were answered by another router\n",
                     (unsigned long long) r->facts.fault[PROBE_NO_VERDICT]);
        }
        if (r->needed > 0) {
            buf_add_cstr(b, "  a share of ");
            out_percent(b, r->other);
            buf_addf(b, " would be seen with %g%% certainty from ", VERIFY_CERTAINTY * 100);
            out_count(b, r->needed);
            uint64_t passes = cli->cut_only ? 1 : PROBE_PASSES;
            buf_addf(b, " visitors (--requests %llu)\n",
                     (unsigned long long) ((r->needed + passes - 1) / passes));
        }
    }
    buf_add_cstr(b, "  ");
    if (r->word == VERIFY_PROVED) {
        out_paint(b, PAINT_GOOD, "ok: every visit was cut as the split says");
    } else {
        out_paint(b, PAINT_BAD, r->word == VERIFY_NOTHING ? "NOT TESTED: " : "FAILED: ");
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
    json_kv_double(w, "certainty", VERIFY_CERTAINTY);
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
    json_kv_u64(w, "exit", verify_exit(r->word));
    json_kv_cstr(w, "error", r->word == VERIFY_PROVED ? NULL : r->message);
    if (r->router->has_read) {
        json_kv_split(w, "split", &r->router->service.split);
    }
    if (r->has_facts) {
        json_facts(r, w);
    }
    json_obj_end(w);
}
