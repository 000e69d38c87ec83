/* The options of `pourover test` and its kin. */
#include "cli/cmd.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

#define MAX_MS UINT64_C(86400000)

void cli_test_done(struct cli_test *test)
{
    vec_done(&test->targets);
    vec_done(&test->vars);
    vec_done(&test->tags);
    vec_done(&test->import_paths);
    vec_done(&test->protos);
    vec_done(&test->headers);
}

/* An option that only keeps its value, which is read where it is used. */
#define TAKE_TEXT(name, member)                                          \
    static int name(struct cli *cli, const char *value, struct err *err) \
    {                                                                    \
        (void) err;                                                      \
        cli->test.member = value;                                        \
        return 0;                                                        \
    }
#define TAKE_LIST(name, member)                                          \
    static int name(struct cli *cli, const char *value, struct err *err) \
    {                                                                    \
        (void) err;                                                      \
        vec_push(&cli->test.member, value);                              \
        return 0;                                                        \
    }
#define TAKE_FLAG(name, member)                                          \
    static int name(struct cli *cli, const char *value, struct err *err) \
    {                                                                    \
        (void) value, (void) err;                                        \
        cli->test.member = true;                                         \
        return 0;                                                        \
    }

TAKE_LIST(take_target, targets)
TAKE_LIST(take_import_path, import_paths)
TAKE_LIST(take_proto, protos)
TAKE_LIST(take_header, headers)
TAKE_TEXT(take_authority, authority)
TAKE_TEXT(take_baseline, baseline)
TAKE_TEXT(take_cross, cross)
TAKE_TEXT(take_run, run)
TAKE_TEXT(take_secrets, secrets)
TAKE_TEXT(take_junit, junit)
TAKE_TEXT(take_json_file, json)
TAKE_TEXT(take_tap, tap)
TAKE_TEXT(take_html, html)
TAKE_TEXT(take_ca, ca)
TAKE_TEXT(take_cert, cert)
TAKE_TEXT(take_key, key)
TAKE_TEXT(take_server_name, server_name)
TAKE_TEXT(take_proto_set, proto_set)
TAKE_TEXT(take_data, data)
TAKE_TEXT(take_output, output)
TAKE_FLAG(take_insecure, insecure)
TAKE_FLAG(take_coverage, coverage)
TAKE_FLAG(take_watch, watch)
TAKE_FLAG(take_production, production)
TAKE_FLAG(take_reflect, reflect)
TAKE_FLAG(take_gzip, gzip)

static int take_var(struct cli *cli, const char *value, struct err *err)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value) {
        return err_set(err, ERR_INVALID, "\"%s\" is not NAME=VALUE", value);
    }
    vec_push(&cli->test.vars, value);
    return 0;
}

/* "a,!b": words are kept where they stand; the list keeps where each begins. */
static int take_tags(struct cli *cli, const char *value, struct err *err)
{
    if (value[0] == '\0') {
        return err_set(err, ERR_INVALID, "\"\" is no list of tags such as smoke,!slow");
    }
    vec_push(&cli->test.tags, value);
    return 0;
}

static int take_time(const char *value, uint64_t *ret_ms, struct err *err)
{
    if (num_duration_ms(str_of(value), ret_ms) != 0 || *ret_ms == 0 || *ret_ms > MAX_MS) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a time from 1ms to 1d, such as 30s", value);
    }
    return 0;
}

static int take_budget(struct cli *cli, const char *value, struct err *err)
{
    return take_time(value, &cli->test.budget_ms, err);
}

static int take_connect_timeout(struct cli *cli, const char *value, struct err *err)
{
    return take_time(value, &cli->test.connect_timeout_ms, err);
}

static int take_deadline(struct cli *cli, const char *value, struct err *err)
{
    return take_time(value, &cli->test.deadline_ms, err);
}

static int take_number(const char *value, uint64_t max, uint64_t *ret, struct err *err)
{
    if (num_u64(str_of(value), 1, max, ret) != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a number from 1 to %llu", value,
                       (unsigned long long) max);
    }
    return 0;
}

static int take_jobs(struct cli *cli, const char *value, struct err *err)
{
    return take_number(value, 1000, &cli->test.jobs, err);
}

static int take_count(struct cli *cli, const char *value, struct err *err)
{
    return take_number(value, 100000000, &cli->test.count, err);
}

static int take_concurrency(struct cli *cli, const char *value, struct err *err)
{
    return take_number(value, 10000, &cli->test.concurrency, err);
}

