/* pourover router set, enable, disable, sync */
#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"
#include "cli/change.h"
#include "cli/out.h"
#include "cli/routers.h"

#include <string.h>

const char *const change_outcome[] = {
    [FLEET_UNTOUCHED] = "untouched",   [FLEET_PROVED] = "proved",
    [FLEET_NOT_PROVED] = "not proved", [FLEET_REFUSED] = "refused",
    [FLEET_SET_BACK] = "set back",
};

static bool was_reached(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->len; i++) {
        enum err_code code = fleet->router[i].why.code;
        if (code != ERR_UNREACHABLE && code != ERR_TIMEOUT) {
            return true;
        }
    }
    return false;
}

static enum exit_code exit_of_change(const struct cli *cli, int code)
{
    switch (code) {
    case 0:
        return EXIT_DONE;
    case ERR_CANCELLED:
        return EXIT_INTERRUPTED;
    case ERR_UNREACHABLE:
    case ERR_TIMEOUT:
        break;
    default:
        return EXIT_FAILED;
    }
    /* A lowering that some routers took is not proved; all else waits for a router. */
    for (size_t i = 0; i < cli->fleet.len; i++) {
        if (cli->fleet.router[i].outcome == FLEET_PROVED) {
            return EXIT_FAILED;
        }
    }
    return was_reached(&cli->fleet) && code == ERR_TIMEOUT ? EXIT_DEADLINE : EXIT_UNREACHABLE;
}

enum exit_code change_split(struct cli *cli, const struct router_patch *patch, struct err *err)
{
    return exit_of_change(cli, fleet_change(&cli->fleet, patch, routers_deadline(cli), err));
}

static void add_title(const struct cli *cli, const char *what, const struct err *err, struct buf *b)
{
    size_t proved = 0;
    for (size_t i = 0; i < cli->fleet.len; i++) {
        proved += cli->fleet.router[i].outcome == FLEET_PROVED;
    }
    buf_addf(b, "service %s: %s%s%s", cli->fleet.service, what,
             cli->reason != NULL ? "; reason: " : "", cli->reason != NULL ? cli->reason : "");
    if (err->code != 0 && proved < cli->fleet.len) {
        buf_addf(b, ": proved on %zu of %zu routers only", proved, cli->fleet.len);
    }
    buf_add_char(b, '\n');
}

static void print_text(const struct cli *cli, const char *what, const struct err *err)
{
    static const char *const head[] = {"ROUTER", "SHARE", "SALT", "ENABLED", "REVISION", "RESULT"};
    struct table t;
    struct buf b;
    buf_init(&b, OUT_MAX);
    table_init(&t, head, 6, 0x12);
    add_title(cli, what, err, &b);
    for (size_t i = 0; i < cli->fleet.len; i++) {
        const struct fleet_router *r = &cli->fleet.router[i];
        char share[16];
        num_share_text(r->service.split.share_ppm, share);
        table_addf(&t, "%s", r->at.name);
        table_addf(&t, "%s", r->has_read ? share : "?");
        table_addf(&t, "%s", r->has_read ? r->service.split.salt : "?");
        table_addf(&t, "%s", !r->has_read ? "?" : r->service.split.enabled ? "yes" : "NO");
        table_addf(&t, r->has_read ? "%llu" : "?", (unsigned long long) r->service.split.revision);
        table_addf(&t, "%s%s%s", change_outcome[r->outcome], r->why.code != 0 ? ": " : "",
                   r->why.code != 0 ? r->why.msg : "");
    }
    table_write(&t, &b);
    if (err->code == 0 && !cli->quiet) {
        const struct router_split *split = &cli->fleet.router[0].service.split;
        if (!split->enabled && split->share_ppm > 0) {
            buf_add_cstr(&b, "disabled: nobody is on the canary until pourover router enable\n");
        }
    }
    if (!cli->quiet || err->code != 0) {
        out_write(buf_str(&b));
    }
    table_done(&t);
    buf_done(&b);
    if (err->code != 0) {
        out_complain("%s", err->msg);
    }
}

void change_json_routers(const struct cli *cli, struct json_writer *w)
{
    json_key(w, "routers");
    json_arr_begin(w);
    for (size_t i = 0; i < cli->fleet.len; i++) {
        const struct fleet_router *r = &cli->fleet.router[i];
        json_obj_begin(w);
        json_kv_cstr(w, "name", r->at.name);
        json_kv_cstr(w, "result", change_outcome[r->outcome]);
        json_kv_cstr(w, "error", r->why.code == 0 ? NULL : r->why.msg);
        if (r->has_read) {
            json_kv_split(w, "split", &r->service.split);
        }
        json_obj_end(w);
    }
    json_arr_end(w);
}

static void print_json(const struct cli *cli, const char *what, enum exit_code code,
                       const struct err *err)
{
    struct json_writer w;
    struct buf b;
    buf_init(&b, OUT_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "service", cli->fleet.service);
    json_kv_cstr(&w, "change", what);
    json_kv_cstr(&w, "reason", cli->reason);
    json_kv_cstr(&w, "error", err->code == 0 ? NULL : err->msg);
    json_kv_u64(&w, "exit", code);
    change_json_routers(cli, &w);
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
    buf_done(&b);
}

void change_print(const struct cli *cli, const char *what, enum exit_code code,
                  const struct err *err)
{
    if (cli->json) {
        print_json(cli, what, code, err);
    } else {
        print_text(cli, what, err);
    }
}

