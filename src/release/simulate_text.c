/* The forecast in words and as JSON. */
#include "base/json.h"
#include "release/simulate.h"

#define PPM 1000000u

/* "12,345" */
static void add_count(struct buf *b, uint64_t n)
{
    if (n >= 1000) {
        add_count(b, n / 1000);
        buf_addf(b, ",%03u", (unsigned) (n % 1000));
    } else {
        buf_add_u64(b, n);
    }
}

/* "3.2 s", "4 min", "4 min 10 s" */
static void add_time(struct buf *b, uint64_t ms)
{
    uint64_t s = (ms + 500) / 1000;
    if (ms < 60000) {
        buf_addf(b, "%.1f s", (double) ms / 1000);
    } else if (s % 60 == 0) {
        buf_addf(b, "%llu min", (unsigned long long) (s / 60));
    } else {
        buf_addf(b, "%llu min %llu s", (unsigned long long) (s / 60),
                 (unsigned long long) (s % 60));
    }
}

/* "38 of 10,000 runs" */
static void add_runs(struct buf *b, uint64_t n, const struct simulate_result *r)
{
    add_count(b, n);
    buf_add_cstr(b, " of ");
    add_count(b, r->runs);
    buf_add_cstr(b, " runs");
}

/* "no host", "one stable host", "3 hosts" */
static void add_hosts(struct buf *b, unsigned n, bool stable)
{
    if (n > 1) {
        buf_add_u64(b, n);
    } else {
        buf_add_cstr(b, n == 0 ? "no" : "one");
    }
    buf_addf(b, "%s host%s", stable ? " stable" : "", n > 1 ? "s" : "");
}

/* Outages of one place, told by the pair that has most of them. */
struct worst {
    const struct simulate_outage *pair; /* NULL: there was none */
    uint64_t runs;                      /* of the whole place */
};

static struct worst worst_outage(const struct simulate_result *r)
{
    struct worst worst = {0};
    for (size_t i = 0; i < r->outage_kinds; i++) {
        const struct simulate_outage *first = NULL;
        uint64_t runs = 0;
        for (size_t k = 0; k < r->outage_kinds; k++) {
            bool same =
                r->outage[k].dc == r->outage[i].dc && r->outage[k].stable == r->outage[i].stable;
            first = same && first == NULL ? &r->outage[k] : first;
            runs += same ? r->outage[k].runs : 0;
        }
        if (runs > worst.runs) {
            worst = (struct worst){first, runs};
        }
    }
    return worst;
}

static void add_outage(const struct simulate_result *r, const struct simulate_names *names,
                       const struct worst *worst, struct buf *b)
{
    const struct simulate_outage *o = worst->pair;
    uint64_t out_ms = r->out_ms[o->out];
    buf_add_cstr(b, o->dc < 0 ? "the fleet" : names->dc[o->dc]);
    buf_add_cstr(b, " keeps ");
    add_hosts(b, o->kept, o->stable);
    buf_addf(b, " in the routers while %s is %s", names->host[o->out],
             o->stable ? "on the canary" : "out");
    if (o->crashed < 0 && out_ms > 0 && !o->stable) {
        buf_add_cstr(b, " (");
        add_time(b, out_ms);
        buf_add_cstr(b, ")");
    }
    buf_add_cstr(b, ": ");
    add_runs(b, worst->runs, r);
    buf_add_cstr(b, " had an outage there");
    if (o->crashed < 0) {
        return;
    }
    buf_add_cstr(b, o->runs < worst->runs ? ", most often (" : " because ");
    if (o->runs < worst->runs) {
        add_count(b, o->runs);
        buf_add_cstr(b, ") because ");
    }
    buf_addf(b, "%s failed in ", names->host[o->crashed]);
    if (!o->stable && out_ms > 0) {
        buf_add_cstr(b, "those ");
        add_time(b, out_ms);
    } else {
        buf_add_cstr(b, "that time");
    }
}

