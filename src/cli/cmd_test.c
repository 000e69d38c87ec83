/* pourover test */
#include "apitest/coverage.h"
#include "apitest/report.h"
#include "apitest/run.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/out.h"
#include "cli/release_files.h"
#include "cli/routers.h"
#include "cli/shell_word.h"
#include "cli/test_files.h"
#include "cli/test_print.h"
#include "cli/test_reach.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Suites of one run. */
struct suites {
    VEC(struct apitest_suite *) list;
    struct conf_diags diags;
};

static void suites_done(struct suites *suites)
{
    for (size_t i = 0; i < suites->list.len; i++) {
        apitest_suite_free(suites->list.ptr[i]);
    }
    vec_done(&suites->list);
    conf_diags_done(&suites->diags);
}

static void print_diags(const struct suites *suites, const struct conf_diags *diags,
                        const struct apitest_secrets *secrets)
{
    struct buf raw, b;
    VEC(const struct conf_file *) files = {0};
    for (size_t i = 0; i < suites->list.len; i++) {
        const struct conf_file *file = &suites->list.ptr[i]->file;
        vec_push(&files, file); /* NOLINT(bugprone-sizeof-expression): of pointers */
    }
    buf_init(&raw, OUT_MAX);
    buf_init(&b, OUT_MAX);
    conf_diags_print(diags, files.ptr, files.len, false, &raw);
    apitest_redact(secrets, buf_str(&raw), &b);
    fwrite(b.ptr, 1, b.len, stderr);
    vec_done(&files);
    buf_done(&raw);
    buf_done(&b);
}

static void load(struct suites *suites, struct test_world *w, const struct test_files *files)
{
    for (size_t i = 0; i < files->path.len; i++) {
        struct apitest_suite *suite =
            apitest_suite_load(&w->load, files->path.ptr[i], &suites->diags);
        if (suite != NULL) {
            vec_push(&suites->list, suite); /* NOLINT(bugprone-sizeof-expression): of pointers */
        }
    }
}

/* EXIT_DONE: all files are right and test something. */
static enum exit_code check(struct suites *suites, struct test_world *w)
{
    size_t hollow = 0;
    for (size_t i = 0; i < suites->list.len; i++) {
        hollow += suites->list.ptr[i]->hollow.errors;
    }
    if (suites->diags.errors > 0) {
        print_diags(suites, &suites->diags, &w->secrets);
        out_complain("%zu error%s; nothing was called", suites->diags.errors,
                     suites->diags.errors == 1 ? "" : "s");
        return w->load.reflect_failed != 0 ? exit_of((enum err_code) w->load.reflect_failed)
                                           : EXIT_USAGE;
    }
    if (suites->diags.warnings > 0) {
        print_diags(suites, &suites->diags, &w->secrets);
    }
    if (hollow == 0) {
        return EXIT_DONE;
    }
    for (size_t i = 0; i < suites->list.len; i++) {
        print_diags(suites, &suites->list.ptr[i]->hollow, &w->secrets);
    }
    out_complain("what tests nothing cannot pass; nothing was called");
    return EXIT_NOTHING;
}

static void add_option(struct buf *b, const char *name, const char *value)
{
    if (value != NULL) {
        buf_addf(b, " --%s", name);
        buf_add_char(b, ' ');
        shell_word(b, value);
    }
}

/* The command line without what chooses cases or writes reports: with --run it repeats one case. */
static char *repeat_command(const struct cli *cli)
{
    const struct cli_test *o = &cli->test;
    struct buf b;
    buf_init(&b, 65536);
    buf_add_cstr(&b, "pourover test");
    for (size_t i = 0; i < cli->noperands; i++) {
        buf_add_char(&b, ' ');
        shell_word(&b, cli->operand[i]);
    }
    for (size_t i = 0; i < o->targets.len; i++) {
        add_option(&b, "target", o->targets.ptr[i]);
    }
    for (size_t i = 0; i < o->vars.len; i++) {
        add_option(&b, "var", o->vars.ptr[i]);
    }
    for (size_t i = 0; i < o->import_paths.len; i++) {
        add_option(&b, "import-path", o->import_paths.ptr[i]);
    }
    add_option(&b, "authority", o->authority);
    add_option(&b, "cacert", o->ca);
    add_option(&b, "cert", o->cert);
    add_option(&b, "key", o->key);
    add_option(&b, "server-name", o->server_name);
    add_option(&b, "secrets", o->secrets);
    add_option(&b, "baseline", o->baseline);
    add_option(&b, "cross", o->cross);
    buf_add_cstr(&b, o->insecure ? " --insecure" : "");
    buf_add_cstr(&b, o->production ? " --production" : "");
    char *command = mem_strdup_str(buf_str(&b));
    buf_done(&b);
    return command;
}

