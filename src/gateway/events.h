#pragma once
/* The ring of bad outcomes of a service, as one router tells it page by page. */
#include "gateway/router.h"

#define EVENTS_PAGE     1000 /* events that are asked for at once */
#define EVENTS_SLOW_MAX 4

/* The kinds of events that we know; ends with NULL. */
extern const char *const events_kind[];

/* One record.  Routers may tell kinds and reasons that are newer than we. */
struct router_event {
    uint64_t seq;
    double start_ms; /* wall clock of the router */
    char kind[24], assigned[16], served[16], reason[24];
    char unit[17]; /* u of the cut; "" without an id */
    uint32_t share_ppm;
    uint64_t revision, nth, took_us;
    int64_t status, grpc, final_status; /* grpc: -1 is none */
    char peer[ROUTER_TEXT_MAX], route[ROUTER_TEXT_MAX];
};

/* What is written down besides failures. */
struct router_watch {
    uint64_t slow_us[EVENTS_SLOW_MAX];
    size_t nslow;
    uint64_t hang_ms, sample; /* 0: off */
    bool redirects, client_errors;
};

struct router_events {
    char instance[17];
    char next[64]; /* cursor of the next page */
    uint64_t appended, capacity;
    bool has_lost;         /* the cursor could tell */
    uint64_t lost[TRACKS]; /* overwritten since the cursor */
    struct router_watch watch;
    struct router_event *event; /* len, owned */
    size_t len;
};

int router_parse_events(struct str json, struct router_events *ret, struct err *err)
    __attribute__((warn_unused_result));
void router_events_done(struct router_events *e);