/* All stops at one kind of step. */
struct at_step {
    enum release_step_kind kind;
    uint64_t runs, top_runs; /* of the host that has most of them */
    int top_host;
    unsigned hosts;
    uint64_t by_cause[CAUSES];
};

static struct at_step at_step(const struct simulate_result *r, enum release_step_kind kind)
{
    struct at_step at = {.kind = kind, .top_host = -1};
    for (size_t i = 0; i < r->stops; i++) {
        const struct simulate_stop *s = &r->stop[i];
        if (s->kind != kind) {
            continue;
        }
        at.runs += s->runs;
        at.hosts += s->host >= 0;
        if (s->runs > at.top_runs) {
            at.top_runs = s->runs;
            at.top_host = s->host;
        }
        for (int c = 0; c < CAUSES; c++) {
            at.by_cause[c] += s->by_cause[c];
        }
    }
    return at;
}

static struct at_step worst_step(const struct simulate_result *r)
{
    struct at_step worst = {.runs = 0};
    for (int k = 0; k < STEP_KINDS; k++) {
        struct at_step at = at_step(r, (enum release_step_kind) k);
        worst = at.runs > worst.runs ? at : worst;
    }
    return worst;
}

static void add_step(const struct simulate_result *r, const struct simulate_names *names,
                     const struct at_step *at, struct buf *b)
{
    int cause = 0;
    for (int c = 1; c < CAUSES; c++) {
        cause = at->by_cause[c] > at->by_cause[cause] ? c : cause;
    }
    buf_addf(b, "step %s ends the most releases early: ", release_step_name[at->kind]);
    add_runs(b, at->runs, r);
    if (at->top_host >= 0 && r->hosts > 1 && at->top_runs * 2 >= at->runs) {
        if (at->top_runs == at->runs) {
            buf_addf(b, ", at %s", names->host[at->top_host]);
        } else {
            buf_add_cstr(b, ", ");
            add_count(b, at->top_runs);
            buf_addf(b, " of them at %s", names->host[at->top_host]);
        }
    }
    buf_addf(b, at->by_cause[cause] == at->runs ? " (%s)" : " (mostly: %s)",
             simulate_cause_name[cause]);
}

void simulate_weakest(const struct simulate_result *r, const struct simulate_names *names,
                      struct buf *b)
{
    const struct worst outage = worst_outage(r);
    const struct at_step step = worst_step(r);
    if (outage.pair != NULL) {
        add_outage(r, names, &outage, b);
    } else if (step.runs > 0) {
        add_step(r, names, &step, b);
    } else {
        buf_add_cstr(b, "none was found: no run ended early, and none had an outage");
    }
}

/* Text */

static void add_ppm(struct buf *b, double ppm)
{
    buf_addf(b, "%.4g %%", ppm / 1e4);
}

/* The three kinds of steps at which most runs came to this end. */
static void add_where(const struct simulate_result *r, enum simulate_end end, struct buf *b)
{
    bool told[STEP_KINDS] = {false};
    for (int n = 0; n < 3; n++) {
        uint64_t most = 0;
        int kind = -1;
        for (int k = 0; k < STEP_KINDS; k++) {
            uint64_t runs = 0;
            for (size_t i = 0; i < r->stops; i++) {
                bool is = (int) r->stop[i].kind == k;
                runs += is ? r->stop[i].by_end[end] : 0;
            }
            if (!told[k] && runs > most) {
                most = runs;
                kind = k;
            }
        }
        if (kind < 0) {
            return;
        }
        told[kind] = true;
        buf_addf(b, n == 0 ? "   at %s " : ", %s ", release_step_name[kind]);
        add_count(b, most);
    }
}

static void add_end(const struct simulate_result *r, enum simulate_end end, struct buf *b)
{
    char count[32], share[32];
    struct buf c;
    if (r->end[end] == 0 && end != SIMULATE_DONE) {
        return;
    }
    buf_init_fixed(&c, count, sizeof count);
    add_count(&c, r->end[end]);
    buf_init_fixed(&c, share, sizeof share);
    add_ppm(&c, (double) r->end[end] / (double) r->runs * PPM);
    buf_addf(b, "  %-22s%10s%10s", simulate_end_name[end], count, share);
    if (end != SIMULATE_DONE) {
        add_where(r, end, b);
    } else if (r->end[end] > 0) {
        buf_add_cstr(b, "   in ");
        add_time(b, r->mean_ms);
        buf_add_cstr(b, " expected, 95 % within ");
        add_time(b, r->p95_ms);
    }
    buf_add_char(b, '\n');
}

