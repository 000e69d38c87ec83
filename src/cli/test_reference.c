/* docs/reference/apitest.md: tables of keys, operators and exit codes, with a few words between. */
#include "cli/test_reference.h"

#include "apitest/suite.h"
#include "cli/exits.h"

#include <stdio.h>

enum { KEYS_MAX = 64, LINK_MAX = 400 };

static const struct section {
    const char *title; /* its anchor is the title in lower case with dashes */
    const char *anchor;
    const struct conf_key *key;
    const char *text;
} sections[] = {
    {"A file", "a-file", apitest_file_keys,
     "The keys of a file that is a map. A file that is a list has tests only."},
    {"A test", "a-test", apitest_test_keys,
     "Cases of one gRPC service, or of HTTP. Cases run in the order of the file, and each may use "
     "what those before it saved. A gRPC test has `serviceName` and one of `proto`, `protoSet`, "
     "`reflection: true`; an HTTP test has `http`, which may be `{}`."},
    {"Defaults", "defaults", apitest_defaults_keys,
     "Of a file or of a test; the nearest wins, for metadata name by name."},
    {"A case", "a-case", apitest_case_keys,
     "`methodName` and `detail` in a gRPC test, `http` and `expect` in an HTTP test."},
    {"Detail", "detail", apitest_detail_keys,
     "One gRPC call. Without `error` the status has to be OK. Instead of `requests` and "
     "`responses` "
     "there may be a script, `stream`."},
    {"A step", "a-step", apitest_step_keys,
     "An item of `stream`. Each has one of `send`, `expect`, `headers`, `quiet`, `close`, "
     "`cancel`, "
     "`end`."},
    {"Error", "error", apitest_error_keys,
     "The wanted status. `error: NOT_FOUND` is short for a map with only the code."},
    {"An HTTP request", "an-http-request", apitest_request_keys, "One of `body`, `json`, `form`."},
    {"Expect", "expect", apitest_expect_keys, "What has to come of an HTTP request."},
    {"Wire", "wire", apitest_wire_keys,
     "Facts below the messages. `trailersOnly`, `contentType`, `encoding`, `compressed` and `rst` "
     "are of gRPC only."},
    {"Timing", "timing", apitest_timing_keys,
     "`firstMessage` and `gap` are of gRPC only, `gap` of methods that stream replies."},
};

enum { SECTIONS = sizeof sections / sizeof sections[0] };

static const struct section *section_of(const struct conf_key *table)
{
    for (size_t i = 0; i < SECTIONS; i++) {
        if (table != NULL && sections[i].key == table) {
            return &sections[i];
        }
    }
    return NULL;
}

/* The table of a section; a key whose table has a section of its own links there. */
static void add_section(struct buf *b, const struct section *section)
{
    struct conf_key row[KEYS_MAX + 1] = {{NULL, CONF_WANT_ANY, 0, NULL, NULL}};
    char help[KEYS_MAX][LINK_MAX];
    for (size_t i = 0; i < KEYS_MAX && section->key[i].name != NULL; i++) {
        const struct section *inner = section_of(section->key[i].inner);
        row[i] = section->key[i];
        if (inner != NULL) {
            (void) snprintf(help[i], LINK_MAX, "%s; see [%s](#%s)", row[i].help, inner->title,
                            inner->anchor);
            row[i].help = help[i];
            row[i].inner = NULL;
        }
    }
    buf_addf(b, "\n### %s\n\n%s\n\n", section->title, section->text);
    conf_schema_markdown(row, b);
}

static void add_operators(struct buf *b)
{
    struct apitest_operator operator;
    buf_add_cstr(
        b,
        "\n## Operators\n\nA key that begins with `$`, in expectations. Several in one map must "
        "all hold. Headers and JSON have no types of their own: there a number is what looks like "
        "one. \"Everything\" is what has a value, and fields without one.\n\n"
        "| operator | for | matches |\n|---|---|---|\n");
    for (size_t i = 0; apitest_operator_at(i, &operator); i++) {
        buf_addf(b, "| `%s` | %s | %s |\n", operator.name, operator.subjects, operator.help);
    }
    buf_add_cstr(
        b,
        "\nItems of `responses`: `$repeat: {min: 1, max: 10, of: ..}` for so many messages in a "
        "row (`min` is 1 when it is not written, `max` any number), `$rest: any` as the last for "
        "any further ones.\n\n"
        "In requests: `$hex`, `$utf8` and `$file: PATH` for bytes, `$file` and `$repeatText: "
        "{text: a, times: 1000}` for text, `$now: -5m` for a Timestamp that is counted from now.\n"
        "\nA plain key that begins with `$` is written with two: `$$key`.\n");
}

static void add_exits(struct buf *b)
{
    static const enum exit_code codes[] = {EXIT_DONE,        EXIT_FAILED,     EXIT_USAGE,
                                           EXIT_UNREACHABLE, EXIT_DEADLINE,   EXIT_NOTHING,
                                           EXIT_INTERNAL,    EXIT_INTERRUPTED};
    buf_add_cstr(b, "\n## Exit codes\n\n| exit code | name | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < exit_table_len; i++) {
        for (size_t k = 0; k < sizeof codes / sizeof codes[0]; k++) {
            if (exit_table[i].code == codes[k]) {
                buf_addf(b, "| %d | %s | %s |\n", (int) exit_table[i].code, exit_table[i].name,
                         exit_table[i].meaning);
            }
        }
    }
    buf_add_cstr(b,
                 "\nWhen cases fail for different reasons, the first of `failed`, `unreachable`, "
                 "`deadline` is the one. Coverage below what the file asks for is `failed`.\n");
}

void test_reference(struct buf *b)
{
    buf_add_cstr(
        b,
        "# Files of API tests\n\n"
        "Made by `pourover schema test --markdown`; a test holds it current. The "
        "[guide](../guide/api-tests.md) shows how they are used.\n\n"
        "## Forms\n\n"
        "A file of `pourover test` is YAML, one document, in one of two forms: a list of tests, or "
        "a map with `version: 1` and `tests`. What is not written is not tested; a case that tests "
        "nothing, and a run without cases, are errors (exit code 5). Unknown keys are errors.\n\n"
        "Inside of messages the only plain keys are names of fields, as in the `.proto` file or as "
        "in JSON; everything else begins with `$`. A map lists the fields that matter, a list has "
        "the same length and order, a scalar is read by the type of its field, `null` means not "
        "set.\n\n"
        "Texts may have variables: `${name}` of `vars`, of `save` or of `--var`, `${env.NAME}`, "
        "`${secret.NAME}`; `$${` stands for `${`.\n\n"
        "`save` takes values by their path: `responses[0].order.id`, `error.message`, "
        "`error.code`, `status`, `headers.NAME`, `trailers.NAME` of a call; `json.items[0].id`, "
        "`body`, `status`, `headers.NAME`, `trailers.NAME` of an HTTP answer; `id` in a step. "
        "`{path: .., secret: true}` keeps the value out of all output.\n\n"
        "## Keys\n");
    for (size_t i = 0; i < SECTIONS; i++) {
        add_section(b, &sections[i]);
    }
    add_operators(b);
    add_exits(b);
}
