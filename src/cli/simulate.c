/* pourover plan VERSION --simulate N; see simulate.h. */
#include "cli/simulate.h"

#include "base/mem.h"
#include "cli/out.h"
#include "cli/routers.h"
#include "journal/journal.h"
#include "release/simulate.h"

#include <string.h>
#include <unistd.h>

#define TIMES_MAX 50 /* the newest of each kind of step: older ones tell of another service */

struct times {
    uint64_t ms[STEP_KINDS][TIMES_MAX];
};

static int read_times(struct journal *j, const char *service, struct times *times,
                      struct simulate_wish *wish, struct err *err)
{
    for (int k = 0; k < STEP_KINDS; k++) {
        size_t n = 0;
        int rc = journal_times(j, service, release_step_name[k], TIMES_MAX, times->ms[k], &n, err);
        if (rc < 0) {
            return rc;
        }
        wish->times[k] = (struct simulate_times){times->ms[k], n};
    }
    return 0;
}

/* A forecast is also possible without: what is wrong is told, and assumed times are used. */
static void find_times(const struct release_config *config, struct times *times,
                       struct simulate_wish *wish)
{
    struct err err = {0};
    struct journal *j = NULL;
    char *path = journal_default_path();
    if (access(path, F_OK) == 0) { /* opening it would make it */
        int rc = journal_open(path, &j, &err);
        rc = rc < 0 ? rc : read_times(j, config->service, times, wish, &err);
        if (rc < 0) {
            memset(wish->times, 0, sizeof wish->times);
            out_complain("%s; times are assumed", err.msg);
        }
        journal_close(j);
    }
    mem_free(path);
}

static void as_if_all_served(const struct release_spec *spec, struct release_basis *basis)
{
    memset(basis, 0, sizeof *basis);
    for (int h = 0; h < spec->hosts; h++) {
        basis->host[h].serves = true;
        basis->host[h].track = spec->host[h].track;
    }
}

static void print(const struct cli *cli, const struct release_config *config,
                  const struct simulate_result *result)
{
    const char *host[RELEASE_HOSTS_MAX];
    struct buf b;
    for (size_t i = 0; i < config->hosts && i < RELEASE_HOSTS_MAX; i++) {
        host[i] = config->host[i].name;
    }
    const struct simulate_names names = {host, config->dc};
    buf_init(&b, OUT_MAX);
    if (cli->json) {
        simulate_json(result, &names, &b);
    } else {
        simulate_text(result, &names, &b);
    }
    out_write(buf_str(&b));
    buf_done(&b);
}

enum exit_code plan_simulate(struct cli *cli, const struct release_config *config, uint64_t n)
{
    struct simulate_wish wish = {.runs = n, .seed = 1, .rates = simulate_default_rates};
    struct times *times = mem_zalloc(sizeof *times);
    struct simulate_result result;
    struct release_basis basis;
    struct err err = {0};
    find_times(config, times, &wish);
    as_if_all_served(&config->spec, &basis);
    int rc = release_simulate(&config->spec, &basis, &wish, &result, &err);
    mem_free(times);
    if (rc < 0) {
        return cli_fail(cli, &err);
    }
    print(cli, config, &result);
    simulate_result_done(&result);
    return EXIT_DONE;
}
