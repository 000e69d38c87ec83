/* Commands about one peer; see peer_command.h. */
#include "traffic/peer_command.h"

#include "traffic/peer_diff.h"

static struct str address_of(const struct peer *peer)
{
    return (struct str){peer->address, peer->address_len};
}

/* What an address is looked for among. */
enum among {
    AMONG_OWN,     /* peers and names that are there by themselves */
    AMONG_OF_NAME, /* addresses of names */
    AMONG_REMOVED, /* what nginx.conf has and a command removed; its track is nginx.conf's */
};

static bool fits(const struct zone *zone, const struct service *service, unsigned slot,
                 enum among among, int track)
{
    uint32_t meta = zone_peer_meta(zone, service, slot);
    const struct peer *peer = zone_peer(zone, service, slot);
    bool removed = META_STATE(meta) == PEER_REMOVED;
    enum track on = removed ? (enum track) peer->base_track : META_TRACK(meta);

    return META_STATE(meta) != PEER_FREE && (track < 0 || (enum track) track == on) &&
           removed == (among == AMONG_REMOVED) && (!removed || peer->in_config) &&
           (peer->parent != 0) == (among == AMONG_OF_NAME);
}

/* The first slot from `from` on with the address, -1: there is none. track -1: any. */
static int find_next(const struct zone *zone, const struct service *service, struct str address,
                     enum among among, int track, unsigned from)
{
    unsigned slots = atomic_load(&service->slots);

    for (unsigned slot = from; slot < slots; slot++) {
        if (fits(zone, service, slot, among, track) &&
            str_eq(address_of(zone_peer(zone, service, slot)), address)) {
            return (int) slot;
        }
    }
    return -1;
}

int peer_find(const struct zone *zone, const struct service *service, struct str address, int track,
              unsigned *ret_slot, struct err *err)
{
    int slot = find_next(zone, service, address, AMONG_OWN, track, 0);

    if (slot >= 0 &&
        find_next(zone, service, address, AMONG_OWN, track, (unsigned) slot + 1) >= 0) {
        return err_set(err, ERR_CONFLICT,
                       "both tracks have \"" STR_FMT "\"; ?track=stable or ?track=canary tells "
                       "which is meant",
                       STR_ARG(address));
    }
    if (slot < 0) {
        slot = find_next(zone, service, address, AMONG_OF_NAME, track, 0);
    }
    if (slot < 0) {
        return err_set(err, ERR_NOT_FOUND, "there is no peer \"%.*s\"%s%s in this service",
                       (int) (address.len < ZONE_ADDRESS_MAX ? address.len : ZONE_ADDRESS_MAX),
                       address.ptr, track < 0 ? "" : " on track ",
                       track < 0 ? "" : zone_track_name((enum track) track));
    }
    *ret_slot = (unsigned) slot;
    return 0;
}

static int refuse_of_a_name(const struct zone *zone, const struct service *service,
                            const struct peer *peer, struct err *err)
{
    const struct peer *name = zone_peer(zone, service, peer->parent - 1u);
    return err_set(err, ERR_CONFLICT,
                   "\"" STR_FMT "\" is an address of the name \"" STR_FMT
                   "\" and changes with it; right is peers/" STR_FMT,
                   STR_ARG(address_of(peer)), STR_ARG(address_of(name)), STR_ARG(address_of(name)));
}

/* May the peer in the slot (-1: a new one) be on that track? */
static int check_track(const struct zone *zone, const struct service *service, int slot,
                       struct str address, enum track track, const char **ret_field,
                       struct err *err)
{
    if (peer_diff_other(zone, service, address, track, slot) < 0) {
        return 0;
    }
    *ret_field = "track";
    return err_set(err, ERR_CONFLICT,
                   "track %s has \"" STR_FMT "\" already; a track has an address once",
                   zone_track_name(track), STR_ARG(address));
}

