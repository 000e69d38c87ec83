/* Differences of counters and histograms. */
#include "cli/delta.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

void delta_init(struct delta *d)
{
    *d = (struct delta){0};
    for (int i = 0; i < TRACKS; i++) {
        d->track[i].time = mem_zalloc(sizeof *d->track[i].time);
    }
}

void delta_done(struct delta *d)
{
    for (int i = 0; i < TRACKS; i++) {
        mem_free(d->track[i].time);
        d->track[i].time = NULL;
    }
}

void delta_clear(struct delta *d)
{
    delta_done(d);
    delta_init(d);
}

void delta_add(struct delta *sum, const struct delta *d)
{
    for (int i = 0; i < TRACKS; i++) {
        sum->track[i].requests += d->track[i].requests;
        sum->track[i].split += d->track[i].split;
        sum->track[i].errors += d->track[i].errors;
        sum->track[i].crossed += d->track[i].crossed;
        hist_merge(sum->track[i].time, d->track[i].time);
    }
}

void delta_base_done(struct delta_base *base)
{
    if (base->has_counts) {
        delta_done(&base->at);
        base->has_counts = false;
    }
}

void delta_base_set(struct delta_base *base, const struct router_stats *now)
{
    static const struct delta_base zero;
    delta_base_done(base);
    *base = zero;
    delta_init(&base->at);
    base->has_counts = true;
    memcpy(base->instance, now->instance, sizeof base->instance);
    for (int i = 0; i < TRACKS; i++) {
        const struct router_counts *c = &now->track[i];
        struct track_delta *t = &base->at.track[i];
        t->requests = c->requests;
        t->split = c->split;
        t->errors = c->errors;
        t->crossed = c->crossed;
        hist_merge(t->time, c->time);
    }
}

static uint64_t minus(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

void delta_since(const struct delta_base *base, const struct router_stats *now, struct delta *ret)
{
    bool counts = base->has_counts && strcmp(base->instance, now->instance) == 0;
    delta_clear(ret);
    for (int i = 0; i < TRACKS; i++) {
        const struct router_counts *c = &now->track[i];
        const struct track_delta *before = &base->at.track[i];
        struct track_delta *t = &ret->track[i];
        t->requests = minus(c->requests, counts ? before->requests : 0);
        t->split = minus(c->split, counts ? before->split : 0);
        t->errors = minus(c->errors, counts ? before->errors : 0);
        t->crossed = minus(c->crossed, counts ? before->crossed : 0);
        for (size_t k = 0; k < HIST_BUCKETS; k++) {
            uint64_t old = counts ? before->time->count[k] : 0;
            t->time->count[k] = minus(c->time->count[k], old);
        }
    }
}

static double part(uint64_t stable, uint64_t canary)
{
    return stable + canary > 0 ? (double) canary / (double) (stable + canary) : (double) NAN;
}

double delta_share(const struct delta *d)
{
    return part(d->track[TRACK_STABLE].requests, d->track[TRACK_CANARY].requests);
}

double delta_split_share(const struct delta *d)
{
    return part(d->track[TRACK_STABLE].split, d->track[TRACK_CANARY].split);
}
