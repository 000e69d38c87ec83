/* Judges what the test visitors found; see verify.h. */
#include "gateway/verify.h"

#include "base/num.h"
#include "judge/binomial.h"

#include <stdarg.h>
#include <stdio.h>

/* A share other than p that is worth noticing. */
double verify_other_share(double p)
{
    if (p <= 0) {
        return 0.001;
    }
    if (p >= 1) {
        return 0.999;
    }
    if (p <= 0.1) {
        return 2 * p;
    }
    return p <= 0.9 ? p + 0.05 : 1 - 2 * (1 - p);
}

static void fail(struct verify_result *r, enum verify_word word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct verify_result *r, enum verify_word word, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(r->message, sizeof r->message, fmt, args);
    va_end(args);
    r->word = word;
}

bool verify_is_elsewhere(const struct verify_plan *plan, size_t routers,
                         const struct verify_result *r)
{
    return plan->n_visit == 1 && routers > 1 && r->fresh > 0;
}

/* The first definite fault there is; the order of the enum is the order of importance. */
static bool judge_faults(bool elsewhere, struct verify_result *r)
{
    for (int i = 0; i < PROBE_FAULTS; i++) {
        uint64_t n = r->facts.fault[i];
        if (n == 0 || (i == PROBE_NO_VERDICT && elsewhere)) {
            continue;
        }
        enum verify_word word = VERIFY_WRONG;
        if (i == PROBE_NO_ANSWER) {
            word = VERIFY_UNREACHABLE;
        } else if (i == PROBE_NO_ID && r->fresh == 0) {
            word = VERIFY_NOTHING;
        }
        fail(r, word, "%llu of %llu %s; the first: %s", (unsigned long long) n,
             (unsigned long long) r->facts.visits, probe_fault_text[i], r->facts.example[i]);
        return true;
    }
    return false;
}

static uint64_t least_to_say_anything(double p, double confidence)
{
    uint64_t n = 1;
    while (!binomial_can_contradict(n, p, confidence)) {
        n++; /* a few dozen at most, for p between 0 and 1 */
    }
    return n;
}

static void judge(const struct verify_plan *plan, size_t routers, struct verify_result *r)
{
    char share[16];
    const struct router_split *split = &r->router->service.split;
    num_share_text(split->enabled ? split->share_ppm : 0, share);
    for (int i = 0; i < PROBE_PASSES; i++) {
        r->fresh += r->facts.pass[i].fresh;
        r->canary += r->facts.pass[i].canary;
    }
    if (r->fresh > 0) {
        binomial_interval(r->canary, r->fresh, r->confidence, &r->low, &r->high);
    }
    r->other = verify_other_share(r->share);
    r->needed = binomial_needed(r->share, r->other, r->confidence, VERIFY_CERTAINTY);
    if (judge_faults(verify_is_elsewhere(plan, routers, r), r)) {
        return;
    }
    if (r->fresh == 0) {
        fail(r, VERIFY_NOTHING, "no visitor was cut by this router");
    } else if (binomial_contradicts(r->canary, r->fresh, r->share, r->confidence)) {
        fail(r, VERIFY_WRONG, "%llu of %llu fresh visitors were sent to the canary: that is not %s",
             (unsigned long long) r->canary, (unsigned long long) r->fresh, share);
    } else if (!binomial_can_contradict(r->fresh, r->share, r->confidence)) {
        fail(r, VERIFY_NOTHING,
             "%llu visitors are too few to say anything about a share of %s: %llu are the least",
             (unsigned long long) r->fresh, share,
             (unsigned long long) least_to_say_anything(r->share, r->confidence));
    }
}

static void verify_one(struct fleet *fleet, const struct verify_plan *plan, size_t index,
                       struct verify_result *r)
{
    const struct router_service *s = &r->router->service;
    struct err err = {0};
    struct probe_plan probe = {
        .url = plan->visit[plan->n_visit == 1 ? 0 : index],
        .host = plan->host,
        .id_header = plan->id_header,
        .service = fleet->service,
        .split = s->split,
        .peers = s,
        .token = r->router->token,
        .visitors = plan->visitors,
        .cut_only = plan->cut_only,
        .timeout_ms = plan->timeout_ms,
        .deadline_ms = plan->deadline_ms,
        .interrupted = plan->interrupted,
    };
    r->share = s->split.enabled ? (double) s->split.share_ppm / NUM_PPM_MAX : 0;
    int code = probe_run(fleet->loop, &probe, &r->facts, &err);
    if (code == 0) {
        r->has_facts = true;
        judge(plan, fleet->len, r);
    } else {
        fail(r,
             code == ERR_CANCELLED ? VERIFY_CANCELLED
             : code == ERR_TIMEOUT ? VERIFY_LATE
                                   : VERIFY_UNREACHABLE,
             "%s", err.msg);
    }
}

static bool note_unreached(struct verify_result *r)
{
    if (r->router->err.code != 0 && r->word == VERIFY_PROVED) {
        fail(r, VERIFY_UNREACHABLE, "%s", r->router->err.msg);
    }
    return r->word == VERIFY_PROVED;
}

enum verify_word fleet_verify(struct fleet *fleet, const struct verify_plan *plan,
                              struct verify_result *result)
{
    enum verify_word worst = VERIFY_PROVED;
    for (size_t i = 0; i < fleet->len; i++) {
        result[i] =
            (struct verify_result){.router = &fleet->router[i], .confidence = plan->confidence};
    }
    fleet_read(fleet);
    for (size_t i = 0; i < fleet->len; i++) {
        (void) note_unreached(&result[i]);
    }
    fleet_read_tokens(fleet);
    for (size_t i = 0; i < fleet->len; i++) {
        if (note_unreached(&result[i])) {
            verify_one(fleet, plan, i, &result[i]);
        }
        worst = result[i].word > worst ? result[i].word : worst;
    }
    return worst;
}