/* Name and data center of a slot are what they are. */
static int check_texts(const struct peer *peer, const struct peer_body *body,
                       const char **ret_field, struct err *err)
{
    struct str dc = {peer->dc, peer->dc_len}, name = {peer->name, peer->name_len};
    bool other_dc = body->has_dc && !str_eq(dc, (struct str){body->dc, body->dc_len});
    bool other_name = body->has_name && !str_eq(name, (struct str){body->name, body->name_len});

    if (!other_dc && !other_name) {
        return 0;
    }
    *ret_field = other_dc ? "dc" : "name";
    return err_set(err, ERR_CONFLICT, "%s of this peer is \"" STR_FMT "\"; %s", *ret_field,
                   STR_ARG(other_dc ? dc : name),
                   peer->in_config ? "change it in nginx.conf"
                                   : "for another one remove the peer and add it again");
}

/* now_ms until, by a limit of ms; 0 is none. */
static uint64_t until(uint64_t now_ms, uint64_t ms)
{
    return ms > 0 ? now_ms + ms : 0;
}

static struct peer_order order_of(const struct peer *peer, const struct peer_command *command)
{
    const struct peer_body *body = &command->body;
    struct peer_order order = {.has_state = body->has_state,
                               .has_track = body->has_track,
                               .has_weight = body->has_weight,
                               .state = body->state,
                               .track = body->track,
                               .weight = body->weight};

    if (body->has_state && body->state == PEER_DRAINING) {
        struct peer_drain *drain = &order.drain;
        bool goes_on = peer != NULL && peer->drain.since_ms != 0;
        drain->since_ms = goes_on ? peer->drain.since_ms : command->wall_ms;
        drain->requests_until_ms = until(command->wall_ms, body->requests_ms);
        drain->streams_until_ms = until(command->wall_ms, body->streams_ms);
        drain->by_len = (uint32_t) body->by_len;
        for (size_t i = 0; i < body->by_len; i++) {
            drain->by[i] = body->by[i];
        }
    }
    return order;
}

static int change(struct zone *zone, struct service *service, unsigned slot,
                  const struct peer_command *command, const char **ret_field, struct err *err)
{
    const struct peer *peer = zone_peer(zone, service, slot);
    struct peer_order order = order_of(peer, command);

    if (peer->parent != 0) {
        return refuse_of_a_name(zone, service, peer, err);
    }
    if (command->verb == PEER_DELETE) {
        order = (struct peer_order){.has_state = true, .state = PEER_REMOVED};
    }
    if (command->verb == PEER_PUT && command->body.has_state) {
        *ret_field = "state";
        return err_set(err, ERR_INVALID,
                       "the peer is there, and state is for a new one; PATCH changes it");
    }
    if (check_texts(peer, &command->body, ret_field, err) != 0 ||
        (order.has_track &&
         check_track(zone, service, (int) slot, command->text, order.track, ret_field, err) != 0)) {
        return ERR_CONFLICT;
    }
    zone_peer_order_locked(zone, service, slot, &order, command->mono_ms);
    return 0;
}

/* What nginx.conf has and a command removed comes back as nginx.conf says, but for what the body
 * says. */
static int bring_back(struct zone *zone, struct service *service, unsigned slot,
                      const struct peer_command *command, const char **ret_field, struct err *err)
{
    const struct peer *peer = zone_peer(zone, service, slot);
    struct peer_command whole = *command;
    struct peer_body *body = &whole.body;

    if (!body->has_state) {
        body->has_state = true;
        body->state = PEER_READY;
    }
    if (!body->has_track) {
        body->has_track = true;
        body->track = (enum track) peer->base_track;
    }
    if (!body->has_weight) {
        body->has_weight = true;
        body->weight = peer->base_weight;
    }
    if (check_texts(peer, body, ret_field, err) != 0 ||
        check_track(zone, service, (int) slot, command->text, body->track, ret_field, err) != 0) {
        return ERR_CONFLICT;
    }
    struct peer_order order = order_of(NULL, &whole);
    zone_peer_order_locked(zone, service, slot, &order, command->mono_ms);
    return 0;
}

