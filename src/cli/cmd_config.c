/* pourover config */
#include "base/cleanup.h"
#include "cli/out.h"
#include "cli/release_files.h"

static enum exit_code run(struct cli *cli)
{
    _cleanup_(release_config_done) struct release_config config;
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, OUT_MAX);
    enum exit_code code = release_open(cli, false, &config);
    if (code == EXIT_DONE) {
        release_config_print(&config, &b);
        out_write(buf_str(&b));
    }
    return code;
}

static const struct opt *const options[] = {opt_release, NULL};
static const struct example examples[] = {
    {"pourover config", "release.yaml with all defaults, and where each value comes from"},
    {"pourover config -e staging >all.yaml",
     "with release.staging.yaml over it; it can be read again as a release file"},
    {NULL, NULL},
};

const struct cmd cmd_config = {
    .name = "config",
    .summary = "print the configuration of releases with defaults and origins",
    .option = options,
    .details = "Reads release.yaml, the file of the environment over it and the fleet file that "
               "they name, and prints all of it as one YAML file. The comment behind a value says "
               "the file and line that it comes from, or that it is a default. Paths of the fleet "
               "file are written relative to release.yaml.",
    .example = examples,
    .run = run,
};
