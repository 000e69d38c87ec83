/* Answers of a router as types.  jansson reads, the readers here check each member they take. */
#include "gateway/router.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "traffic/cut.h"

#include <jansson.h>
#include <string.h>

/* What is most likely wrong when something else answers. */
#define WRONG_URL "is the router's URL the location of pourover_api?"

const char *const track_name[TRACKS] = {"stable", "canary"};

static void release_json(json_t **json)
{
    json_decref(*json);
}

static int load(struct str text, json_t **ret, struct err *err)
{
    json_error_t at;
    json_t *root =
        json_loadb(text.ptr != NULL ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &at);
    if (root == NULL) {
        return err_set(err, ERR_REMOTE,
                       "the answer is not JSON: %s at line %d, column %d: " WRONG_URL, at.text,
                       at.line, at.column);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(err, ERR_REMOTE, "the answer is not a JSON object");
    }
    *ret = root;
    return 0;
}

static int wrong(struct err *err, const char *where, const char *key, const char *right)
{
    return err_set(err, ERR_REMOTE, "the answer's %s%s%s is not %s", where,
                   where[0] != '\0' ? "." : "", key, right);
}

/* The member as an object. */
static int get_obj(const json_t *obj, const char *where, const char *key, const json_t **ret,
                   struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    if (!json_is_object(value)) {
        return wrong(err, where, key, "an object");
    }
    *ret = value;
    return 0;
}

static int get_u64(const json_t *obj, const char *where, const char *key, uint64_t max,
                   uint64_t *ret, struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || (uint64_t) n > max) {
        char right[64];
        struct buf b;
        buf_init_fixed(&b, right, sizeof right);
        buf_addf(&b, "an integer from 0 to %llu", (unsigned long long) max);
        return wrong(err, where, key, right);
    }
    *ret = (uint64_t) n;
    return 0;
}

static int get_bool(const json_t *obj, const char *where, const char *key, bool *ret,
                    struct err *err)
{
    const json_t *value = json_object_get(obj, key);
    if (!json_is_boolean(value)) {
        return wrong(err, where, key, "true or false");
    }
    *ret = json_is_true(value);
    return 0;
}

/* A string of printable characters that fits into size bytes with its NUL. */
static int copy_text(const json_t *value, const char *where, const char *key, char *out,
                     size_t size, struct err *err)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    bool printable = text != NULL;
    for (size_t i = 0; i < len && printable; i++) {
        printable = (unsigned char) text[i] >= 0x20 && text[i] != 0x7f;
    }
    if (!printable || len >= size) {
        char right[64];
        struct buf b;
        buf_init_fixed(&b, right, sizeof right);
        buf_addf(&b, "a printable string of at most %zu bytes", size - 1);
        return wrong(err, where, key, right);
    }
    memcpy(out, text, len + 1);
    return 0;
}

static int get_text(const json_t *obj, const char *where, const char *key, char *out, size_t size,
                    struct err *err)
{
    return copy_text(json_object_get(obj, key), where, key, out, size, err);
}

static int read_split(const json_t *obj, struct router_split *ret, struct err *err)
{
    const json_t *split = NULL;
    struct router_split s = {0};
    uint64_t share = 0;
    int r = get_obj(obj, "", "split", &split, err);
    r = r != 0 ? r : get_u64(split, "split", "share_ppm", NUM_PPM_MAX, &share, err);
    r = r != 0 ? r : get_text(split, "split", "salt", s.salt, sizeof s.salt, err);
    r = r != 0 ? r : get_bool(split, "split", "enabled", &s.enabled, err);
    r = r != 0 ? r : get_u64(split, "split", "revision", INT64_MAX, &s.revision, err);
    if (r == 0 && !cut_salt_valid(str_of(s.salt))) {
        r = wrong(err, "split", "salt", "1 to 64 characters of A-Z a-z 0-9 . _ -");
    }
    if (r == 0) {
        s.share_ppm = (uint32_t) share;
        *ret = s;
    }
    return r;
}