/* Without room for the rows that processes may still make requests would find no peer at all. */
static bool has_room(const struct zone *zone, const struct service *service, uint32_t workers)
{
    uint64_t need = 0;

    if (zone_missing(zone, service, 1, workers) == zone_missing(zone, service, 0, workers)) {
        return true; /* a slot is free */
    }
    for (const struct service *s = zone_service_first(zone); s != NULL;
         s = zone_service_next(zone, s)) {
        need += zone_missing(zone, s, s == service, workers);
    }
    return need <= zone_free(zone);
}

static int add(struct zone *zone, struct service *service, const struct peer_command *command,
               unsigned *ret_slot, const char **ret_field, struct err *err)
{
    const struct peer_body *body = &command->body;
    struct peer_spec spec = {
        .address = command->text,
        .name = body->has_name ? (struct str){body->name, body->name_len} : command->text,
        .dc = {body->dc, body->dc_len},
        .sockaddr = &command->address.sa,
        .sockaddr_len = command->address.len,
        .track = body->has_track       ? body->track
                 : command->track >= 0 ? (enum track) command->track
                                       : TRACK_STABLE,
        .weight = body->has_weight ? body->weight : 1,
        .origin = ORIGIN_API,
        .state = !body->has_state               ? PEER_READY
                 : body->state == PEER_DRAINING ? PEER_DOWN
                                                : body->state,
        .checked = service->checked,
        .parent = -1,
    };
    struct peer_order order = order_of(NULL, command);

    if (service->kind == SERVICE_CUT) {
        return err_set(err, ERR_CONFLICT,
                       "the service is a pourover_cut: it has a split but no peers");
    }
    if (command->address.len == 0) {
        return err_set(
            err, ERR_INVALID,
            "\"%.*s\" is no address; right is an IP address with a port, or unix:PATH. A "
            "name would be resolved once only: \"pourover_server NAME resolve\" in "
            "nginx.conf does that better",
            (int) (command->text.len < ZONE_ADDRESS_MAX ? command->text.len : ZONE_ADDRESS_MAX),
            command->text.ptr);
    }
    if (check_track(zone, service, -1, command->text, spec.track, ret_field, err) != 0) {
        return ERR_CONFLICT;
    }
    zone_peers_sweep_locked(zone, service);
    if (!has_room(zone, service, command->workers)) {
        return err_set(err, ERR_FULL,
                       "no room for peer \"" STR_FMT "\": the zone has %llu bytes left, which the "
                       "counts of its processes need; a larger size= of pourover_zone is right",
                       STR_ARG(command->text), (unsigned long long) zone_free(zone));
    }
    int rc = zone_peer_add_locked(zone, service, &spec, command->mono_ms, ret_slot, err);
    if (rc == 0 && order.state == PEER_DRAINING) {
        zone_peer_order_locked(zone, service, *ret_slot, &order, command->mono_ms);
    }
    return rc;
}

static int put(struct zone *zone, struct service *service, const struct peer_command *command,
               unsigned *ret_slot, const char **ret_field, struct err *err)
{
    const struct peer_body *body = &command->body;
    int track = command->track >= 0 ? command->track : body->has_track ? (int) body->track : -1;
    int removed = find_next(zone, service, command->text, AMONG_REMOVED, track, 0);

    if (removed < 0) {
        return add(zone, service, command, ret_slot, ret_field, err);
    }
    *ret_slot = (unsigned) removed;
    return bring_back(zone, service, *ret_slot, command, ret_field, err);
}

int peer_command_locked(struct zone *zone, struct service *service,
                        const struct peer_command *command, unsigned *ret_slot,
                        const char **ret_field, struct err *err)
{
    unsigned slot = 0;

    *ret_field = "";
    int rc = peer_find(zone, service, command->text, command->track, &slot, err);
    if (rc == 0) {
        rc = change(zone, service, slot, command, ret_field, err);
    } else if (rc == ERR_NOT_FOUND && command->verb == PEER_PUT) {
        rc = put(zone, service, command, &slot, ret_field, err);
    }
    if (rc != 0) {
        return rc;
    }
    service->control_revision++;
    (void) zone_epoch_bump(zone);
    *ret_slot = slot;
    return 0;
}