static void add_kinds(struct buf *b, const char *what, const bool kinds[STEP_KINDS])
{
    const char *before = what;
    for (int k = 0; k < STEP_KINDS; k++) {
        if (kinds[k]) {
            buf_add_cstr(b, before);
            buf_add_cstr(b, release_step_name[k]);
            before = ", ";
        }
    }
    if (before != what) {
        buf_add_char(b, '\n');
    }
}

/* Of steps that the plan has. */
static void add_rates(const struct simulate_result *r, struct buf *b)
{
    const struct simulate_rates *rates = &r->rates;
    buf_add_cstr(b, "assumed faults, of one step: ");
    for (int k = 0; k < STEP_KINDS; k++) {
        if (r->planned[k] && rates->fail_ppm[k] > 0) {
            buf_addf(b, "%s ", release_step_name[k]);
            add_ppm(b, rates->fail_ppm[k]);
            buf_add_cstr(b, ", ");
        }
    }
    buf_add_cstr(b, "no answer ");
    add_ppm(b, rates->hang_ppm);
    buf_add_cstr(b, ", host unreachable ");
    add_ppm(b, rates->ssh_ppm);
    buf_add_cstr(b, ", router unreachable ");
    add_ppm(b, rates->router_ppm);
    if (rates->crash_every_ms > 0) {
        buf_addf(b, "; a host crashes every %.4g days and is back after ",
                 (double) rates->crash_every_ms / 86400e3);
        add_time(b, rates->repair_ms);
    }
    buf_add_char(b, '\n');
}

void simulate_text(const struct simulate_result *r, const struct simulate_names *names,
                   struct buf *b)
{
    const struct at_step step = worst_step(r);
    buf_add_cstr(b, "forecast of ");
    add_count(b, r->runs);
    buf_addf(b, " runs, seed %llu\n", (unsigned long long) r->seed);
    for (int e = 0; e < SIMULATE_ENDS; e++) {
        add_end(r, (enum simulate_end) e, b);
    }
    buf_add_cstr(b, "weakest point: ");
    simulate_weakest(r, names, b);
    buf_add_char(b, '\n');
    if (r->outages > 0 && step.runs > 0) {
        buf_add_cstr(b, "and: ");
        add_step(r, names, &step, b);
        buf_add_char(b, '\n');
    }
    add_kinds(b, "times measured in earlier releases: ", r->measured);
    add_kinds(b, "times assumed, as none was measured: ", r->assumed);
    add_rates(r, b);
}

/* JSON */

static const char *const json_end[SIMULATE_ENDS] = {"done", "halted", "held", "rolled_back",
                                                    "halted_on_the_way_back"};
static const char *const json_cause[CAUSES] = {
    "failed",       "late",           "host_unreachable", "router_unreachable",
    "host_crashed", "others_missing", "limits_exceeded",  "too_few_requests",
    "person"};

static void json_counts(struct json_writer *w, const char *key, const char *const *name,
                        const uint64_t *count, size_t n, bool all)
{
    json_key(w, key);
    json_obj_begin(w);
    for (size_t i = 0; i < n; i++) {
        if (all || count[i] > 0) {
            json_kv_u64(w, name[i], count[i]);
        }
    }
    json_obj_end(w);
}

static void json_kinds(struct json_writer *w, const char *key, const bool kinds[STEP_KINDS])
{
    json_key(w, key);
    json_arr_begin(w);
    for (int k = 0; k < STEP_KINDS; k++) {
        if (kinds[k]) {
            json_cstr(w, release_step_name[k]);
        }
    }
    json_arr_end(w);
}