static enum exit_code write_reports(const struct cli *cli, const struct apitest_run *run)
{
    const struct {
        const char *path;
        void (*write)(const struct apitest_run *run, struct buf *b);
    } rows[] = {{cli->test.junit, apitest_report_junit},
                {cli->test.json, apitest_report_json},
                {cli->test.tap, apitest_report_tap},
                {cli->test.html, apitest_report_html}};
    enum exit_code code = EXIT_DONE;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = {0};
        struct buf b;
        if (rows[i].path == NULL) {
            continue;
        }
        buf_init(&b, (size_t) 512 * 1024 * 1024);
        rows[i].write(run, &b);
        if (b.failed) {
            (void) err_set(&err, ERR_FULL, "%s: the report is larger than 512 MiB", rows[i].path);
        }
        if (b.failed || apitest_report_save(rows[i].path, buf_str(&b), &err) != 0) {
            out_complain("%s", err.msg);
            code = EXIT_FAILED;
        }
        buf_done(&b);
    }
    return code;
}

/* Each file's own gate: the share of its methods that its cases called. */
static bool coverage_is_enough(const struct apitest_run *run)
{
    bool enough = true;
    for (size_t i = 0; i < run->suites; i++) {
        const struct apitest_suite *suite = run->suite[i];
        struct buf missing;
        size_t called, all;
        char wanted[16], is[16];
        buf_init(&missing, OUT_MAX);
        apitest_coverage_of_file(run, suite, &called, &all, &missing);
        uint32_t have = all == 0 ? NUM_PPM_MAX : (uint32_t) ((uint64_t) called * NUM_PPM_MAX / all);
        if (have < suite->coverage_ppm) {
            num_share_text(suite->coverage_ppm, wanted);
            num_share_text(have, is);
            out_complain("%s: coverage is %s, the file asks for %s\n%s", suite->file.name, is,
                         wanted, missing.len > 0 ? missing.ptr : "");
            enough = false;
        }
        buf_done(&missing);
    }
    return enough;
}

static enum exit_code verdict(const struct apitest_run *run)
{
    const struct apitest_totals *t = &run->totals;
    if (run->interrupted) {
        return EXIT_INTERRUPTED;
    }
    if (t->failed > 0) {
        return EXIT_FAILED;
    }
    if (t->unreachable > 0) {
        return EXIT_UNREACHABLE;
    }
    if (t->late > 0 || run->budget_used) {
        return EXIT_DEADLINE;
    }
    if (t->not_run > 0) {
        return EXIT_FAILED;
    }
    if (t->tested == 0 || t->checks == 0) {
        out_complain("nothing was tested: %s",
                     t->skipped > 0 ? "all chosen cases were skipped" : "no case was chosen");
        return EXIT_NOTHING;
    }
    return coverage_is_enough(run) ? EXIT_DONE : EXIT_FAILED;
}

/* --tags a,!b --tags c: one list of words. */
struct tags {
    VEC(char *) word;
};

static void split_tags(const struct cli *cli, struct tags *tags)
{
    for (size_t i = 0; i < cli->test.tags.len; i++) {
        struct str word, rest = str_of(cli->test.tags.ptr[i]);
        while (str_cut(&rest, ',', &word)) {
            if (str_trim(word).len > 0) {
                char *copy = mem_strdup_str(str_trim(word));
                vec_push(&tags->word, copy);
            }
        }
    }
}

static void tags_done(struct tags *tags)
{
    for (size_t i = 0; i < tags->word.len; i++) {
        mem_free(tags->word.ptr[i]);
    }
    vec_done(&tags->word);
}

static void on_signal(void *ctx)
{
    apitest_runner_interrupt(ctx);
}

