/* pourover config */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/num.h"
#include "cli/out.h"
#include "cli/release_files.h"

/* The same values without their origins; what is no number, truth or null by its form is text. */
static void write_json(struct json_writer *w, const struct conf_node *node)
{
    int64_t number;
    if (node->kind == CONF_MAP) {
        json_obj_begin(w);
        for (size_t i = 0; i < node->len; i++) {
            json_key(w, node->entry[i].key->text.ptr);
            write_json(w, node->entry[i].value);
        }
        json_obj_end(w);
    } else if (node->kind == CONF_LIST) {
        json_arr_begin(w);
        for (size_t i = 0; i < node->len; i++) {
            write_json(w, node->item[i]);
        }
        json_arr_end(w);
    } else if (node->style == CONF_PLAIN &&
               num_i64(node->text, INT64_MIN, INT64_MAX, &number) == 0) {
        json_i64(w, number);
    } else if (node->style == CONF_PLAIN &&
               (str_eq_cstr(node->text, "true") || str_eq_cstr(node->text, "false"))) {
        json_bool(w, str_eq_cstr(node->text, "true"));
    } else if (conf_is_null(node)) {
        json_null(w);
    } else {
        json_str(w, node->text);
    }
}

static enum exit_code run(struct cli *cli)
{
    _cleanup_(release_config_done) struct release_config config;
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, OUT_MAX);
    enum exit_code code = release_open(cli, false, &config);
    if (code == EXIT_DONE && cli->json) {
        struct json_writer w;
        json_writer_init(&w, &b);
        write_json(&w, config.merged);
        buf_add_char(&b, '\n');
        out_write(buf_str(&b));
    } else if (code == EXIT_DONE) {
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