static int read_tracks(const json_t *obj, struct router_track *ret, struct err *err)
{
    const json_t *tracks = NULL;
    int r = get_obj(obj, "", "tracks", &tracks, err);
    for (int i = 0; i < TRACKS && r == 0; i++) {
        const json_t *track = NULL;
        r = get_obj(tracks, "tracks", track_name[i], &track, err);
        r = r != 0 ? r : get_u64(track, "tracks", "peers", INT64_MAX, &ret[i].peers, err);
        r = r != 0 ? r : get_u64(track, "tracks", "live", INT64_MAX, &ret[i].live, err);
        r = r != 0 ? r : get_u64(track, "tracks", "in_flight", INT64_MAX, &ret[i].in_flight, err);
    }
    return r;
}

static int read_peer(const json_t *obj, struct router_peer *ret, struct err *err)
{
    char name[16] = "";
    int r = get_text(obj, "peers[]", "address", ret->address, sizeof ret->address, err);
    r = r != 0 ? r : get_text(obj, "peers[]", "track", name, sizeof name, err);
    if (r == 0 && strcmp(name, "stable") != 0 && strcmp(name, "canary") != 0) {
        r = wrong(err, "peers[]", "track", "stable or canary");
    }
    if (r == 0) {
        ret->track = strcmp(name, "canary") == 0 ? TRACK_CANARY : TRACK_STABLE;
    }
    return r;
}

static int read_peers(const json_t *obj, struct router_service *s, struct err *err)
{
    const json_t *peers = json_object_get(obj, "peers");
    if (peers == NULL) {
        return 0; /* the list of services has none, nor has a cut */
    }
    size_t n = json_array_size(peers);
    if (!json_is_array(peers) || n > ROUTER_PEERS_MAX) {
        return wrong(err, "", "peers", "an array of at most 1024 peers");
    }
    s->peer = mem_array(n + 1, sizeof *s->peer);
    s->npeers = n;
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = read_peer(json_array_get(peers, i), &s->peer[i], err);
    }
    return r;
}

int router_parse_service(struct str json, struct router_service *ret, struct err *err)
{
    _cleanup_(release_json) json_t *root = NULL;
    struct router_service s = {0};
    char kind[16] = "";
    int r = load(json, &root, err);
    r = r != 0 ? r : get_text(root, "", "name", s.name, sizeof s.name, err);
    r = r != 0 ? r : get_text(root, "", "kind", kind, sizeof kind, err);
    r = r != 0 ? r : get_text(root, "", "restored", s.restored, sizeof s.restored, err);
    r = r != 0 ? r : read_split(root, &s.split, err);
    r = r != 0 ? r : read_tracks(root, s.track, err);
    r = r != 0 ? r : read_peers(root, &s, err);
    if (r != 0) {
        router_service_done(&s);
        return r;
    }
    s.is_cut = strcmp(kind, "cut") == 0;
    *ret = s;
    return 0;
}

void router_service_done(struct router_service *s)
{
    mem_free(s->peer);
    s->peer = NULL;
    s->npeers = 0;
}

static int read_services(const json_t *root, struct router_services *ret, struct err *err)
{
    const json_t *services = json_object_get(root, "services");
    size_t n = json_array_size(services);
    if (!json_is_array(services) || n > ROUTER_SERVICES_MAX) {
        return wrong(err, "", "services", "an array of at most 64 names");
    }
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = copy_text(json_array_get(services, i), "", "services[]", ret->name[i], ROUTER_NAME_MAX,
                      err);
    }
    ret->len = n;
    return r;
}