static bool to_stdout(const struct cli *cli)
{
    const char *paths[] = {cli->test.junit, cli->test.json, cli->test.tap, cli->test.html};
    for (size_t i = 0; i < 4; i++) {
        if (paths[i] != NULL && strcmp(paths[i], "-") == 0) {
            return true;
        }
    }
    return false;
}

static enum exit_code run_suites(struct cli *cli, struct test_world *w, struct suites *suites)
{
    struct err err = {0};
    struct test_print print;
    _cleanup_(tags_done) struct tags tags = {0};
    split_tags(cli, &tags);
    test_print_init(&print, cli, to_stdout(cli));
    struct apitest_options options = {
        .target = w->target,
        .targets = w->targets,
        .baseline = w->baseline,
        .cross_a = w->cross_a,
        .cross_b = w->cross_b,
        .jobs = (unsigned) cli->test.jobs,
        .budget_ms = cli->test.budget_ms,
        .run = cli->test.run,
        .tags = (const char *const *) tags.word.ptr,
        .n_tags = tags.word.len,
        .production = cli->test.production,
        .verbose = cli->verbose,
        .load = &w->load,
        .progress = test_print_progress,
        .ctx = &print,
    };
    struct apitest_runner *runner = apitest_runner_new(w->loop, &options, suites->list.ptr,
                                                       suites->list.len, &suites->diags, &err);
    if (runner == NULL) {
        print_diags(suites, &suites->diags, &w->secrets);
        out_complain("%s", err.msg);
        return EXIT_USAGE;
    }
    struct apitest_run *run = apitest_runner_result(runner);
    print.run = run;
    run->target_text = w->targets > 0 ? w->target[0].text : cli->test.cross;
    run->command = repeat_command(cli);
    io_signal_watch(w->loop, SIGINT, on_signal, runner);
    io_signal_watch(w->loop, SIGTERM, on_signal, runner);
    apitest_runner_run(runner);
    test_print_end(&print);
    enum exit_code code = write_reports(cli, run);
    enum exit_code judged = verdict(run);
    mem_free(run->command);
    cli->interrupted = run->interrupted;
    apitest_runner_free(runner);
    return judged != EXIT_DONE ? judged : code;
}

static enum exit_code run_once(struct cli *cli, const struct test_files *files)
{
    struct err err = {0};
    struct test_world w;
    _cleanup_(suites_done) struct suites suites = {0};
    if (test_world_init(&w, cli, true, &err) != 0) {
        test_world_done(&w);
        return cli_fail(cli, &err);
    }
    load(&suites, &w, files);
    enum exit_code code = check(&suites, &w);
    if (code == EXIT_DONE) {
        code = run_suites(cli, &w, &suites);
    }
    suites_done(&suites); /* before the descriptors that they point to */
    suites = (struct suites){0};
    test_world_done(&w);
    return code;
}

/* The files as they are now: some may have come or gone. */
static enum exit_code run_found(struct cli *cli)
{
    struct err err = {0};
    _cleanup_(test_files_done) struct test_files files = {0};
    if (test_files_find(&files, cli->operand, cli->noperands, &err) != 0) {
        return cli_fail(cli, &err);
    }
    return run_once(cli, &files);
}

static enum exit_code run_again_and_again(struct cli *cli, int fd)
{
    enum exit_code code = run_found(cli);
    while (!cli->interrupted) {
        out_printf("\nexit %d; waiting for a file to be saved (Ctrl-C ends)\n", (int) code);
        (void) fflush(stdout);
        if (!test_files_wait(fd)) {
            break;
        }
        code = run_found(cli);
    }
    return code;
}

static enum exit_code run(struct cli *cli)
{
    struct err err = {0};
    int fd;
    _cleanup_(test_files_done) struct test_files files = {0};
    if (test_files_find(&files, cli->operand, cli->noperands, &err) != 0) {
        return cli_fail(cli, &err);
    }
    if (!cli->test.watch) {
        return run_once(cli, &files);
    }
    /* Before the first run, so that nothing saved while it runs is missed. */
    if (test_files_watch(&files, &fd, &err) != 0) {
        return cli_fail(cli, &err);
    }
    enum exit_code code = run_again_and_again(cli, fd);
    (void) close(fd);
    return code;
}