static void json_stops(struct json_writer *w, const struct simulate_result *r,
                       const struct simulate_names *names)
{
    json_key(w, "stops");
    json_arr_begin(w);
    for (size_t i = 0; i < r->stops; i++) {
        const struct simulate_stop *s = &r->stop[i];
        json_obj_begin(w);
        json_kv_cstr(w, "step", release_step_name[s->kind]);
        json_kv_cstr(w, "host", s->host < 0 ? NULL : names->host[s->host]);
        json_kv_u64(w, "runs", s->runs);
        json_counts(w, "ends", json_end, s->by_end, SIMULATE_ENDS, false);
        json_counts(w, "causes", json_cause, s->by_cause, CAUSES, false);
        json_obj_end(w);
    }
    json_arr_end(w);
}

static void json_outages(struct json_writer *w, const struct simulate_result *r,
                         const struct simulate_names *names)
{
    json_kv_u64(w, "runs_with_outage", r->outages);
    json_key(w, "outages");
    json_arr_begin(w);
    for (size_t i = 0; i < r->outage_kinds; i++) {
        const struct simulate_outage *o = &r->outage[i];
        json_obj_begin(w);
        json_kv_cstr(w, "datacenter", o->dc < 0 ? NULL : names->dc[o->dc]);
        json_kv_cstr(w, "track", o->stable ? "stable" : NULL);
        json_kv_cstr(w, "out", names->host[o->out]);
        json_kv_cstr(w, "crashed", o->crashed < 0 ? NULL : names->host[o->crashed]);
        json_kv_u64(w, "hosts", o->rest);
        json_kv_u64(w, "kept", o->kept);
        json_kv_u64(w, "runs", o->runs);
        json_kv_u64(w, "out_ms", r->out_ms[o->out]);
        json_obj_end(w);
    }
    json_arr_end(w);
}

static void json_rates(struct json_writer *w, const struct simulate_rates *rates)
{
    json_key(w, "assumed_faults");
    json_obj_begin(w);
    json_key(w, "fail_ppm");
    json_obj_begin(w);
    for (int k = 0; k < STEP_KINDS; k++) {
        if (rates->fail_ppm[k] > 0) {
            json_kv_u64(w, release_step_name[k], rates->fail_ppm[k]);
        }
    }
    json_obj_end(w);
    json_kv_u64(w, "hang_ppm", rates->hang_ppm);
    json_kv_u64(w, "host_unreachable_ppm", rates->ssh_ppm);
    json_kv_u64(w, "router_unreachable_ppm", rates->router_ppm);
    json_kv_u64(w, "too_few_requests_ppm", rates->no_data_ppm);
    json_kv_u64(w, "crash_every_ms", rates->crash_every_ms);
    json_kv_u64(w, "repair_ms", rates->repair_ms);
    json_obj_end(w);
}

void simulate_json(const struct simulate_result *r, const struct simulate_names *names,
                   struct buf *b)
{
    char mem[1024];
    struct json_writer w;
    struct buf words;
    buf_init_fixed(&words, mem, sizeof mem);
    simulate_weakest(r, names, &words);
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_u64(&w, "runs", r->runs);
    json_kv_u64(&w, "seed", r->seed);
    json_counts(&w, "ends", json_end, r->end, SIMULATE_ENDS, true);
    json_key(&w, "done_ms");
    if (r->end[SIMULATE_DONE] > 0) {
        json_obj_begin(&w);
        json_kv_u64(&w, "mean", r->mean_ms);
        json_kv_u64(&w, "p95", r->p95_ms);
        json_obj_end(&w);
    } else {
        json_null(&w);
    }
    json_kv_u64(&w, "mean_to_any_end_ms", r->mean_any_ms);
    json_kv_str(&w, "weakest", buf_str(&words));
    json_outages(&w, r, names);
    json_stops(&w, r, names);
    json_kinds(&w, "times_measured", r->measured);
    json_kinds(&w, "times_assumed", r->assumed);
    json_rates(&w, &r->rates);
    json_obj_end(&w);
    buf_add_char(b, '\n');
}
