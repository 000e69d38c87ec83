/* Maintenance, failing health checks, watching; see control.h. */
#include "traffic/control.h"

#include <inttypes.h>
#include <string.h>

#include "traffic/fields_int.h"

#define SLOW_MAX_US 3600000000u /* an hour */
#define HANG_MAX_MS 86400000u   /* a day */

/* The kinds of events that are off by default, by the name that a watch gives them. */
static const struct watch_kind {
    const char *name;
    enum event_kind kind;
} watch_kinds[] = {{"4xx", EVENT_CLIENT_ERROR}, {"3xx", EVENT_REDIRECT}, {NULL, EVENT_KINDS}};

int maintenance_body_read(struct str text, struct maintenance_order *ret_order,
                          struct str *ret_field, struct err *err)
{
    enum { ON, BY, MESSAGE, FIELDS };
    struct field field[FIELDS] = {
        [ON] = {.name = "on"}, [BY] = {.name = "by"}, [MESSAGE] = {.name = "message"}};
    struct maintenance_order order = {.on = false};

    int rc = fields_read(text, field, FIELDS, ret_field, err);
    if (rc != 0) {
        return rc;
    }
    *ret_field = STR("on");
    if (field_bool(&field[ON], &order.on, err) != 0) {
        return ERR_INVALID;
    }
    *ret_field = STR("by");
    if (field[BY].token != JSON_END &&
        field_line(&field[BY], order.by, sizeof(order.by), &order.by_len, err) != 0) {
        return ERR_INVALID;
    }
    *ret_field = STR("message");
    if (field[MESSAGE].token != JSON_END &&
        field_line(&field[MESSAGE], order.message, sizeof(order.message), &order.message_len,
                   err) != 0) {
        return ERR_INVALID;
    }
    *ret_order = order;
    return 0;
}

int failing_body_read(struct str text, struct failing_order *ret_order, struct str *ret_field,
                      struct err *err)
{
    struct field by = {.name = "by"};
    struct failing_order order = {.on = false};

    if (text.len > 0) {
        int rc = fields_read(text, &by, 1, ret_field, err);
        if (rc != 0) {
            return rc;
        }
        *ret_field = STR("by");
        if (by.token != JSON_END &&
            field_line(&by, order.by, sizeof(order.by), &order.by_len, err) != 0) {
            return ERR_INVALID;
        }
    }
    *ret_order = order;
    return 0;
}

static int read_slow(const struct field *list, struct watch_order *order, struct err *err)
{
    struct json_reader reader;
    uint64_t before = 0, us;
    unsigned n = 0;

    list_begin(list, &reader);
    for (struct field value = list_next(list, &reader); value.token != JSON_END;
         value = list_next(list, &reader)) {
        if (n == WATCH_SLOW_MAX) {
            return err_set(err, ERR_INVALID,
                           "slow_us has more than %u thresholds; at most %u are "
                           "right",
                           WATCH_SLOW_MAX, WATCH_SLOW_MAX);
        }
        if (field_u64(&value, 1, SLOW_MAX_US, &us, err) != 0) {
            return ERR_INVALID;
        }
        if (us <= before) {
            return err_set(err, ERR_INVALID,
                           "slow_us has %" PRIu64 " behind %" PRIu64
                           "; thresholds that rise are right",
                           us, before);
        }
        before = us;
        order->slow_us[n++] = (uint32_t) us;
    }
    return 0;
}

static int read_kinds(const struct field *list, struct watch_order *order, struct err *err)
{
    struct json_reader reader;

    list_begin(list, &reader);
    for (struct field value = list_next(list, &reader); value.token != JSON_END;
         value = list_next(list, &reader)) {
        const struct watch_kind *kind = watch_kinds;
        while (kind->name != NULL &&
               (value.token != JSON_STRING || !str_eq_cstr(value.value, kind->name))) {
            kind++;
        }
        if (kind->name == NULL) {
            return err_set(err, ERR_INVALID,
                           "kinds has \"%.*s\"; \"4xx\" and \"3xx\" are right, all others are "
                           "always on",
                           (int) (value.value.len < 40 ? value.value.len : 40), value.value.ptr);
        }
        order->kinds |= 1u << kind->kind;
    }
    return 0;
}

