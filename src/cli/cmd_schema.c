/* pourover schema */
#include "apitest/suite.h"
#include "base/json.h"
#include "cli/out.h"
#include "cli/release_reference.h"
#include "cli/routers.h"
#include "cli/test_reference.h"
#include "release/config.h"

#include <string.h>

#define SCHEMA_MAX ((size_t) 1024 * 1024)

/* A file of tests is a list of tests, or a map. */
static void schema_test(struct json_writer *w)
{
    json_obj_begin(w);
    json_kv_cstr(w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_kv_cstr(w, "title", "pourover API tests");
    json_key(w, "oneOf");
    json_arr_begin(w);
    json_obj_begin(w);
    json_kv_cstr(w, "type", "array");
    json_key(w, "items");
    conf_schema_json(apitest_test_keys, w);
    json_obj_end(w);
    conf_schema_json(apitest_file_keys, w);
    json_arr_end(w);
    json_obj_end(w);
}

static void schema_release(struct json_writer *w, const char *title, const struct conf_key *key)
{
    json_obj_begin(w);
    json_kv_cstr(w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_kv_cstr(w, "title", title);
    json_key(w, "allOf");
    json_arr_begin(w);
    conf_schema_json(key, w);
    json_arr_end(w);
    json_obj_end(w);
}

static void write_schema(const char *kind, struct json_writer *w)
{
    if (strcmp(kind, "release") == 0) {
        schema_release(w, "pourover releases", release_keys);
    } else if (strcmp(kind, "fleet") == 0) {
        schema_release(w, "pourover fleet", fleet_keys);
    } else {
        schema_test(w);
    }
}

static void write_reference(const char *kind, struct buf *b)
{
    if (strcmp(kind, "release") == 0) {
        release_reference(b);
    } else if (strcmp(kind, "fleet") == 0) {
        fleet_reference(b);
    } else {
        test_reference(b);
    }
}

static const char *const choices[] = {"test", "release", "fleet", NULL};

static enum exit_code run(struct cli *cli)
{
    const char *kind = cli->operand[0];
    struct buf b;
    struct json_writer w;
    struct err err = {0};
    bool known = false;
    for (size_t i = 0; choices[i] != NULL; i++) {
        known = known || strcmp(choices[i], kind) == 0;
    }
    if (!known) {
        (void) err_set(&err, ERR_INVALID,
                       "there is no schema \"%s\"; there are test, release, fleet", kind);
        return cli_fail(cli, &err);
    }
    buf_init(&b, SCHEMA_MAX);
    if (cli->format != NULL) {
        write_reference(kind, &b);
    } else {
        json_writer_init(&w, &b);
        write_schema(kind, &w);
        buf_add_char(&b, '\n');
    }
    out_write(buf_str(&b));
    buf_done(&b);
    return EXIT_DONE;
}

static int take_markdown(struct cli *cli, const char *value, struct err *err)
{
    (void) value;
    (void) err;
    cli->format = "markdown";
    return 0;
}

static const struct opt opt_schema[] = {
    {"markdown", 0, NULL, "print the reference of the keys instead", take_markdown},
    {NULL, 0, NULL, NULL, NULL},
};
static const struct opt *const options[] = {opt_schema, NULL};
static const struct example examples[] = {
    {"pourover schema test >test.schema.json",
     "for an editor that completes and checks YAML by JSON Schema"},
    {"pourover schema test --markdown", "all keys and operators, to read"},
    {"pourover schema release --markdown", "all keys of release.yaml, to read"},
    {NULL, NULL},
};

const struct cmd cmd_schema = {
    .name = "schema",
    .summary = "print the JSON Schema of a kind of file",
    .operand = "test|release|fleet",
    .operands_min = 1,
    .operands_max = 1,
    .choices = choices,
    .option = options,
    .details = "Made from the table that the program itself checks files by. What a message of a "
               "test looks like, or whether names and numbers of a release fit one another, is "
               "not in it: that only pourover check knows.",
    .example = examples,
    .run = run,
};