/* A change to the safe side waits for the first router that answers; any other fails at once. */
static int find_service(struct cli *cli, const struct router_patch *patch, struct err *err)
{
    uint64_t deadline = routers_deadline(cli);
    for (;;) {
        fleet_read_status_soon(&cli->fleet);
        int code = fleet_choose_service(&cli->fleet, cli->service, err);
        if (code != ERR_UNREACHABLE || !router_patch_only_lowers(patch) || cli->interrupted ||
            clock_mono_ms() >= deadline) {
            return code;
        }
        (void) io_loop_wait(cli->loop, 200, NULL, NULL);
    }
}

static enum exit_code change(struct cli *cli, const struct router_patch *patch, const char *what)
{
    struct err err = {0};
    if (routers_prepare(cli, &err) != 0) {
        return cli_fail(cli, &err);
    }
    routers_catch_signals(cli);
    if (find_service(cli, patch, &err) != 0) {
        return cli_fail(cli, &err);
    }
    enum exit_code code = change_split(cli, patch, &err);
    if (code == EXIT_DONE) {
        err = (struct err){0};
    }
    change_print(cli, what, code, &err);
    return code;
}

static enum exit_code run_set(struct cli *cli)
{
    struct router_patch patch = {.has_share = true};
    char what[96], share[16];
    struct err err = {0};
    struct buf b;
    if (num_share_ppm(str_of(cli->operand[0]), &patch.share_ppm, &err) != 0) {
        (void) err_wrap(&err, "share");
        err.code = ERR_INVALID;
        return cli_fail(cli, &err);
    }
    buf_init_fixed(&b, what, sizeof what);
    num_share_text(patch.share_ppm, share);
    buf_addf(&b, "set to %s", share);
    if (cli->salt != NULL) {
        patch.has_salt = true;
        memcpy(patch.salt, cli->salt, strlen(cli->salt) + 1);
        buf_addf(&b, ", salt %s", cli->salt);
    }
    return change(cli, &patch, what);
}

static enum exit_code run_enable(struct cli *cli)
{
    struct router_patch patch = {.has_enabled = true, .enabled = true};
    return change(cli, &patch, "enable");
}

static enum exit_code run_disable(struct cli *cli)
{
    struct router_patch patch = {.has_enabled = true, .enabled = false};
    return change(cli, &patch, "disable");
}

static enum exit_code run_sync(struct cli *cli)
{
    struct err err = {0};
    if (routers_open(cli, &err) != 0) {
        return cli_fail(cli, &err);
    }
    int code = fleet_sync(&cli->fleet, routers_deadline(cli), &err);
    if (code == 0) {
        err = (struct err){0};
    }
    enum exit_code result = code == 0                                        ? EXIT_DONE
                            : code == ERR_UNREACHABLE || code == ERR_TIMEOUT ? EXIT_UNREACHABLE
                                                                             : EXIT_FAILED;
    change_print(cli, "sync", result, &err);
    return result;
}

static const struct opt *const set_options[] = {opt_change, opt_routers, NULL};
static const struct opt *const switch_options[] = {opt_switch, opt_routers, NULL};
static const struct opt *const sync_options[] = {opt_routers, NULL};

static const struct example set_examples[] = {
    {"pourover router set 1% --reason 'release 42'", "one visitor of a hundred"},
    {"pourover router set 0", "everybody back to stable, on every router that can be reached"},
    {"pourover router set 250ppm --salt r43", "new first visitors: salts decide who comes first"},
    {NULL, NULL},
};
static const struct example enable_examples[] = {
    {"pourover router enable", "the share that is set holds again"},
    {NULL, NULL},
};
static const struct example disable_examples[] = {
    {"pourover router disable", "nobody on the canary, whatever the share and forced tracks say"},
    {NULL, NULL},
};
static const struct example sync_examples[] = {
    {"pourover router sync", "bring a router that was away to the present split"},
    {NULL, NULL},
};

const struct cmd cmd_router_set = {
    .name = "router set",
    .summary = "set the share of visitors on the canary, on all routers",
    .operand = "SHARE",
    .operands_min = 1,
    .operands_max = 1,
    .option = set_options,
    .details =
        "SHARE is 0, a percentage such as 0.1% or parts per million such as 250ppm.\n\n"
        "A raise waits for all routers: each has to be reached, and all have to agree in share, "
        "salt, enabled and revision; it is written by compare and set under the next revision and "
        "read back until all show it. If one does not take it, the others are set back. A new salt "
        "counts as a raise, as it brings other visitors to the canary.\n\n"
        "A lowering waits for nobody: it goes to each router as soon as that can be reached. A "
        "router that stays away is told as not proved, and the exit code is 1 (3 if none was "
        "reached).",
    .example = set_examples,
    .run = run_set,
};

const struct cmd cmd_router_enable = {
    .name = "router enable",
    .summary = "end the kill switch: the share holds again",
    .option = switch_options,
    .details = "Enabling can move visitors to the canary: it waits for all routers, as a raise "
               "does.",
    .example = enable_examples,
    .run = run_enable,
};

const struct cmd cmd_router_disable = {
    .name = "router disable",
    .summary = "kill switch: everybody on stable, the share is kept",
    .option = switch_options,
    .details = "Disabling beats the share and every forced track. It waits for nobody, as a "
               "lowering does.",
    .example = disable_examples,
    .run = run_disable,
};

const struct cmd cmd_router_sync = {
    .name = "router sync",
    .summary = "bring all routers to the split with the highest revision",
    .option = sync_options,
    .details = "For a router that comes back with an older split. Routers that have to be lowered "
               "are, at once; those that have to be raised wait until all routers can be reached. "
               "When two writers left two splits of one revision, the one with fewer visitors on "
               "the canary wins under a new revision.",
    .example = sync_examples,
    .run = run_sync,
};
