/* Looks at the counters of all routers, and what came between two; see port.h. */
#include "gateway/port_int.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

void port_seen_set(const struct router_stats *stats, struct port_seen *seen)
{
    memcpy(seen->instance, stats->instance, sizeof seen->instance);
    for (int t = 0; t < TRACKS; t++) {
        seen->track[t].requests = stats->track[t].requests;
        seen->track[t].errors = stats->track[t].errors;
        hist_merge(&seen->track[t].time, stats->track[t].time);
    }
}

int port_look(const struct port_routers *at, struct port_look **ret, struct err *err)
{
    struct port p;
    int code = port_open(&p, at, NULL, err);
    code = code != 0 ? code : port_read(&p, true, err);
    if (code == 0) {
        struct port_look *look = mem_zalloc(sizeof *look);
        look->n = at->n;
        look->seen = mem_array(at->n, sizeof *look->seen);
        for (size_t i = 0; i < at->n; i++) {
            port_seen_set(&p.fleet.router[i].stats, &look->seen[i]);
        }
        *ret = look;
    }
    port_close(&p);
    return code;
}

void port_look_free(struct port_look *take_look)
{
    if (take_look != NULL) {
        mem_free(take_look->seen);
        mem_free(take_look);
    }
}

/* Adds what a router counted between; false: it began anew, so that is not known. */
static bool add(const struct port_seen *from, const struct port_seen *to, int t,
                struct port_figures *sum, struct hist *time)
{
    uint64_t requests = to->track[t].requests, errors = to->track[t].errors;
    if (strcmp(from->instance, to->instance) != 0 || requests < from->track[t].requests ||
        errors < from->track[t].errors) {
        return false;
    }
    sum->requests[t] += requests - from->track[t].requests;
    sum->errors[t] += errors - from->track[t].errors;
    struct hist *between = mem_zalloc(sizeof *between);
    hist_merge(between, &to->track[t].time);
    bool holds = hist_subtract(between, &from->track[t].time);
    hist_merge(time, between);
    mem_free(between);
    return holds;
}

void port_between(const struct port_look *from, const struct port_look *to,
                  struct port_figures *ret)
{
    struct port_figures sum = {.broken = from->n != to->n};
    for (int t = 0; t < TRACKS && !sum.broken; t++) {
        struct hist *time = mem_zalloc(sizeof *time);
        for (size_t i = 0; i < to->n && !sum.broken; i++) {
            sum.broken = !add(&from->seen[i], &to->seen[i], t, &sum, time);
        }
        double p99 = hist_quantile_us(time, 0.99);
        sum.p99_us[t] = isnan(p99) ? 0 : (uint64_t) llround(p99);
        mem_free(time);
    }
    *ret = sum.broken ? (struct port_figures){.broken = true} : sum;
}
