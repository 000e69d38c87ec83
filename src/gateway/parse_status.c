/* The status of a router and the statistics of a service. */
#include "gateway/parse_int.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"

#include <string.h>

static int read_services(const json_t *root, struct router_services *ret, struct err *err)
{
    const json_t *services = json_object_get(root, "services");
    size_t n = json_array_size(services);
    if (!json_is_array(services) || n > ROUTER_SERVICES_MAX) {
        return parse_wrong(err, "", "services", "an array of at most 64 names");
    }
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = parse_copy(json_array_get(services, i), "", "services[]", ret->name[i], ROUTER_NAME_MAX,
                       err);
    }
    ret->len = n;
    return r;
}

static int read_state_file(const json_t *root, struct router_status *s, struct err *err)
{
    const json_t *state = json_object_get(root, "state");
    if (json_is_null(state)) {
        return 0;
    }
    int r = parse_obj(root, "", "state", &state, err);
    r = r != 0 ? r : parse_bool(state, "state", "saved", &s->saved, err);
    s->has_state_file = true;
    return r != 0 ? r
                  : parse_text(state, "state", "error", s->state_error, sizeof s->state_error, err);
}

static int read_failing(const json_t *root, struct router_status *s, struct err *err)
{
    static const char where[] = "healthcheck";
    struct router_failing *f = &s->failing;
    const json_t *check = NULL;
    s->has_healthcheck = json_object_get(root, where) != NULL;
    if (!s->has_healthcheck) {
        return 0;
    }
    int r = parse_obj(root, "", where, &check, err);
    r = r != 0 ? r : parse_bool(check, where, "failing", &f->failing, err);
    r = r != 0 ? r : parse_shown(check, where, "by", f->by, sizeof f->by, err);
    r = r != 0 ? r : parse_u64(check, where, "since_ms", INT64_MAX, &f->since_ms, err);
    return r != 0 ? r
                  : parse_text(check, where, "flag_file", f->flag_file, sizeof f->flag_file, err);
}

static int read_checker(const json_t *root, struct router_status *s, struct err *err)
{
    static const char where[] = "checker";
    struct router_checker *c = &s->checker;
    const json_t *checker = NULL;
    s->has_checker = json_object_get(root, where) != NULL;
    if (!s->has_checker) {
        return 0;
    }
    int r = parse_obj(root, "", where, &checker, err);
    r = r != 0 ? r : parse_u64(checker, where, "pid", INT64_MAX, &c->pid, err);
    r = r != 0 ? r : parse_u64(checker, where, "checks", INT64_MAX, &c->checks, err);
    return r != 0 ? r : parse_u64(checker, where, "late", INT64_MAX, &c->late, err);
}

int router_parse_status(struct str json, struct router_status *ret, struct err *err)
{
    _cleanup_(parse_release) json_t *root = NULL;
    struct router_status s = {.saved = true};
    int r = parse_load(json, &root, err);
    r = r != 0 ? r : parse_text(root, "", "pourover", s.version, sizeof s.version, err);
    r = r != 0 ? r : parse_text(root, "", "nginx", s.nginx, sizeof s.nginx, err);
    r = r != 0 ? r : parse_text(root, "", "instance", s.instance, sizeof s.instance, err);
    r = r != 0 ? r : parse_text(root, "", "restored", s.restored, sizeof s.restored, err);
    r = r != 0 ? r
               : parse_text(root, "", "restored_reason", s.restored_reason,
                            sizeof s.restored_reason, err);
    r = r != 0 ? r : parse_bool(root, "", "upgrading", &s.upgrading, err);
    r = r != 0 ? r : read_services(root, &s.services, err);
    r = r != 0 ? r : parse_u64_maybe(root, "", "now_ms", INT64_MAX, &s.now_ms, err);
    r = r != 0 ? r : read_state_file(root, &s, err);
    r = r != 0 ? r : read_failing(root, &s, err);
    r = r != 0 ? r : read_checker(root, &s, err);
    if (r == 0) {
        *ret = s;
    }
    return r;
}

