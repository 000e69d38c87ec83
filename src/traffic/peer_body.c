/* Bodies about a peer; see peer_command.h. */
#include "traffic/fields_int.h"
#include "traffic/peer_command.h"

enum { TRACK, WEIGHT, STATE, DC, NAME, BY, REQUESTS, STREAMS, FIELDS };

static int read_track(const struct field *field, enum track *ret, struct err *err)
{
    char text[16];
    struct str track;

    if (field_text(field, text, sizeof(text), &track, err) != 0) {
        return ERR_INVALID;
    }
    if (!str_eq_cstr(track, "stable") && !str_eq_cstr(track, "canary")) {
        return err_set(err, ERR_INVALID, "track is \"" STR_FMT "\"; stable or canary is right",
                       STR_ARG(track));
    }
    *ret = str_eq_cstr(track, "canary") ? TRACK_CANARY : TRACK_STABLE;
    return 0;
}

static int read_state(const struct field *field, enum peer_state *ret, struct err *err)
{
    char text[16];
    struct str state;

    if (field_text(field, text, sizeof(text), &state, err) != 0) {
        return ERR_INVALID;
    }
    for (enum peer_state s = PEER_READY; s <= PEER_DOWN; s++) {
        if (str_eq_cstr(state, zone_peer_state_name(s))) {
            *ret = s;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "state is \"" STR_FMT "\"; ready, draining or down is right",
                   STR_ARG(state));
}

static int read_weight(const struct field *field, uint32_t *ret, struct err *err)
{
    uint64_t weight = 0;
    int rc = field_u64(field, 1, ZONE_WEIGHT_MAX, &weight, err);

    *ret = (uint32_t) weight;
    return rc;
}

static int read_one(const struct field *field, int which, struct peer_body *body, struct err *err)
{
    switch (which) {
    case TRACK:
        body->has_track = true;
        return read_track(field, &body->track, err);
    case WEIGHT:
        body->has_weight = true;
        return read_weight(field, &body->weight, err);
    case STATE:
        body->has_state = true;
        return read_state(field, &body->state, err);
    case DC:
        body->has_dc = true;
        return field_line(field, body->dc, sizeof(body->dc), &body->dc_len, err);
    case NAME:
        body->has_name = true;
        return field_line(field, body->name, sizeof(body->name), &body->name_len, err);
    case BY:
        body->has_by = true;
        return field_line(field, body->by, sizeof(body->by), &body->by_len, err);
    case REQUESTS:
        body->has_requests = true;
        return field_u64(field, 0, PEER_LIMIT_MAX_MS, &body->requests_ms, err);
    default:
        body->has_streams = true;
        return field_u64(field, 0, PEER_LIMIT_MAX_MS, &body->streams_ms, err);
    }
}

/* What the members say together. */
static int check(enum peer_verb verb, const struct peer_body *body, struct str *ret_field,
                 struct err *err)
{
    bool drain = body->has_by || body->has_requests || body->has_streams;

    if (verb == PEER_PATCH && !body->has_state && !body->has_weight && !body->has_track) {
        *ret_field = STR("state");
        return err_set(err, ERR_INVALID,
                       "nothing to change; at least one of state, weight and track is right");
    }
    if (drain && (!body->has_state || body->state != PEER_DRAINING)) {
        *ret_field = body->has_by         ? STR("by")
                     : body->has_requests ? STR("requests_ms")
                                          : STR("streams_ms");
        return err_set(err, ERR_INVALID,
                       STR_FMT " is of a drain; it goes with \"state\":\"draining\" only",
                       STR_ARG(*ret_field));
    }
    return 0;
}

int peer_body_read(struct str text, enum peer_verb verb, struct peer_body *ret_body,
                   struct str *ret_field, struct err *err)
{
    static const int put[] = {TRACK, WEIGHT, STATE, DC, NAME};
    static const int patch[] = {STATE, WEIGHT, TRACK, BY, REQUESTS, STREAMS};
    static const char *const names[FIELDS] = {[TRACK] = "track",
                                              [WEIGHT] = "weight",
                                              [STATE] = "state",
                                              [DC] = "dc",
                                              [NAME] = "name",
                                              [BY] = "by",
                                              [REQUESTS] = "requests_ms",
                                              [STREAMS] = "streams_ms"};
    const int *which = verb == PEER_PUT ? put : patch;
    size_t n = verb == PEER_PUT ? sizeof(put) / sizeof(put[0]) : sizeof(patch) / sizeof(patch[0]);
    struct field field[FIELDS] = {{.name = NULL}};
    struct peer_body body = {.has_track = false};

    for (size_t i = 0; i < n; i++) {
        field[i].name = names[which[i]];
    }
    int rc = fields_read(text, field, n, ret_field, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (field[i].token != JSON_END && read_one(&field[i], which[i], &body, err) != 0) {
            *ret_field = str_of(field[i].name);
            return ERR_INVALID;
        }
    }
    if (check(verb, &body, ret_field, err) != 0) {
        return ERR_INVALID;
    }
    *ret_body = body;
    return 0;
}