static const struct opt *const options[] = {opt_target, opt_given, opt_test, NULL};
static const struct example examples[] = {
    {"pourover test tests/*.yaml --target 10.0.0.7:50051", "run them against exactly this address"},
    {"pourover test tests --target grpcs://10.0.0.7:443 --authority api.example.com --jobs 8 "
     "--budget 60s",
     "over TLS, as api.example.com, eight cases at once, at most a minute"},
    {"pourover test tests --target 10.0.0.7:50051 --baseline 10.0.0.8:50051",
     "also tell where its replies differ from those of the version that serves now"},
    {NULL, NULL},
};

const struct cmd cmd_test = {
    .name = "test",
    .summary = "run API tests in YAML over gRPC and HTTP",
    .operand = "FILE...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_MAX,
    .option = options,
    .details =
        "Everything in the files is checked against the descriptors before the first call. Calls "
        "go to "
        "exactly one address, are never repeated by themselves, and obey no proxy variable.\n\n"
        "Exit codes: 0 all passed; 1 an assertion failed; 2 a file or the usage is wrong; 3 the "
        "target "
        "could not be reached; 4 a deadline or the budget ran out; 5 nothing was tested.",
    .example = examples,
    .run = run,
};

/* Only files of tests. */
static enum exit_code check_tests(struct cli *cli, const struct test_files *files)
{
    struct err err = {0};
    struct test_world w;
    _cleanup_(suites_done) struct suites suites = {0};
    if (test_world_init(&w, cli, false, &err) != 0) {
        test_world_done(&w);
        return cli_fail(cli, &err);
    }
    load(&suites, &w, files);
    enum exit_code code = check(&suites, &w);
    size_t tests = 0, cases = 0;
    for (size_t i = 0; i < suites.list.len; i++) {
        tests += suites.list.ptr[i]->tests;
        for (size_t t = 0; t < suites.list.ptr[i]->tests; t++) {
            cases += suites.list.ptr[i]->test[t]->n_cases;
        }
    }
    if (code == EXIT_DONE && !cli->quiet) {
        out_printf("%zu file%s, %zu test%s, %zu case%s: right\n", files->path.len,
                   files->path.len == 1 ? "" : "s", tests, tests == 1 ? "" : "s", cases,
                   cases == 1 ? "" : "s");
    }
    suites_done(&suites);
    suites = (struct suites){0};
    test_world_done(&w);
    return code;
}

/* Each file by its kind; the first that is wrong decides the exit code. */
static enum exit_code run_check(struct cli *cli)
{
    struct err err = {0};
    enum exit_code code = EXIT_DONE;
    _cleanup_(test_files_done) struct test_files files = {0};
    if (test_files_find(&files, cli->operand, cli->noperands, &err) != 0) {
        return cli_fail(cli, &err);
    }
    size_t tests = 0;
    for (size_t i = 0; i < files.path.len; i++) {
        enum release_kind kind = release_kind_of(files.path.ptr[i]);
        if (kind == RELEASE_KIND_NONE) {
            files.path.ptr[tests++] = files.path.ptr[i];
            continue;
        }
        enum exit_code one = release_check(cli, files.path.ptr[i], kind);
        code = code == EXIT_DONE ? one : code;
        mem_free(files.path.ptr[i]);
    }
    files.path.len = tests;
    enum exit_code rest = tests == 0 ? EXIT_DONE : check_tests(cli, &files);
    return code == EXIT_DONE ? rest : code;
}

static const struct opt *const check_options[] = {opt_environment, opt_given, opt_target, NULL};
static const struct example check_examples[] = {
    {"pourover check tests", "read and check all files of tests, call nothing"},
    {"pourover check release.yaml release.staging.yaml fleet.yaml",
     "the configuration of releases, alone and as each environment has it"},
    {NULL, NULL},
};

const struct cmd cmd_check = {
    .name = "check",
    .summary = "check files without calling anything",
    .operand = "FILE...",
    .operands_min = 1,
    .operands_max = CLI_OPERANDS_MAX,
    .option = check_options,
    .details =
        "What a file is, its keys say: of API tests, of releases, of a fleet; release.ENV.yaml "
        "beside release.yaml is checked together with it.\n\n"
        "Of API tests, .proto sources or descriptor sets are read, and every key, field, value, "
        "operator and variable is checked; only tests with reflection need --target. Of releases, "
        "every key, name, time, share, port and variable.",
    .example = check_examples,
    .run = run_check,
};
