/*
 * Commands about one peer: PUT, PATCH and DELETE of v1/services/S/peers/ADDRESS, as
 * docs/reference/api.md says. Pure, over the zone.
 */
#pragma once

#include "traffic/address.h"
#include "traffic/zone.h"

enum peer_verb { PEER_PUT, PEER_PATCH, PEER_DELETE };

#define PEER_LIMIT_MAX_MS 2592000000u /* 30 days: no limit of a drain is longer */

/* A body; members that are not there say nothing. */
struct peer_body {
    bool has_track, has_weight, has_state, has_dc, has_name, has_by, has_requests, has_streams;
    enum track track;
    uint32_t weight;
    enum peer_state state; /* ready, draining or down */
    uint64_t requests_ms, streams_ms;
    size_t dc_len, name_len, by_len;
    char dc[ZONE_DC_MAX + 1], name[ZONE_ADDRESS_MAX + 1], by[ZONE_BY_MAX + 1];
};

/*
 * Reads the body of a PUT or PATCH. ERR_INVALID: *ret_field is the field at fault (a view of text,
 * or of constant text), empty when the fault is no field's.
 */
int peer_body_read(struct str text, enum peer_verb verb, struct peer_body *ret_body,
                   struct str *ret_field, struct err *err);

struct peer_command {
    enum peer_verb verb;
    struct str text;        /* ADDRESS, as NGINX prints it when it is one */
    struct address address; /* len 0: it is none, perhaps a name's */
    int track;              /* the one of several with this address; -1: not said */
    struct peer_body body;
    uint64_t wall_ms, mono_ms; /* now, by the two clocks */
    uint32_t workers;          /* processes whose counts have to find room beside a new peer */
};

/*
 * The peer or name with this address; track as above. ERR_NOT_FOUND; ERR_CONFLICT: both tracks
 * have it.
 */
int peer_find(const struct zone *zone, const struct service *service, struct str address, int track,
              unsigned *ret_slot, struct err *err);

/*
 * Does it, and counts the service's control revision. *ret_slot: the peer's. ERR_NOT_FOUND;
 * ERR_CONFLICT; ERR_INVALID, *ret_field as above; ERR_FULL. Then nothing is done.
 */
int peer_command_locked(struct zone *zone, struct service *service,
                        const struct peer_command *command, unsigned *ret_slot,
                        const char **ret_field, struct err *err);
