/* pourover router verify */
#include "base/buf.h"
#include "base/mem.h"
#include "cli/out.h"
#include "cli/routers.h"
#include "cli/verify.h"

static void print(const struct cli *cli, const struct verify_result *result, enum exit_code code,
                  const struct err *disagree)
{
    struct json_writer w;
    struct buf b;
    buf_init(&b, OUT_MAX);
    json_writer_init(&w, &b);
    if (cli->json) {
        json_obj_begin(&w);
        json_kv_cstr(&w, "service", cli->fleet.service);
        json_kv_bool(&w, "agree", disagree->code == 0);
        json_kv_u64(&w, "exit", code);
        json_key(&w, "routers");
        json_arr_begin(&w);
        for (size_t i = 0; i < cli->fleet.len; i++) {
            verify_write_json(&result[i], &w);
        }
        json_arr_end(&w);
        json_obj_end(&w);
        buf_add_char(&b, '\n');
    } else {
        for (size_t i = 0; i < cli->fleet.len; i++) {
            if (!cli->quiet || result[i].word != VERIFY_PROVED) {
                verify_write_text(cli, &result[i], &b);
            }
        }
        if (disagree->code == ERR_CONFLICT) {
            out_paint(&b, PAINT_BAD, disagree->msg);
            buf_add_char(&b, '\n');
        }
    }
    out_write(buf_str(&b));
    buf_done(&b);
}

static enum exit_code run(struct cli *cli)
{
    struct err err = {0};
    int r = routers_prepare(cli, &err);
    r = r != 0 ? r : verify_check_usage(cli, &err);
    if (r == 0) {
        fleet_read_status(&cli->fleet);
        r = fleet_choose_service(&cli->fleet, cli->service, &err);
    }
    if (r != 0) {
        return cli_fail(cli, &err);
    }
    routers_catch_signals(cli);
    struct verify_result *result = mem_array(cli->fleet.len, sizeof *result);
    enum exit_code code = verify_run(cli, cli->confidence, result);
    if (code == EXIT_DONE && fleet_agree(&cli->fleet, &err) != 0) {
        code = EXIT_FAILED;
    }
    print(cli, result, code, &err);
    mem_free(result);
    return code;
}

static const struct opt *const options[] = {opt_verify, opt_routers, NULL};

static const struct example examples[] = {
    {"pourover router verify --visit http://127.0.0.1:8080/", "400 visitors to one router"},
    {"pourover router verify --visit https://east.example/ --visit https://west.example/ "
     "--requests 50000 --cut-only",
     "two routers, enough visitors for 0.1%, peers left alone"},
    {NULL, NULL},
};

const struct cmd cmd_router_verify = {
    .name = "router verify",
    .summary = "send test visitors and prove that they are cut as set",
    .option = options,
    .details =
        "Fresh visitors come to each router, take the id they are given, and come back with it: "
        "first answered by the router itself, then through to the peers. They are marked by the "
        "router's verify token and counted apart from real traffic.\n\n"
        "Proved for every single visit: the bucket that we compute from id and salt is the "
        "router's, the track follows from bucket and share, who comes back stays on the track, no "
        "peer answers for the other track. At 0 not one visitor is on the canary, at 100% all "
        "are.\n\n"
        "Of the fresh visitors the share is measured with an exact two-sided binomial interval "
        "(Clopper-Pearson); the share that is set has to lie inside. Exit code 1 is a definite "
        "mismatch, 5 means that there were too few visitors to say anything.",
    .example = examples,
    .run = run,
};
