/* pourover router maintenance, pourover router health */
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/out.h"
#include "cli/peer_text.h"
#include "cli/results.h"
#include "cli/routers.h"

#include <string.h>

#define COLUMNS 5

/* Something that is on or off at every router; both commands are one such thing. */
struct toggle {
    const char *what;        /* as JSON calls it */
    const char *const *head; /* of the table, COLUMNS */
    const char *on_text, *off_text;
    const char *on_word; /* the operand that switches it on */
    bool in_status;      /* it is the router's, not the service's */
    const char *method;
    void (*path)(const struct cli *cli, bool on, struct buf *b);
    void (*body)(const struct cli *cli, bool on, struct buf *b); /* nothing: the call has none */
    bool (*is_on)(const struct fleet_router *r);
    const char *(*by)(const struct fleet_router *r);
    uint64_t (*since_ms)(const struct fleet_router *r);
    const char *(*note)(const struct fleet_router *r);
};

struct job {
    struct cli *cli;
    const struct toggle *toggle;
    bool changes, on;            /* on: what is wanted */
    struct fleet_result *result; /* one for each router */
};

static bool holds(const struct fleet_router *r, size_t order, void *ctx)
{
    const struct job *job = ctx;
    (void) order;
    return job->toggle->is_on(r) == job->on;
}

static int open_routers(const struct job *job, struct err *err)
{
    struct cli *cli = job->cli;
    if (routers_prepare(cli, err) != 0) {
        return err->code;
    }
    fleet_read_status(&cli->fleet);
    if (job->toggle->in_status) {
        return 0;
    }
    int code = fleet_choose_service(&cli->fleet, cli->service, err);
    if (code == 0) {
        fleet_read(&cli->fleet);
    }
    return code;
}

static void change(struct job *job, uint64_t deadline_ms)
{
    struct fleet *fleet = &job->cli->fleet;
    struct buf path, body;
    buf_init(&path, 4096);
    buf_init(&body, 4096);
    job->toggle->path(job->cli, job->on, &path);
    job->toggle->body(job->cli, job->on, &body);
    struct fleet_order order = {.method = job->toggle->method, .path = path.ptr};
    if (body.len > 0) {
        order.body = buf_str(&body);
    }
    struct fleet_plan plan = {.order = &order,
                              .n = 1,
                              .place = job->toggle->in_status ? FLEET_IN_STATUS : FLEET_IN_SERVICE,
                              .holds = holds,
                              .ctx = job};
    fleet_tell(fleet, &plan, deadline_ms, job->result);
    for (size_t i = 0; i < fleet->len; i++) {
        if (fleet->router[i].flag_file_left) {
            (void) err_set(&job->result[i].unsaved, ERR_IO,
                           "the file %s could not be removed: the next start fails again",
                           fleet->router[i].status.failing.flag_file);
        }
    }
    buf_done(&path);
    buf_done(&body);
}

static void add_row(const struct job *job, const struct fleet_router *r,
                    const struct fleet_result *result, struct table *t)
{
    const struct toggle *g = job->toggle;
    bool shown = r->err.code == 0;
    struct buf b;
    buf_init(&b, 4096);
    table_addf(t, "%s", r->at.name);
    table_addf(t, "%s", !shown ? "-" : g->is_on(r) ? g->on_text : g->off_text);
    if (shown && g->is_on(r)) {
        buf_addf(&b, "%s", g->by(r));
        peer_text_ago(&b, g->since_ms(r), fleet_clock(r));
    }
    table_addf(t, "%s", b.len == 0 ? "" : b.ptr[0] == ',' ? b.ptr + 2 : b.ptr);
    table_addf(t, "%s", shown ? g->note(r) : "");
    buf_clear(&b);
    if (job->changes) {
        result_text(result, "done", &b);
    } else if (!shown) {
        buf_addf(&b, "ERROR: %s", r->err.msg);
    }
    table_addf(t, "%s", b.len > 0 ? b.ptr : "");
    buf_done(&b);
}