/* gRPC statuses that are the server's fault, and an answer that has none. */
static bool is_grpc_fault(const char *status)
{
    static const char *const fault[] = {"2", "4", "12", "13", "14", "15", "missing"};
    for (size_t i = 0; i < sizeof fault / sizeof fault[0]; i++) {
        if (strcmp(status, fault[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_http_fault(const char *status)
{
    return status[0] == '5' && strlen(status) == 3;
}

/* Adds the counts of the keys that are faults. */
static int add_faults(const json_t *track, const char *key, bool (*is_fault)(const char *),
                      uint64_t *sum, struct err *err)
{
    const json_t *counts = NULL;
    int r = parse_obj(track, "tracks", key, &counts, err);
    if (r != 0) {
        return r;
    }
    for (void *it = json_object_iter((json_t *) (uintptr_t) counts); it != NULL;
         it = json_object_iter_next((json_t *) (uintptr_t) counts, it)) {
        const char *status = json_object_iter_key(it);
        uint64_t n = 0;
        r = parse_u64(counts, key, status, INT64_MAX, &n, err);
        if (r != 0) {
            return r;
        }
        *sum += is_fault(status) ? n : 0;
    }
    return 0;
}

static int read_histogram(const json_t *track, struct hist *h, struct err *err)
{
    const json_t *time = NULL, *buckets = NULL;
    int r = parse_obj(track, "tracks", "header_time", &time, err);
    if (r != 0) {
        return r;
    }
    buckets = json_object_get(time, "buckets");
    if (!json_is_array(buckets)) {
        return parse_wrong(err, "header_time", "buckets", "an array");
    }
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *pair = json_array_get(buckets, i);
        const json_t *index = json_array_get(pair, 0), *count = json_array_get(pair, 1);
        if (!json_is_integer(index) || !json_is_integer(count) || json_integer_value(index) < 0 ||
            json_integer_value(index) >= HIST_BUCKETS || json_integer_value(count) < 0) {
            return parse_wrong(err, "header_time", "buckets",
                               "an array of [index below 896, count]");
        }
        atomic_store_explicit(&h->count[json_integer_value(index)],
                              (uint64_t) json_integer_value(count), memory_order_relaxed);
    }
    return 0;
}

static int read_counts(const json_t *tracks, enum track track, struct router_counts *c,
                       struct err *err)
{
    const json_t *obj = NULL, *reasons = NULL;
    const char *name = track_name[track];
    int r = parse_obj(tracks, "tracks", name, &obj, err);
    r = r != 0 ? r : parse_u64(obj, name, "requests", INT64_MAX, &c->requests, err);
    r = r != 0 ? r : parse_u64(obj, name, "crossed", INT64_MAX, &c->crossed, err);
    r = r != 0 ? r : parse_u64(obj, name, "first_failed", INT64_MAX, &c->first_failed, err);
    r = r != 0 ? r : parse_u64(obj, name, "retries", INT64_MAX, &c->retries, err);
    r = r != 0 ? r : parse_u64_maybe(obj, name, "panic", INT64_MAX, &c->panic, err);
    r = r != 0 ? r : parse_u64_maybe(obj, name, "other_track", INT64_MAX, &c->other_track, err);
    r = r != 0 ? r : parse_u64_maybe(obj, name, "maintenance", INT64_MAX, &c->maintenance, err);
    r = r != 0 ? r : parse_u64_maybe(obj, name, "cut", INT64_MAX, &c->cut, err);
    r = r != 0 ? r : parse_obj(obj, name, "reasons", &reasons, err);
    r = r != 0 ? r : parse_u64(reasons, "reasons", "split", INT64_MAX, &c->split, err);
    r = r != 0 ? r : add_faults(obj, "statuses", is_http_fault, &c->errors, err);
    r = r != 0 ? r : add_faults(obj, "grpc_statuses", is_grpc_fault, &c->errors, err);
    return r != 0 ? r : read_histogram(obj, c->time, err);
}

static int read_units(const json_t *root, struct router_stats *s, struct err *err)
{
    static const char where[] = "units[]";
    const json_t *units = NULL;
    size_t n = 0;
    int r = parse_array_maybe(root, "", "units", ROUTER_UNITS_MAX, &units, &n, err);
    if (r == 0 && n > 0) {
        r = parse_double(root, "", "units_error", &s->units_error, err);
    }
    for (size_t i = 0; i < n && r == 0; i++) {
        const json_t *obj = json_array_get(units, i);
        struct router_units *u = &s->units[i];
        uint64_t share = 0;
        r = parse_u64(obj, where, "revision", INT64_MAX, &u->revision, err);
        r = r != 0 ? r : parse_u64(obj, where, "share_ppm", NUM_PPM_MAX, &share, err);
        r = r != 0 ? r : parse_u64(obj, where, "since_ms", INT64_MAX, &u->since_ms, err);
        for (int k = 0; k < TRACKS && r == 0; k++) {
            r = parse_u64(obj, where, track_name[k], INT64_MAX, &u->count[k], err);
        }
        u->share_ppm = (uint32_t) share;
    }
    s->nunits = n;
    return r;
}

int router_parse_stats(struct str json, struct router_stats *ret, struct err *err)
{
    _cleanup_(parse_release) json_t *root = NULL;
    const json_t *tracks = NULL;
    struct router_stats s = {0};
    int r = parse_load(json, &root, err);
    r = r != 0 ? r : parse_text(root, "", "instance", s.instance, sizeof s.instance, err);
    r = r != 0 ? r : parse_u64(root, "", "since_ms", INT64_MAX, &s.since_ms, err);
    r = r != 0 ? r : parse_split(root, &s.split, err);
    r = r != 0 ? r : read_units(root, &s, err);
    r = r != 0 ? r : parse_obj(root, "", "tracks", &tracks, err);
    for (int i = 0; i < TRACKS && r == 0; i++) {
        s.track[i].time = mem_zalloc(sizeof *s.track[i].time);
        r = read_counts(tracks, (enum track) i, &s.track[i], err);
    }
    if (r != 0) {
        router_stats_done(&s);
        return r;
    }
    *ret = s;
    return 0;
}

void router_stats_done(struct router_stats *s)
{
    for (int i = 0; i < TRACKS; i++) {
        mem_free(s->track[i].time);
        s->track[i].time = NULL;
    }
}

bool router_parse_flag_left(struct str json)
{
    _cleanup_(parse_release) json_t *root = NULL;
    struct err unused = {0};
    return parse_load(json, &root, &unused) == 0 &&
           json_is_true(json_object_get(root, "flag_file_left"));
}
