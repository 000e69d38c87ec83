#pragma once
/* What the options of `pourover test` and its kin said. */
#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct cli_test {
    VEC(const char *) targets; /* [NAME=]ADDRESS */
    VEC(const char *) vars;    /* NAME=VALUE */
    VEC(const char *) tags;    /* one each: "a", "!a" */
    VEC(const char *) import_paths;
    VEC(const char *) protos;
    VEC(const char *) headers; /* of call: "name: value" */
    const char *authority, *baseline, *cross, *run, *secrets;
    const char *junit, *json, *tap, *html;
    const char *ca, *cert, *key, *server_name;
    const char *proto_set, *data, *output;
    bool insecure, coverage, watch, production, reflect, gzip;
    uint64_t jobs, budget_ms, max_message_bytes, connect_timeout_ms, deadline_ms, count,
        concurrency;
};

void cli_test_done(struct cli_test *test);
