/* A page of events. */
#include "gateway/events.h"
#include "gateway/parse_int.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"

#include <string.h>

const char *const events_kind[] = {
    "app",         "grpc",         "connect",  "reset", "timeout",  "hang", "truncated",
    "client-gone", "client-error", "redirect", "slow",  "exposure", NULL,
};

/* A status, or -1 for none. */
static int read_i64(const json_t *obj, const char *key, int64_t *ret, struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    if (!json_is_integer(value) || json_integer_value(value) < -1) {
        return parse_wrong(err, "events[]", key, "an integer from -1 on");
    }
    *ret = json_integer_value(value);
    return 0;
}

static int read_outcome(const json_t *obj, struct router_event *e, struct err *err)
{
    static const char where[] = "events[]";
    int r = read_i64(obj, "status", &e->status, err);
    r = r != 0 ? r : read_i64(obj, "grpc", &e->grpc, err);
    r = r != 0 ? r : read_i64(obj, "final_status", &e->final_status, err);
    r = r != 0 ? r : parse_u64(obj, where, "nth", INT64_MAX, &e->nth, err);
    r = r != 0 ? r : parse_u64(obj, where, "took_us", INT64_MAX, &e->took_us, err);
    r = r != 0 ? r : parse_shown(obj, where, "peer", e->peer, sizeof e->peer, err);
    return r != 0 ? r : parse_shown(obj, where, "route", e->route, sizeof e->route, err);
}

static int read_event(const json_t *obj, struct router_event *e, struct err *err)
{
    static const char where[] = "events[]";
    uint64_t share = 0;
    int r = parse_u64(obj, where, "seq", INT64_MAX, &e->seq, err);
    r = r != 0 ? r : parse_double(obj, where, "start_ms", &e->start_ms, err);
    r = r != 0 ? r : parse_text(obj, where, "kind", e->kind, sizeof e->kind, err);
    r = r != 0 ? r : parse_text(obj, where, "assigned", e->assigned, sizeof e->assigned, err);
    r = r != 0 ? r : parse_text(obj, where, "served", e->served, sizeof e->served, err);
    r = r != 0 ? r : parse_text(obj, where, "reason", e->reason, sizeof e->reason, err);
    if (r == 0 && !json_is_null(json_object_get(obj, "unit"))) {
        r = parse_text(obj, where, "unit", e->unit, sizeof e->unit, err);
    }
    r = r != 0 ? r : parse_u64(obj, where, "revision", INT64_MAX, &e->revision, err);
    r = r != 0 ? r : parse_u64(obj, where, "share_ppm", NUM_PPM_MAX, &share, err);
    e->share_ppm = (uint32_t) share;
    return r != 0 ? r : read_outcome(obj, e, err);
}

static int read_lost(const json_t *root, struct router_events *e, struct err *err)
{
    const json_t *lost = json_object_get(root, "lost");
    if (json_is_null(lost)) {
        return 0;
    }
    int r = parse_obj(root, "", "lost", &lost, err);
    e->has_lost = true;
    for (int i = 0; i < TRACKS && r == 0; i++) {
        if (json_is_null(json_object_get(lost, track_name[i]))) {
            e->has_lost = false;
        } else {
            r = parse_u64(lost, "lost", track_name[i], INT64_MAX, &e->lost[i], err);
        }
    }
    return r;
}

static int read_watch(const json_t *root, struct router_watch *w, struct err *err)
{
    static const char where[] = "watch";
    const json_t *watch = NULL, *slow = NULL, *kinds = NULL;
    size_t nkinds = 0;
    int r = parse_obj(root, "", where, &watch, err);
    r = r != 0 ? r : parse_u64(watch, where, "hang_ms", INT64_MAX, &w->hang_ms, err);
    r = r != 0 ? r : parse_u64(watch, where, "sample", INT64_MAX, &w->sample, err);
    r = r != 0 ? r
               : parse_array_maybe(watch, where, "slow_us", EVENTS_SLOW_MAX, &slow, &w->nslow, err);
    for (size_t i = 0; i < w->nslow && r == 0; i++) {
        const json_t *us = json_array_get(slow, i);
        if (!json_is_integer(us) || json_integer_value(us) < 0) {
            return parse_wrong(err, where, "slow_us[]", "an integer");
        }
        w->slow_us[i] = (uint64_t) json_integer_value(us);
    }
    r = r != 0 ? r : parse_array_maybe(watch, where, "kinds", 64, &kinds, &nkinds, err);
    for (size_t i = 0; i < nkinds && r == 0; i++) {
        char kind[24];
        r = parse_copy(json_array_get(kinds, i), where, "kinds[]", kind, sizeof kind, err);
        w->client_errors = w->client_errors || (r == 0 && strcmp(kind, "4xx") == 0);
        w->redirects = w->redirects || (r == 0 && strcmp(kind, "3xx") == 0);
    }
    return r;
}

int router_parse_events(struct str json, struct router_events *ret, struct err *err)
{
    _cleanup_(parse_release) json_t *root = NULL;
    const json_t *list = NULL;
    struct router_events e = {0};
    size_t n = 0;
    int r = parse_load(json, &root, err);
    r = r != 0 ? r : parse_text(root, "", "instance", e.instance, sizeof e.instance, err);
    r = r != 0 ? r : parse_text(root, "", "next", e.next, sizeof e.next, err);
    if (r == 0 && strspn(e.next, "0123456789.") != strlen(e.next)) {
        r = parse_wrong(err, "", "next", "a cursor of digits and dots");
    }
    r = r != 0 ? r : parse_u64(root, "", "appended", INT64_MAX, &e.appended, err);
    r = r != 0 ? r : parse_u64(root, "", "capacity", INT64_MAX, &e.capacity, err);
    r = r != 0 ? r : read_lost(root, &e, err);
    r = r != 0 ? r : read_watch(root, &e.watch, err);
    r = r != 0 ? r : parse_array_maybe(root, "", "events", EVENTS_PAGE, &list, &n, err);
    e.event = r == 0 ? mem_array(n + 1, sizeof *e.event) : NULL;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = read_event(json_array_get(list, i), &e.event[i], err);
    }
    e.len = n;
    if (r != 0) {
        router_events_done(&e);
        return r;
    }
    *ret = e;
    return 0;
}

void router_events_done(struct router_events *e)
{
    mem_free(e->event);
    e->event = NULL;
    e->len = 0;
}
