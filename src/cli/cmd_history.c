/* pourover history, show, logs */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/halt.h"
#include "cli/history.h"
#include "cli/out.h"
#include "cli/release_files.h"
#include "cli/room.h"
#include "cli/routers.h"

#include <string.h>

#define HISTORY   20
#define LOG_LINES 200
#define LOG_MAX   ((size_t) 64 * 1024 * 1024)
#define LOGS_MS   15000

static int print_history(struct cli *cli, const char *service, struct err *err)
{
    struct journal *journal;
    struct journal_releases list = {0};
    _cleanup_(buf_done) struct buf b;
    _cleanup_(mem_freep) char *path = journal_default_path();
    buf_init(&b, OUT_MAX);
    if (journal_open(path, &journal, err) < 0) {
        return (int) err->code;
    }
    unsigned limit = cli->limit > 0 ? (unsigned) cli->limit : HISTORY;
    int rc = journal_list(journal, service, limit, &list, err);
    if (rc == 0 && cli->json) {
        history_json(&list, &b);
    } else if (rc == 0) {
        history_table(&list, &b);
    }
    out_write(buf_str(&b));
    journal_releases_done(&list);
    journal_close(journal);
    return rc;
}

/* Of all services, unless one is named, by itself or by its file. */
static enum exit_code run_history(struct cli *cli)
{
    struct release_config config;
    struct err err = {0};
    const char *service = cli->service;
    bool has_file = cli->release_file != NULL || cli->environment != NULL;
    if (has_file) {
        enum exit_code code = release_open(cli, false, &config);
        if (code != EXIT_DONE) {
            release_config_done(&config);
            return code;
        }
        service = service != NULL ? service : config.service;
    }
    int rc = print_history(cli, service, &err);
    if (has_file) {
        release_config_done(&config);
    }
    return rc < 0 ? cli_fail(cli, &err) : EXIT_DONE;
}

/* show */

static int read_number(const char *text, uint64_t *ret, struct err *err)
{
    if (num_u64(str_of(text), 0, UINT32_MAX, ret) != 0) {
        return err_set(err, ERR_INVALID,
                       "\"%s\" is no number of a release; `pourover history` lists them", text);
    }
    return 0;
}

static void print_release(struct room *r)
{
    struct buf b;
    uint64_t seq = 0;
    buf_init(&b, OUT_MAX);
    room_view(r, false);
    (void) room_read_lines(r, &seq, NULL);
    if (r->cli->json) {
        show_json(&r->view, &b);
    } else {
        show_text(&r->view, &b);
    }
    out_write(buf_str(&b));
    buf_done(&b);
}

static enum exit_code run_show(struct cli *cli)
{
    struct room r;
    struct err err = {0};
    uint64_t number = 0;
    if (cli->noperands > 0 && read_number(cli->operand[0], &number, &err) < 0) {
        return cli_fail(cli, &err);
    }
    enum exit_code code = room_open(&r, cli);
    if (code == EXIT_DONE) {
        if (room_load(&r, number, false, &err) < 0) {
            code = room_fail(&r, &err);
        } else {
            print_release(&r);
        }
    }
    room_close(&r);
    return code;
}

/* logs */

/* Which release and which host the operands name: a number, a host, or both. */
static int read_operands(const struct room *r, uint64_t *number, int *host, struct err *err)
{
    const struct cli *cli = r->cli;
    *number = 0;
    *host = -1;
    for (size_t i = 0; i < cli->noperands; i++) {
        const char *word = cli->operand[i];
        int found = release_config_host(&r->config, word);
        bool last = i + 1 == cli->noperands;
        if (last && found >= 0) {
            *host = found;
        } else if (i == 0 && num_u64(str_of(word), 0, UINT32_MAX, number) == 0) {
            continue;
        } else {
            return err_set(err, ERR_INVALID,
                           "\"%s\" is neither a release's number nor a host of %s", word,
                           r->config.path);
        }
    }
    return 0;
}

static bool is_wanted(const struct driver_copy *copy, const char *version)
{
    return copy->version[0] != '\0' && (version == NULL || strcmp(copy->version, version) == 0);
}

