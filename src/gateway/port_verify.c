/* Sampled visitors; see port.h. */
#include "gateway/port_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "gateway/verify.h"
#include "judge/binomial.h"

#define VISITORS_MIN 400
#define VISITORS_MAX 2000 /* a release does not wait for more */
#define VISIT_MS     2000
#define AGAIN_MS     200
#define CONFIDENCE   0.9999 /* a release verifies each stage at each router: few false alarms */

/* As many visitors as it needs to tell the share from another that matters, within bounds. */
static uint64_t visitors_for(uint32_t share_ppm)
{
    double share = (double) share_ppm / NUM_PPM_MAX;
    uint64_t n = binomial_needed(share, verify_other_share(share), CONFIDENCE, VERIFY_CERTAINTY);
    return n < VISITORS_MIN ? VISITORS_MIN : n > VISITORS_MAX ? VISITORS_MAX : n;
}

static enum err_code code_of(enum verify_word word)
{
    static const enum err_code code[] = {
        [VERIFY_PROVED] = ERR_NONE,
        [VERIFY_NOTHING] = ERR_NOT_FOUND,
        [VERIFY_UNREACHABLE] = ERR_UNREACHABLE,
        [VERIFY_LATE] = ERR_TIMEOUT,
        [VERIFY_WRONG] = ERR_REMOTE,
        [VERIFY_CANCELLED] = ERR_CANCELLED,
    };
    return code[word];
}

static int verify(struct port *p, const struct verify_plan *plan, struct err *err)
{
    size_t n = p->fleet.len;
    struct verify_result *result = mem_array(n, sizeof *result);
    enum verify_word worst = fleet_verify(&p->fleet, plan, result);
    int code = 0;
    for (size_t i = 0; i < n && worst != VERIFY_PROVED; i++) {
        if (result[i].word == worst) {
            code = err_set(err, code_of(worst), "router %s: %s", p->fleet.router[i].at.name,
                           result[i].message);
            break;
        }
    }
    for (size_t i = 0; i < n && code == 0; i++) {
        port_tell(p, "router %s: %llu of %llu test visitors were sent to the canary",
                  p->fleet.router[i].at.name, (unsigned long long) result[i].canary,
                  (unsigned long long) result[i].fresh);
    }
    mem_free(result);
    return code;
}

/* The split has to be the one that is verified, before and after. */
static int check_share(const struct port *p, uint32_t share_ppm, struct err *err)
{
    int code = fleet_agree(&p->fleet, err);
    const struct router_split *split = &p->fleet.router[0].service.split;
    uint32_t has = split->enabled ? split->share_ppm : 0;
    if (code == 0 && has != share_ppm) {
        char seen[16], wanted[16];
        num_share_text(has, seen);
        num_share_text(share_ppm, wanted);
        code = err_set(err, ERR_CONFLICT, "the routers have a share of %s, not %s", seen, wanted);
    }
    return code;
}

int port_verify(const struct port_routers *at, const char *const *visit, size_t n_visit,
                uint32_t share_ppm, struct err *err)
{
    struct port p;
    if (visit == NULL || n_visit == 0) {
        buf_addf(at->told, "not verified by visitors: no address of theirs is known\n");
        return 0;
    }
    if (n_visit != 1 && n_visit != at->n) {
        return err_set(err, ERR_INVALID,
                       "%zu visitors' addresses for %zu routers: one for each, or one for all",
                       n_visit, at->n);
    }
    struct verify_plan plan = {.visit = visit,
                               .n_visit = n_visit,
                               .visitors = visitors_for(share_ppm),
                               .cut_only = true,
                               .timeout_ms = VISIT_MS,
                               .deadline_ms = at->deadline_ms,
                               .confidence = CONFIDENCE,
                               .interrupted = at->cancelled};
    int code = port_open(&p, at, NULL, err);
    code = code != 0 ? code : port_read(&p, false, err);
    code = code != 0 ? code : check_share(&p, share_ppm, err);
    code = code != 0 ? code : verify(&p, &plan, err);
    while (code == ERR_UNREACHABLE && clock_mono_ms() + AGAIN_MS < at->deadline_ms &&
           !port_cancelled(&p)) {
        fleet_pause(&p.fleet, AGAIN_MS);
        code = verify(&p, &plan, err);
    }
    code = code != 0 ? code : check_share(&p, share_ppm, err);
    port_close(&p);
    return code;
}