static int take_max_message(struct cli *cli, const char *value, struct err *err)
{
    uint64_t bytes;
    if (num_bytes(str_of(value), &bytes) != 0 || bytes == 0 || bytes > UINT64_C(1) << 30) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a size up to 1g, such as 16m", value);
    }
    cli->test.max_message_bytes = bytes;
    return 0;
}

#define END                       \
    {                             \
        NULL, 0, NULL, NULL, NULL \
    }

const struct opt opt_target[] = {
    {"target", 0, "[NAME=]ADDRESS",
     "whom to call: HOST:PORT or grpc://HOST:PORT (plaintext), grpcs://HOST:PORT (TLS), "
     "unix:/PATH; "
     "repeatable with a name; default: POUROVER_TARGET",
     take_target},
    {"authority", 0, "HOST",
     "the :authority or Host to say, and the name to verify; default: the target's",
     take_authority},
    {"cacert", 0, "FILE", "PEM of the authorities to trust; default: the system's", take_ca},
    {"cert", 0, "FILE", "PEM of a certificate to show", take_cert},
    {"key", 0, "FILE", "its key; default: in the same file", take_key},
    {"server-name", 0, "NAME", "the name to ask and verify in TLS; default: the authority's",
     take_server_name},
    {"insecure", 0, NULL, "do not verify the server's certificate", take_insecure},
    {"connect-timeout", 0, "TIME", "of connect and handshake; default 10s", take_connect_timeout},
    {"max-message", 0, "SIZE", "greatest message to take; default 4m", take_max_message},
    END,
};

const struct opt opt_given[] = {
    {"var", 0, "NAME=VALUE", "a variable, before those of the file; repeatable", take_var},
    {"secrets", 0, "FILE",
     "lines NAME=VALUE for ${secret.NAME}; else POUROVER_SECRET_NAME or NAME of the environment",
     take_secrets},
    {"import-path", 0, "DIR", "where imports of .proto files are looked for; repeatable",
     take_import_path},
    END,
};

const struct opt opt_test[] = {
    {"baseline", 0, "ADDRESS", "call this one with the same requests, too, and compare the replies",
     take_baseline},
    {"cross", 0, "A,B",
     "two targets: tests of several cases hop between them, from A and from B, with the same "
     "cookies and "
     "saved values",
     take_cross},
    {"jobs", 0, "N", "cases at once; default 1", take_jobs},
    {"budget", 0, "TIME",
     "for all; then what runs is cancelled and teardown follows; default: none", take_budget},
    {"run", 0, "REGEX", "only cases whose TEST/CASE it finds", take_run},
    {"tags", 0, "TAG,!TAG", "only cases with one of these tags, and none with !", take_tags},
    {"production", 0, NULL, "refuse methods with side effects unless the file allows them",
     take_production},
    {"coverage", 0, NULL, "print which methods were not called", take_coverage},
    {"watch", 0, NULL, "run again when a file is saved", take_watch},
    {"junit", 0, "FILE", "write a report as JUnit", take_junit},
    {"json", 0, "FILE", "write the whole result as JSON; - is standard output", take_json_file},
    {"tap", 0, "FILE", "write TAP", take_tap},
    {"html", 0, "FILE", "write one HTML page", take_html},
    END,
};

const struct opt opt_schemas[] = {
    {"proto", 0, "FILE", "a .proto source with the service; repeatable", take_proto},
    {"proto-set", 0, "FILE", "a serialized FileDescriptorSet", take_proto_set},
    {"reflect", 0, NULL, "ask the target (the default without --proto)", take_reflect},
    END,
};

const struct opt opt_call[] = {
    {"data", 0, "JSON",
     "the message, or several as JSON values one after another; @FILE, or @- for standard "
     "input; default: an empty message",
     take_data},
    {"header", 0, "NAME:VALUE",
     "metadata to send, with variables such as ${secret.TOKEN}; repeatable", take_header},
    {"deadline", 0, "TIME", "of the call; default 10s", take_deadline},
    {"gzip", 0, NULL, "compress messages", take_gzip},
    {"count", 0, "N", "call so often and print a summary; default once", take_count},
    {"concurrency", 0, "N", "calls at once with --count; default 1", take_concurrency},
    END,
};

const struct opt opt_output[] = {
    {"output", 0, "FILE", "write it there instead of to standard output", take_output},
    END,
};
