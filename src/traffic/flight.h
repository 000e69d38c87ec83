/*
 * What is in flight at peers that are drained, and what the limits of their drains ended, told one
 * by one: a record in the zone for each such peer, made when it is first needed. There are at most
 * FLIGHTS_MAX; a further peer takes over the record that has been of no use for longest.
 *
 * Each worker lists what it has at a peer anew with every tick. More requests than a record has
 * places for are not listed: how many there are says the sum of the pins (zone.h).
 *
 * All but flights_find() is done under the zone's mutex, and what that finds is read under it.
 */
#pragma once

#include "traffic/zone.h"

#define FLIGHTS_MAX       16u
#define FLIGHTS_LISTED    64u
#define FLIGHT_METHOD_MAX 16u
#define FLIGHT_URI_MAX    128u
#define FLIGHT_CLIENT_MAX 64u

struct flight {
    int32_t pid; /* of its worker; 0: the place is free */
    bool stream, has_unit;
    uint8_t method_len, uri_len, client_len;
    uint64_t since_ms, at_ms; /* wall clock; at_ms: when it was ended */
    uint64_t unit;
    char method[FLIGHT_METHOD_MAX], uri[FLIGHT_URI_MAX], client[FLIGHT_CLIENT_MAX];
};

struct flights {
    uint32_t next; /* offset of the next record, 0: it is the last */
    uint32_t service, slot, generation;
    uint64_t used_ms;   /* when something was listed last */
    uint64_t cut_count; /* the last that was ended is cut[(cut_count - 1) % FLIGHTS_LISTED] */
    struct flight active[FLIGHTS_LISTED], cut[FLIGHTS_LISTED];
};

/* Takes the text as far as there is room; returns how much. */
uint8_t flight_text(char *to, size_t max, struct str text);

/* The record of the peer that has the slot now; NULL if there is none. */
struct flights *flights_find(const struct zone *zone, const struct service *service, unsigned slot);

/*
 * Finds or makes it. NULL when there is neither a record that could be taken over nor room for a
 * new one: reserve bytes of the zone are to be left for others.
 */
struct flights *flights_get_locked(struct zone *zone, const struct service *service, unsigned slot,
                                   uint64_t reserve);

/* The worker lists anew: what it had listed is gone. */
void flights_begin_locked(struct flights *flights, int32_t pid);
/* Adds one; pid and since_ms are set. Without a free place it is not listed. */
void flights_add_locked(struct flights *flights, const struct flight *flight, uint64_t now_ms);
/* The limit of a drain ended it. flights NULL: there is no record, it is only counted. */
void flights_cut_locked(struct zone *zone, const struct service *service, unsigned slot,
                        struct flights *flights, const struct flight *flight, uint64_t now_ms);

/* Nothing is active at the peer any more: its drain is over. */
void flights_forget_locked(const struct zone *zone, const struct service *service, unsigned slot);
/* Workers that are gone have nothing in flight. */
void flights_reap_locked(const struct zone *zone, bool (*alive)(int32_t pid));
