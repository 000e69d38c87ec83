#pragma once
/* Proves on every router that visitors are cut as the API says; used by verify and walk. */
#include "base/json.h"
#include "cli/cmd.h"
#include "gateway/probe.h"

struct verify_result {
    const struct fleet_router *router;
    enum exit_code code;
    char message[600]; /* why, when code is not 0 */
    bool has_facts;
    struct probe_facts facts;
    double confidence;
    double share;           /* expected: 0 when disabled */
    uint64_t fresh, canary; /* of both passes */
    double low, high;       /* interval around canary / fresh, when fresh > 0 */
    double other;           /* a share that would be seen ... */
    uint64_t needed;        /* ... with 99% certainty from so many visitors */
};

/* --visit as the routers need it.  ERR_INVALID. */
int verify_check_usage(const struct cli *cli, struct err *err) __attribute__((warn_unused_result));

/*
 * Reads split and token of every router and sends the visitors of --requests.  result: one for each
 * router of the fleet.  Returns the worst exit code: interrupted, failed, unreachable, nothing,
 * done.
 */
enum exit_code verify_run(struct cli *cli, double confidence, struct verify_result *result);

void verify_write_text(const struct cli *cli, const struct verify_result *r, struct buf *b);
void verify_write_json(const struct verify_result *r, struct json_writer *w);