static void print_text(const struct job *job, const struct err *err)
{
    const struct fleet *fleet = &job->cli->fleet;
    struct table t;
    struct buf b;
    buf_init(&b, OUT_MAX);
    table_init(&t, job->toggle->head, COLUMNS, 0);
    for (size_t i = 0; i < fleet->len; i++) {
        add_row(job, &fleet->router[i], &job->result[i], &t);
    }
    table_write(&t, &b);
    if (!job->cli->quiet || err->code != 0) {
        out_write(buf_str(&b));
    }
    table_done(&t);
    buf_done(&b);
    if (err->code != 0) {
        out_complain("%s", err->msg);
    }
}

static void print_json(const struct job *job, enum exit_code code, const struct err *err)
{
    const struct fleet *fleet = &job->cli->fleet;
    const struct toggle *g = job->toggle;
    struct json_writer w;
    struct buf b;
    buf_init(&b, OUT_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    if (!g->in_status) {
        json_kv_cstr(&w, "service", fleet->service);
    }
    json_kv_cstr(&w, "error", err->code == 0 ? NULL : err->msg);
    json_kv_u64(&w, "exit", code);
    json_key(&w, "routers");
    json_arr_begin(&w);
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        json_obj_begin(&w);
        json_kv_cstr(&w, "name", r->at.name);
        if (job->changes) {
            result_json(&job->result[i], &w);
        } else {
            json_kv_cstr(&w, "error", r->err.code == 0 ? NULL : r->err.msg);
        }
        if (r->err.code == 0) {
            json_kv_bool(&w, g->what, g->is_on(r));
            json_kv_cstr(&w, "by", g->by(r));
            json_kv_u64(&w, "since_ms", g->since_ms(r));
            json_kv_cstr(&w, "note", g->note(r));
        }
        json_obj_end(&w);
    }
    json_arr_end(&w);
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
    buf_done(&b);
}

/* on_word or its opposite, or nothing: show. */
static int take_operand(struct job *job, const char *off_word, struct err *err)
{
    const struct cli *cli = job->cli;
    job->changes = cli->noperands > 0;
    job->on = job->changes && strcmp(cli->operand[0], job->toggle->on_word) == 0;
    if (job->changes && !job->on && strcmp(cli->operand[0], off_word) != 0) {
        return err_set(err, ERR_INVALID, "%s: \"%s\" is neither %s nor %s", cli->cmd->name,
                       cli->operand[0], job->toggle->on_word, off_word);
    }
    return 0;
}

static enum exit_code run_toggle(struct cli *cli, const struct toggle *toggle, const char *off_word)
{
    struct job job = {.cli = cli, .toggle = toggle};
    struct err err = {0};
    if (take_operand(&job, off_word, &err) != 0 || open_routers(&job, &err) != 0) {
        return cli_fail(cli, &err);
    }
    uint64_t deadline_ms = routers_deadline(cli);
    job.result = results_new(&cli->fleet, job.changes);
    if (job.changes) {
        routers_catch_signals(cli);
        change(&job, deadline_ms);
    }
    enum exit_code code = results_judge(&cli->fleet, job.result, &err);
    if (cli->json) {
        print_json(&job, code, &err);
    } else {
        print_text(&job, &err);
    }
    mem_free(job.result);
    return code;
}

/* --- maintenance --- */

static void maintenance_path(const struct cli *cli, bool on, struct buf *b)
{
    (void) on;
    buf_addf(b, "v1/services/%s/maintenance", cli->fleet.service);
}

static void maintenance_body(const struct cli *cli, bool on, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_bool(&w, "on", on);
    if (cli->by != NULL) {
        json_kv_cstr(&w, "by", cli->by);
    }
    if (cli->message != NULL) {
        json_kv_cstr(&w, "message", cli->message);
    }
    json_obj_end(&w);
}

static bool in_maintenance(const struct fleet_router *r)
{
    return r->service.maintenance.on;
}

static const char *maintenance_by(const struct fleet_router *r)
{
    return r->service.maintenance.by;
}

static uint64_t maintenance_since(const struct fleet_router *r)
{
    return r->service.maintenance.since_ms;
}

static const char *maintenance_message(const struct fleet_router *r)
{
    return r->service.maintenance.message;
}

