/* What goes wrong, drawn for each operation and host. */
#include "sim/sim.h"

#include <string.h>

const struct sim_profile sim_profiles[] = {
    {.name = "quiet"},
    {.name = "faults",
     .interrupted = 8000,
     .refused = 4000,
     .happens = 6000,
     .broken_host = 30000,
     .killed = 1500,
     .commanded = 3000,
     .verdict = 40000,
     .frozen = 1000},
    {.name = "storm",
     .interrupted = 60000,
     .refused = 20000,
     .happens = 50000,
     .broken_host = 80000,
     .killed = 15000,
     .commanded = 20000,
     .verdict = 150000,
     .frozen = 8000},
    {.name = NULL},
};

const struct sim_profile *sim_profile_find(const char *name)
{
    for (const struct sim_profile *p = sim_profiles; p->name != NULL; p++) {
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }
    return NULL;
}

void sim_fault_host(struct sim_run *run)
{
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        struct sim_host *host = &run->world.host[h];
        uint32_t ppm = run->profile->broken_host;
        if (!draw_chance(&run->draw, ppm)) {
            continue;
        }
        bool *which[] = {&host->no_image, &host->disk_full, &host->loops, &host->tests_fail,
                         &host->outside_down};
        *which[draw_below(&run->draw, sizeof(which) / sizeof(which[0]))] = true;
    }
    run->world.migration.fails = draw_chance(&run->draw, run->profile->broken_host * 2);
    run->world.migration.loses = draw_chance(&run->draw, run->profile->broken_host);
}

/* Something happens to a host or a router while the operation is under way. */
static void draw_happening(struct sim_run *run, const struct release_op *op, uint64_t within_ms)
{
    struct sim_world *w = &run->world;
    struct draw *d = &run->draw;
    enum sim_happening kind = (enum sim_happening) draw_below(d, HAPPENINGS);
    uint64_t in_ms = within_ms == 0 ? 0 : draw_next(d) % within_ms;
    unsigned host = op->host >= 0 && draw_chance(d, 700000) ? (unsigned) op->host
                                                            : draw_below(d, run->spec.hosts);
    unsigned router = draw_below(d, w->routers);
    unsigned copy = host * RELEASE_SLOTS + draw_below(d, RELEASE_SLOTS);
    uint64_t lasts_ms = draw_between(d, 1, 600000);
    switch (kind) {
    case HAPPENS_HOST_CUT:
    case HAPPENS_HOST_BACK:
        sim_world_later(w, in_ms, HAPPENS_HOST_CUT, host);
        sim_world_later(w, in_ms + lasts_ms, HAPPENS_HOST_BACK, host);
        break;
    case HAPPENS_ROUTER_CUT:
    case HAPPENS_ROUTER_BACK:
        sim_world_later(w, in_ms, HAPPENS_ROUTER_CUT, router);
        sim_world_later(w, in_ms + lasts_ms, HAPPENS_ROUTER_BACK, router);
        break;
    case HAPPENS_REBOOT_GONE:
    case HAPPENS_REBOOT_POLICY:
        sim_world_later(w, in_ms, kind, host);
        break;
    case HAPPENS_COPY_DIES:
    case HAPPENS_COPY_RESTARTS:
        sim_world_later(w, in_ms, kind, copy);
        break;
    case HAPPENS_ROUTER_RESTART:
    case HAPPENS_ROUTER_OLD:
    case HAPPENS_ROUTER_LOST:
        sim_world_later(w, in_ms, kind, router);
        break;
    case HAPPENS_LEASE_LOST:
    case HAPPENS_LEASE_FREE:
        if (draw_chance(d, 200000)) {
            sim_world_later(w, in_ms, HAPPENS_LEASE_LOST, 0);
            sim_world_later(w, in_ms + lasts_ms, HAPPENS_LEASE_FREE, 0);
        }
        break;
    case HAPPENINGS:
        break;
    }
}

static enum sim_fate draw_fate(struct sim_run *run, const struct release_op *op)
{
    struct draw *d = &run->draw;
    if (draw_chance(d, run->profile->interrupted)) {
        static const enum sim_fate fates[] = {FATE_AWAY_UNDONE, FATE_AWAY_DONE, FATE_LATE_UNDONE,
                                              FATE_LATE_DONE};
        return fates[draw_below(d, 4)];
    }
    if (op->kind != OP_WAIT && op->kind != OP_MIGRATE && draw_chance(d, run->profile->refused)) {
        return op->kind == OP_TEST && draw_chance(d, 300000) ? FATE_NOTHING : FATE_REFUSED;
    }
    if ((op->kind == OP_DWELL || op->kind == OP_SOAK) && draw_chance(d, run->profile->verdict)) {
        return op->kind == OP_DWELL && draw_chance(d, 500000) ? FATE_NOTHING : FATE_EXCEEDED;
    }
    return FATE_NORMAL;
}

uint64_t sim_waits_ms(const struct release_op *op)
{
    bool waits = op->kind == OP_WAIT || op->kind == OP_SOAK || op->kind == OP_DWELL;
    return waits ? op->wait_ms : 0;
}

void sim_fault_op(struct sim_run *run, struct sim_flight *flight)
{
    const struct release_op *op = &flight->op;
    struct draw *d = &run->draw;
    uint64_t takes_ms = sim_waits_ms(op) + draw_between(d, 1, 2000);
    flight->fate = run->faults ? draw_fate(run, op) : FATE_NORMAL;
    flight->routers = (uint8_t) draw_below(d, 8);
    if (flight->fate == FATE_LATE_DONE || flight->fate == FATE_LATE_UNDONE) {
        takes_ms = op->deadline_ms;
    }
    flight->end_ms = run->world.now_ms + takes_ms;
    if (run->faults && draw_chance(d, run->profile->happens)) {
        draw_happening(run, op, takes_ms);
    }
}