static int read_sample(const struct field *field, struct watch_order *order, struct err *err)
{
    uint64_t sample;

    if (field_u64(field, 0, WATCH_SAMPLE_MAX, &sample, err) != 0) {
        return ERR_INVALID;
    }
    if ((sample & (sample - 1)) != 0) {
        return err_set(err, ERR_INVALID,
                       "sample is %" PRIu64 "; 0 or a power of two up to %u is right", sample,
                       WATCH_SAMPLE_MAX);
    }
    order->sample = (uint32_t) sample;
    return 0;
}

static int read_hang(const struct field *field, struct watch_order *order, struct err *err)
{
    uint64_t hang_ms = 0;
    int rc = field_u64(field, 0, HANG_MAX_MS, &hang_ms, err);

    order->hang_ms = (uint32_t) hang_ms;
    return rc;
}

int watch_body_read(struct str text, struct watch_order *ret_order, struct str *ret_field,
                    struct err *err)
{
    enum { SLOW, HANG, SAMPLE, KINDS, FIELDS };
    static int (*const read[FIELDS])(const struct field *, struct watch_order *, struct err *) = {
        [SLOW] = read_slow, [HANG] = read_hang, [SAMPLE] = read_sample, [KINDS] = read_kinds};
    struct field field[FIELDS] = {[SLOW] = {.name = "slow_us", .list = true},
                                  [HANG] = {.name = "hang_ms"},
                                  [SAMPLE] = {.name = "sample"},
                                  [KINDS] = {.name = "kinds", .list = true}};
    struct watch_order order = {.has_slow = false};
    bool any = false;

    int rc = fields_read(text, field, FIELDS, ret_field, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        if (field[i].token == JSON_END) {
            continue;
        }
        *ret_field = str_of(field[i].name);
        if (read[i](&field[i], &order, err) != 0) {
            return ERR_INVALID;
        }
        any = true;
    }
    if (!any) {
        *ret_field = STR("slow_us");
        return err_set(err, ERR_INVALID,
                       "nothing to set; at least one of slow_us, hang_ms, sample and kinds is "
                       "right");
    }
    order.has_slow = field[SLOW].token != JSON_END;
    order.has_hang = field[HANG].token != JSON_END;
    order.has_sample = field[SAMPLE].token != JSON_END;
    order.has_kinds = field[KINDS].token != JSON_END;
    *ret_order = order;
    return 0;
}

struct maintenance_order maintenance_get_locked(const struct service *service)
{
    const struct maintenance *m = &service->maintenance;
    struct maintenance_order order = {.on = atomic_load(&m->on) != 0,
                                      .since_ms = m->since_ms,
                                      .by_len = m->by_len,
                                      .message_len = m->message_len};

    memcpy(order.by, m->by, m->by_len);
    memcpy(order.message, m->message, m->message_len);
    return order;
}

struct failing_order failing_get_locked(const struct zone *zone)
{
    const struct failing *failing = &zone->failing;
    struct failing_order order = {.on = atomic_load(&failing->on) != 0,
                                  .since_ms = failing->since_ms,
                                  .by_len = failing->by_len};

    memcpy(order.by, failing->by, failing->by_len);
    return order;
}

void maintenance_set_locked(struct zone *zone, struct service *service,
                            const struct maintenance_order *order)
{
    struct maintenance *m = &service->maintenance;

    m->since_ms = order->since_ms;
    m->by_len = (uint32_t) order->by_len;
    m->message_len = (uint32_t) order->message_len;
    memcpy(m->by, order->by, order->by_len);
    memcpy(m->message, order->message, order->message_len);
    atomic_store(&m->on, order->on);
    (void) zone_epoch_bump(zone);
}

void failing_set_locked(struct zone *zone, const struct failing_order *order)
{
    struct failing *failing = &zone->failing;

    failing->since_ms = order->since_ms;
    failing->by_len = (uint32_t) order->by_len;
    memcpy(failing->by, order->by, order->by_len);
    atomic_store(&failing->on, order->on);
    (void) zone_epoch_bump(zone);
}

void watch_set_locked(struct zone *zone, struct service *service, const struct watch_order *order)
{
    struct watch *watch = &service->watch;

    for (unsigned i = 0; order->has_slow && i < WATCH_SLOW_MAX; i++) {
        atomic_store(&watch->slow_us[i], order->slow_us[i]);
    }
    if (order->has_hang) {
        atomic_store(&watch->hang_ms, order->hang_ms);
    }
    if (order->has_sample) {
        atomic_store(&watch->sample, order->sample);
    }
    if (order->has_kinds) {
        atomic_store(&watch->kinds, order->kinds);
    }
    (void) zone_epoch_bump(zone);
}
