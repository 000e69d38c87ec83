/*
 * What is asked of a service or of the whole router by command, but for peers: maintenance, failing
 * health checks, what the judge wants to hear of. The bodies of those calls of the API, and their
 * part of the zone. Pure.
 */
#pragma once

#include "traffic/zone.h"

/* A service is out of service, or not any more. */
struct maintenance_order {
    bool on;
    uint64_t since_ms; /* wall clock: when this was said */
    size_t by_len, message_len;
    char by[ZONE_BY_MAX + 1], message[ZONE_TEXT_MAX + 1];
};

/* The health checks that are answered here fail, or not any more. */
struct failing_order {
    bool on;
    uint64_t since_ms;
    size_t by_len;
    char by[ZONE_BY_MAX + 1];
};

/* Members that are not there say nothing. */
struct watch_order {
    bool has_slow, has_hang, has_sample, has_kinds;
    uint32_t slow_us[WATCH_SLOW_MAX]; /* rising, then zeros */
    uint32_t hang_ms, sample, kinds;
};

/*
 * Read the bodies; since_ms is the caller's to set, and `on` of failing too. An empty body of
 * failing says nothing. ERR_INVALID: *ret_field is the field at fault (a view of text, or of
 * constant text), empty when the fault is no field's.
 */
int maintenance_body_read(struct str text, struct maintenance_order *ret_order,
                          struct str *ret_field, struct err *err);
int failing_body_read(struct str text, struct failing_order *ret_order, struct str *ret_field,
                      struct err *err);
int watch_body_read(struct str text, struct watch_order *ret_order, struct str *ret_field,
                    struct err *err);

/* As it is in the zone; the mutex is held. */
struct maintenance_order maintenance_get_locked(const struct service *service);
struct failing_order failing_get_locked(const struct zone *zone);

/* Into the zone; the control revisions are the caller's. */
void maintenance_set_locked(struct zone *zone, struct service *service,
                            const struct maintenance_order *order);
void failing_set_locked(struct zone *zone, const struct failing_order *order);
void watch_set_locked(struct zone *zone, struct service *service, const struct watch_order *order);