int router_parse_status(struct str json, struct router_status *ret, struct err *err)
{
    _cleanup_(release_json) json_t *root = NULL;
    struct router_status s = {.saved = true};
    int r = load(json, &root, err);
    r = r != 0 ? r : get_text(root, "", "pourover", s.version, sizeof s.version, err);
    r = r != 0 ? r : get_text(root, "", "nginx", s.nginx, sizeof s.nginx, err);
    r = r != 0 ? r : get_text(root, "", "instance", s.instance, sizeof s.instance, err);
    r = r != 0 ? r : get_text(root, "", "restored", s.restored, sizeof s.restored, err);
    r = r != 0 ? r
               : get_text(root, "", "restored_reason", s.restored_reason, sizeof s.restored_reason,
                          err);
    r = r != 0 ? r : get_bool(root, "", "upgrading", &s.upgrading, err);
    r = r != 0 ? r : read_services(root, &s.services, err);
    const json_t *state = r == 0 ? json_object_get(root, "state") : NULL;
    if (json_is_object(state)) {
        s.has_state_file = true;
        r = get_bool(state, "state", "saved", &s.saved, err);
        r = r != 0 ? r
                   : get_text(state, "state", "error", s.state_error, sizeof s.state_error, err);
    } else if (r == 0 && !json_is_null(state)) {
        r = wrong(err, "", "state", "an object or null");
    }
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
    int r = get_obj(track, "tracks", key, &counts, err);
    if (r != 0) {
        return r;
    }
    for (void *it = json_object_iter((json_t *) (uintptr_t) counts); it != NULL;
         it = json_object_iter_next((json_t *) (uintptr_t) counts, it)) {
        const char *status = json_object_iter_key(it);
        uint64_t n = 0;
        r = get_u64(counts, key, status, INT64_MAX, &n, err);
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
    int r = get_obj(track, "tracks", "header_time", &time, err);
    if (r != 0) {
        return r;
    }
    buckets = json_object_get(time, "buckets");
    if (!json_is_array(buckets)) {
        return wrong(err, "header_time", "buckets", "an array");
    }
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *pair = json_array_get(buckets, i);
        const json_t *index = json_array_get(pair, 0), *count = json_array_get(pair, 1);
        if (!json_is_integer(index) || !json_is_integer(count) || json_integer_value(index) < 0 ||
            json_integer_value(index) >= HIST_BUCKETS || json_integer_value(count) < 0) {
            return wrong(err, "header_time", "buckets", "an array of [index below 896, count]");
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
    int r = get_obj(tracks, "tracks", name, &obj, err);
    r = r != 0 ? r : get_u64(obj, name, "requests", INT64_MAX, &c->requests, err);
    r = r != 0 ? r : get_u64(obj, name, "crossed", INT64_MAX, &c->crossed, err);
    r = r != 0 ? r : get_u64(obj, name, "first_failed", INT64_MAX, &c->first_failed, err);
    r = r != 0 ? r : get_u64(obj, name, "retries", INT64_MAX, &c->retries, err);
    r = r != 0 ? r : get_obj(obj, name, "reasons", &reasons, err);
    r = r != 0 ? r : get_u64(reasons, "reasons", "split", INT64_MAX, &c->split, err);
    r = r != 0 ? r : add_faults(obj, "statuses", is_http_fault, &c->errors, err);
    r = r != 0 ? r : add_faults(obj, "grpc_statuses", is_grpc_fault, &c->errors, err);
    return r != 0 ? r : read_histogram(obj, c->time, err);
}

int router_parse_stats(struct str json, struct router_stats *ret, struct err *err)
{
    _cleanup_(release_json) json_t *root = NULL;
    const json_t *tracks = NULL;
    struct router_stats s = {0};
    int r = load(json, &root, err);
    r = r != 0 ? r : get_text(root, "", "instance", s.instance, sizeof s.instance, err);
    r = r != 0 ? r : get_u64(root, "", "since_ms", INT64_MAX, &s.since_ms, err);
    r = r != 0 ? r : read_split(root, &s.split, err);
    r = r != 0 ? r : get_obj(root, "", "tracks", &tracks, err);
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

int router_parse_token(struct str json, struct router_token *ret, struct err *err)
{
    _cleanup_(release_json) json_t *root = NULL;
    struct router_token t = {0};
    int r = load(json, &root, err);
    r = r != 0 ? r : get_text(root, "", "header", t.header, sizeof t.header, err);
    r = r != 0 ? r : get_text(root, "", "token", t.token, sizeof t.token, err);
    if (r == 0) {
        *ret = t;
    }
    return r;
}

void router_parse_error(long status, struct str body, struct err *ret_err)
{
    _cleanup_(release_json) json_t *root = NULL;
    enum err_code code = ERR_REMOTE;
    char text[ROUTER_TEXT_MAX] = "";
    if (status == 404) {
        code = ERR_NOT_FOUND;
    } else if (status == 409) {
        code = ERR_CONFLICT;
    } else if (status == 401 || status == 403) {
        code = ERR_DENIED;
    } else if (status == 507) {
        code = ERR_IO;
    }
    struct err unused = {0};
    if (load(body, &root, &unused) == 0 && get_text(json_object_get(root, "error"), "error",
                                                    "message", text, sizeof text, &unused) == 0) {
        (void) err_set(ret_err, code, "%s (HTTP %ld)", text, status);
    } else {
        (void) err_set(ret_err, code, "HTTP %ld, and not an answer of pourover's API: " WRONG_URL,
                       status);
    }
}