static int print_copy(struct room *r, int host, enum release_slot slot,
                      const struct driver_copy *copy)
{
    static const atomic_bool never = false;
    _cleanup_(buf_done) struct buf b, told, text;
    struct err err = {0};
    buf_init(&b, LOG_MAX);
    buf_init(&told, LOG_MAX);
    buf_init(&text, LOG_MAX);
    struct driver_place place = {
        .config = &r->config,
        .host = host,
        .slot = slot,
        .version = copy->version,
        .variant = copy->variant,
        .cancelled = &never,
        .deadline_ms = clock_mono_ms() + LOGS_MS,
        .told = &told,
    };
    unsigned lines = r->cli->limit > 0 ? (unsigned) r->cli->limit : LOG_LINES;
    int rc = driver_of(r->config.driver)->logs(&place, lines, &text, &err);
    if (rc < 0) {
        out_complain("%s: %s", r->config.host[host].name, err.msg);
        return rc;
    }
    buf_addf(&b, "== %s slot %c, %s%s%s%s ==\n", r->config.host[host].name,
             slot == RELEASE_SLOT_A ? 'a' : 'b', copy->version, copy->variant[0] != '\0' ? "-" : "",
             copy->variant, copy->runs ? "" : ", stopped");
    buf_add_str(&b, buf_str(&text));
    if (text.len > 0 && text.ptr[text.len - 1] != '\n') {
        buf_add_char(&b, '\n');
    }
    out_write(buf_str(&b));
    return 0;
}

static enum exit_code print_logs(struct room *r, const char *version, int only)
{
    struct controller_look *look = mem_zalloc(sizeof *look);
    enum exit_code code = EXIT_DONE;
    size_t printed = 0;
    controller_look(r->controller, look);
    for (int h = 0; h < (int) r->config.hosts; h++) {
        if (only >= 0 && h != only) {
            continue;
        }
        if (!look->host[h].reached) {
            out_complain("%s: %s", r->config.host[h].name, look->host[h].error);
            code = EXIT_UNREACHABLE;
            continue;
        }
        for (int s = 0; s < RELEASE_SLOTS; s++) {
            const struct driver_copy *copy = &look->host[h].seen.copy[s];
            if (is_wanted(copy, version)) {
                printed++;
                code = print_copy(r, h, (enum release_slot) s, copy) < 0 ? EXIT_FAILED : code;
            }
        }
    }
    mem_free(look);
    if (printed == 0 && code == EXIT_DONE) {
        out_complain("no copy of %s is left %s: later ones have taken its place",
                     version != NULL ? version : r->config.service,
                     only >= 0 ? "on this host" : "on the hosts");
        code = EXIT_NOTHING;
    }
    return code;
}

static enum exit_code run_logs(struct cli *cli)
{
    struct room r;
    struct err err = {0};
    uint64_t number = 0;
    int host = -1;
    enum exit_code code = room_open(&r, cli);
    if (code == EXIT_DONE && read_operands(&r, &number, &host, &err) < 0) {
        code = cli_fail(cli, &err);
    }
    if (code == EXIT_DONE && cli->noperands > 0 && number > 0 &&
        room_load(&r, number, false, &err) < 0) {
        code = room_fail(&r, &err);
    }
    if (code == EXIT_DONE) {
        code = print_logs(&r, number > 0 ? controller_header(r.controller)->version : NULL, host);
    }
    room_close(&r);
    return code;
}

static const struct opt *const history_options[] = {opt_history, opt_release, NULL};
static const struct opt *const options[] = {opt_release, NULL};
static const struct opt *const logs_options[] = {opt_lines, opt_release, NULL};

static const struct example history_examples[] = {
    {"pourover history", "the last 20 releases that this machine's journal knows"},
    {"pourover history -s shop --limit 100 --json", "of one service, for programs"},
    {NULL, NULL},
};

const struct cmd cmd_history = {
    .name = "history",
    .summary = "list releases: what, who, when, how long, how it ended",
    .option = history_options,
    .details = "Of all services, or of the one that --service or --file names. Reads the journal "
               "of this machine: POUROVER_JOURNAL, else journal.db in "
               "$XDG_STATE_HOME/pourover, ~/.local/state/pourover, or /var/lib/pourover for root. "
               "`pourover status` brings in the newest release from the hosts.",
    .example = history_examples,
    .run = run_history,
};

static const struct example show_examples[] = {
    {"pourover show", "the newest release: its steps with times and what was seen"},
    {"pourover show 17", "number 17 of history"},
    {NULL, NULL},
};

const struct cmd cmd_show = {
    .name = "show",
    .summary = "print one release: all steps, with times and what was seen",
    .operand = "[N]",
    .operands_max = 1,
    .option = options,
    .details = "In the order of the plan. Steps marked < were done before a rollback began, those "
               "marked ! are what a host got in trouble.",
    .example = show_examples,
    .run = run_show,
};

static const struct example logs_examples[] = {
    {"pourover logs west-1", "what the copies on west-1 wrote last"},
    {"pourover logs 17 west-1", "only the copy of release 17 there"},
    {NULL, NULL},
};

const struct cmd cmd_logs = {
    .name = "logs",
    .summary = "print what the copies on hosts wrote last",
    .operand = "[N] [HOST]",
    .operands_max = 2,
    .option = logs_options,
    .details = "Of all hosts or of one; with a number, of the copies that this release started, as "
               "long as they are there. A copy that was stopped keeps its logs until the next one "
               "takes its place.",
    .example = logs_examples,
    .run = run_logs,
};
