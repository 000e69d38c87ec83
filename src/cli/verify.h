#pragma once
/* Proves on every router that visitors are cut as the API says; used by verify and walk. */
#include "base/json.h"
#include "cli/cmd.h"
#include "gateway/verify.h"

/* --visit as the routers need it.  ERR_INVALID. */
int verify_check_usage(const struct cli *cli, struct err *err) __attribute__((warn_unused_result));

/* fleet_verify with the visitors of --requests; the exit code of the worst. */
enum exit_code verify_run(struct cli *cli, double confidence, struct verify_result *result);

enum exit_code verify_exit(enum verify_word word);

void verify_write_text(const struct cli *cli, const struct verify_result *r, struct buf *b);
void verify_write_json(const struct verify_result *r, struct json_writer *w);
