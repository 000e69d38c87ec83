/* pourover router undrain, down, add, remove, weight */
#include "base/num.h"
#include "cli/out.h"
#include "cli/peer_change.h"
#include "cli/routers.h"

#include <string.h>

/* --- states --- */

static bool is_ready(const struct peer_view *view, const struct cli *cli)
{
    (void) cli;
    return view != NULL && view->state == ROUTER_READY;
}

static bool is_down(const struct peer_view *view, const struct cli *cli)
{
    (void) cli;
    return view != NULL && view->state == ROUTER_DOWN;
}

static enum exit_code run_undrain(struct cli *cli)
{
    struct peer_change change = {.what = "undrain",
                                 .done = "ready",
                                 .method = "PATCH",
                                 .body = STR("{\"state\":\"ready\"}"),
                                 .insists = true,
                                 .holds = is_ready};
    return peer_change_run(cli, &change, cli->noperands);
}

static enum exit_code run_down(struct cli *cli)
{
    struct peer_change change = {.what = "down",
                                 .done = "down",
                                 .method = "PATCH",
                                 .body = STR("{\"state\":\"down\"}"),
                                 .takes_out = true,
                                 .holds = is_down};
    return peer_change_run(cli, &change, cli->noperands);
}

/* --- members --- */

static bool is_as_added(const struct peer_view *view, const struct cli *cli)
{
    return view != NULL && (!cli->has_weight || view->weight == cli->weight) &&
           (cli->dc == NULL || strcmp(view->dc, cli->dc) == 0);
}

/* What is not named stays, or becomes what nginx.conf says of a peer that was removed. */
static enum exit_code run_add(struct cli *cli)
{
    char text[512];
    struct buf body;
    struct json_writer w;
    buf_init_fixed(&body, text, sizeof text);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    json_kv_cstr(&w, "track", track_name[cli->track]);
    if (cli->has_weight) {
        json_kv_u64(&w, "weight", cli->weight);
    }
    if (cli->dc != NULL) {
        json_kv_cstr(&w, "dc", cli->dc);
    }
    json_obj_end(&w);
    struct peer_change change = {.what = "add",
                                 .done = "added",
                                 .method = "PUT",
                                 .body = buf_str(&body),
                                 .adds = true,
                                 .holds = is_as_added};
    return peer_change_run(cli, &change, cli->noperands);
}

static bool is_gone(const struct peer_view *view, const struct cli *cli)
{
    (void) cli;
    return view == NULL;
}

static enum exit_code run_remove(struct cli *cli)
{
    struct peer_change change = {.what = "remove",
                                 .done = "removed",
                                 .method = "DELETE",
                                 .takes_out = true,
                                 .holds = is_gone};
    return peer_change_run(cli, &change, cli->noperands);
}

static bool has_weight(const struct peer_view *view, const struct cli *cli)
{
    return view != NULL && view->weight == cli->weight;
}

static enum exit_code run_weight(struct cli *cli)
{
    char text[64];
    struct buf body;
    struct err err = {0};
    if (num_u64(str_of(cli->operand[1]), 1, CLI_WEIGHT_MAX, &cli->weight) != 0) {
        (void) err_set(&err, ERR_INVALID, "\"%s\" is not a weight from 1 to %d", cli->operand[1],
                       CLI_WEIGHT_MAX);
        return cli_fail(cli, &err);
    }
    buf_init_fixed(&body, text, sizeof text);
    buf_addf(&body, "{\"weight\":%llu}", (unsigned long long) cli->weight);
    struct peer_change change = {.what = "weight",
                                 .done = "set",
                                 .method = "PATCH",
                                 .body = buf_str(&body),
                                 .holds = has_weight};
    return peer_change_run(cli, &change, 1);
}

/* --- commands --- */

static const struct opt *const undrain_options[] = {opt_track, opt_routers, NULL};
static const struct opt *const out_options[] = {opt_out, opt_track, opt_routers, NULL};
static const struct opt *const add_options[] = {opt_add, opt_routers, NULL};
static const struct opt *const weight_options[] = {opt_track, opt_routers, NULL};

static const struct example undrain_examples[] = {
    {"pourover router undrain 10.0.1.11:8080", "back into service"},
    {NULL, NULL},
};
static const struct example down_examples[] = {
    {"pourover router down 10.0.1.11:8080", "out of service at once"},
    {NULL, NULL},
};
static const struct example add_examples[] = {
    {"pourover router add 10.0.1.14:8080 --track canary --dc east", "one more canary"},
    {NULL, NULL},
};
static const struct example remove_examples[] = {
    {"pourover router remove 10.0.1.14:8080", "after a drain"},
    {NULL, NULL},
};
static const struct example weight_examples[] = {
    {"pourover router weight 10.0.1.11:8080 4", "four times the requests of a peer of weight 1"},
    {NULL, NULL},
};

const struct cmd cmd_router_undrain = {
    .name = "router undrain",
    .summary = "let a peer that drains or is down take requests again",
    .operand = "PEER...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_MAX,
    .option = undrain_options,
    .details = "Sets the peer to ready on all routers and reads that back; one that cannot be "
               "reached is tried again until --timeout. HEALTH tells whether "
               "requests go there: a peer that is down by its checks gets none before they pass.",
    .example = undrain_examples,
    .run = run_undrain,
};

const struct cmd cmd_router_down = {
    .name = "router down",
    .summary = "take a peer out of service at once",
    .operand = "PEER...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_MAX,
    .option = out_options,
    .details =
        "New requests go elsewhere, as in a drain, but nothing is waited for and no limit "
        "ends what is in flight. It ends by \"router undrain\". The last peer of stable that "
        "takes requests is not taken out, but by --force.",
    .example = down_examples,
    .run = run_down,
};

const struct cmd cmd_router_add = {
    .name = "router add",
    .summary = "add a peer at run time, on all routers",
    .operand = "ADDRESS...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_MAX,
    .option = add_options,
    .details = "ADDRESS is an IP address with a port, or unix:PATH; names that are resolved again "
               "and again are for nginx.conf (pourover_server NAME resolve). A peer that is there "
               "already gets this weight and data center. It is kept over reload and restart.",
    .example = add_examples,
    .run = run_add,
};

const struct cmd cmd_router_remove = {
    .name = "router remove",
    .summary = "remove a peer at run time, on all routers",
    .operand = "PEER...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_MAX,
    .option = out_options,
    .details =
        "What is in flight there goes on. A peer of nginx.conf stays removed over reload and "
        "restart, until nginx.conf drops it or \"router add\" brings it back. The last peer "
        "of stable that takes requests is not removed, but by --force.",
    .example = remove_examples,
    .run = run_remove,
};

const struct cmd cmd_router_weight = {
    .name = "router weight",
    .summary = "set the weight of a peer, on all routers",
    .operand = "PEER N",
    .operands_min = 2,
    .operands_max = 2,
    .option = weight_options,
    .details = "N is 1 to 1000. A peer gets requests in proportion to its weight, among those of "
               "its track.",
    .example = weight_examples,
    .run = run_weight,
};