static enum exit_code run_maintenance(struct cli *cli)
{
    static const char *const head[COLUMNS] = {"ROUTER", "MAINTENANCE", "BY", "MESSAGE", "RESULT"};
    static const struct toggle toggle = {.what = "maintenance",
                                         .head = head,
                                         .on_text = "ON",
                                         .off_text = "off",
                                         .on_word = "on",
                                         .method = "PUT",
                                         .path = maintenance_path,
                                         .body = maintenance_body,
                                         .is_on = in_maintenance,
                                         .by = maintenance_by,
                                         .since_ms = maintenance_since,
                                         .note = maintenance_message};
    return run_toggle(cli, &toggle, "off");
}

/* --- health checks that are answered at the router --- */

static void health_path(const struct cli *cli, bool on, struct buf *b)
{
    (void) cli;
    buf_add_cstr(b, on ? "healthcheck/fail" : "healthcheck/ok");
}

static void health_body(const struct cli *cli, bool on, struct buf *b)
{
    struct json_writer w;
    if (on && cli->by != NULL) {
        json_writer_init(&w, b);
        json_obj_begin(&w);
        json_kv_cstr(&w, "by", cli->by);
        json_obj_end(&w);
    }
}

static bool is_failing(const struct fleet_router *r)
{
    return r->status.failing.failing;
}

static const char *failing_by(const struct fleet_router *r)
{
    return r->status.failing.by;
}

static uint64_t failing_since(const struct fleet_router *r)
{
    return r->status.failing.since_ms;
}

static const char *failing_note(const struct fleet_router *r)
{
    return r->status.has_healthcheck ? r->status.failing.flag_file : "not known to this version";
}

static enum exit_code run_health(struct cli *cli)
{
    static const char *const head[COLUMNS] = {"ROUTER", "HEALTH CHECKS", "BY", "FLAG FILE",
                                              "RESULT"};
    static const struct toggle toggle = {.what = "failing",
                                         .head = head,
                                         .on_text = "FAIL",
                                         .off_text = "ok",
                                         .on_word = "fail",
                                         .in_status = true,
                                         .method = "POST",
                                         .path = health_path,
                                         .body = health_body,
                                         .is_on = is_failing,
                                         .by = failing_by,
                                         .since_ms = failing_since,
                                         .note = failing_note};
    return run_toggle(cli, &toggle, "ok");
}

/* --- commands --- */

static const struct opt *const maintenance_options[] = {opt_maintenance, opt_by, opt_routers, NULL};
static const struct opt *const health_options[] = {opt_by, opt_reach, NULL};

static const char *const maintenance_choices[] = {"on", "off", NULL};
static const char *const health_choices[] = {"fail", "ok", NULL};

static const struct example maintenance_examples[] = {
    {"pourover router maintenance on --message 'back at 12:00'", "visitors get a page"},
    {"pourover router maintenance off", "and the service again"},
    {NULL, NULL},
};
static const struct example health_examples[] = {
    {"pourover router health", "whether the checks are told to fail"},
    {"pourover router health fail --by 'release 42'",
     "the routers in front send this host nothing new"},
    {"pourover router health ok", "back, as far as the applications are well"},
    {NULL, NULL},
};

const struct cmd cmd_router_maintenance = {
    .name = "router maintenance",
    .summary = "answer visitors with a page instead of the service",
    .operand = "[on|off]",
    .operands_max = 1,
    .choices = maintenance_choices,
    .option = maintenance_options,
    .details = "While it is on, requests to the service are answered with 503 (see "
               "pourover_maintenance); it is kept over reload and restart. Without an operand: "
               "shows what is set.",
    .example = maintenance_examples,
    .run = run_maintenance,
};

const struct cmd cmd_router_health = {
    .name = "router health",
    .summary = "fail the health checks that are answered there, or end that",
    .operand = "[fail|ok]",
    .operands_max = 1,
    .choices = health_choices,
    .option = health_options,
    .details =
        "For the NGINX beside the applications of a host, a sidecar: after fail every "
        "pourover_healthcheck there fails and every answer tells the routers in front to take this "
        "host out; requests in flight go on. It is kept over reload and restart, until ok. That a "
        "host has left is proved at the routers in front (router peers, router drain), not here. "
        "Without an operand: shows what is set.",
    .example = health_examples,
    .run = run_health,
};
