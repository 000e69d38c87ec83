/* Peers as commands call them; see peers.h. */
#include "gateway/peers.h"

#include "base/mem.h"
#include "gateway/fleet_int.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MAX   20 /* differences that are told of two routers */
#define CHOICES_MAX 1024

static bool is_of_name(const struct router_peer *p)
{
    return strcmp(p->origin, "name") == 0;
}

/* Whether the peer's name, with the port of its address where it has none, is this text. */
static bool is_called(const struct router_peer *p, const char *text)
{
    const char *port = strrchr(p->address, ':');
    size_t len = strlen(p->name);
    return strcmp(p->name, text) == 0 ||
           (port != NULL && strncmp(p->name, text, len) == 0 && strcmp(text + len, port) == 0);
}

/* Whether address and track are the ones that are meant. */
static bool is_meant(const struct peer_ref *ref, const char *address, enum track track)
{
    return strcmp(address, ref->address) == 0 && (!ref->has_track || track == ref->track);
}

static void view_name(const struct router_service *service, const struct router_name *named,
                      struct peer_view *ret)
{
    *ret = (struct peer_view){.named = named,
                              .track = named->track,
                              .state = named->state,
                              .weight = named->weight,
                              .dc = named->dc};
    const struct router_peer *p;
    for (size_t at = 0; (p = peers_next(service, ret, &at)) != NULL;) {
        ret->peer = ret->peer == NULL ? p : ret->peer;
        ret->peers++;
        ret->in_flight += p->in_flight;
    }
}

static void view_peer(const struct router_peer *p, struct peer_view *ret)
{
    *ret = (struct peer_view){.peer = p,
                              .peers = 1,
                              .track = p->track,
                              .state = p->state,
                              .weight = p->weight,
                              .in_flight = p->in_flight,
                              .dc = p->dc};
}

enum peer_match peers_find(const struct router_service *service, const struct peer_ref *ref,
                           struct peer_view *ret)
{
    size_t found = 0;
    const struct router_peer *of_name = NULL;
    for (size_t i = 0; i < service->nnames; i++) {
        if (is_meant(ref, service->named[i].address, service->named[i].track)) {
            view_name(service, &service->named[i], ret);
            found++;
        }
    }
    for (size_t i = 0; i < service->npeers; i++) {
        const struct router_peer *p = &service->peer[i];
        if (!is_meant(ref, p->address, p->track)) {
            continue;
        }
        if (is_of_name(p)) {
            of_name = p;
            continue;
        }
        view_peer(p, ret);
        found++;
    }
    if (found == 0 && of_name != NULL) {
        view_peer(of_name, ret);
        return PEER_OF_NAME;
    }
    return found == 0 ? PEER_MISSING : found == 1 ? PEER_FOUND : PEER_ON_BOTH;
}

const struct router_peer *peers_next(const struct router_service *service,
                                     const struct peer_view *view, size_t *at)
{
    while (*at < service->npeers) {
        const struct router_peer *p = &service->peer[(*at)++];
        bool is_it = view->named == NULL ? p == view->peer
                                         : is_of_name(p) && p->track == view->track &&
                                               is_called(p, view->named->address);
        if (is_it) {
            return p;
        }
    }
    return NULL;
}

bool peers_is_live(const struct router_peer *p)
{
    return p->state == ROUTER_READY &&
           (p->health == ROUTER_PASSING || p->health == ROUTER_UNCHECKED);
}

static bool is_one_of(const struct router_service *service, const struct router_peer *p,
                      const struct peer_ref *ref, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        struct peer_view view = {0};
        if (peers_find(service, &ref[k], &view) != PEER_FOUND) {
            continue;
        }
        const struct router_peer *each;
        for (size_t at = 0; (each = peers_next(service, &view, &at)) != NULL;) {
            if (each == p) {
                return true;
            }
        }
    }
    return false;
}

bool peers_may_leave(const struct router_service *service, const struct peer_ref *ref, size_t n)
{
    size_t ready = 0, live = 0, ready_left = 0, live_left = 0;
    for (size_t i = 0; i < service->npeers; i++) {
        const struct router_peer *p = &service->peer[i];
        if (p->track != TRACK_STABLE || p->state != ROUTER_READY) {
            continue;
        }
        bool stays = !is_one_of(service, p, ref, n);
        ready++;
        live += peers_is_live(p);
        ready_left += stays;
        live_left += stays && peers_is_live(p);
    }
    return (ready == 0 || ready_left > 0) && (live == 0 || live_left > 0);
}

static size_t add_choices(const struct fleet_router *r, const char **choice, size_t n)
{
    for (size_t i = 0; i < r->service.nnames && n < CHOICES_MAX; i++) {
        choice[n++] = r->service.named[i].address;
    }
    for (size_t i = 0; i < r->service.npeers && n < CHOICES_MAX; i++) {
        if (!is_of_name(&r->service.peer[i])) {
            choice[n++] = r->service.peer[i].address;
        }
    }
    return n;
}

/* The peer that is configured under this name, but has another address. */
static const struct router_peer *find_called(const struct fleet *fleet, const char *name)
{
    for (size_t i = 0; i < fleet->len; i++) {
        const struct router_service *s = &fleet->router[i].service;
        for (size_t k = 0; k < s->npeers; k++) {
            const struct router_peer *p = &s->peer[k];
            if (!is_of_name(p) && is_called(p, name) && strcmp(p->address, name) != 0) {
                return p;
            }
        }
    }
    return NULL;
}

int peers_unknown(const struct fleet *fleet, const struct peer_ref *ref, struct err *err)
{
    const char **choice = mem_array(CHOICES_MAX, sizeof *choice);
    size_t n = 0;
    for (size_t i = 0; i < fleet->len; i++) {
        n = add_choices(&fleet->router[i], choice, n);
    }
    const struct router_peer *called = find_called(fleet, ref->address);
    const char *near = str_nearest(str_of(ref->address), choice, n);
    mem_free(choice);
    if (ref->has_track && near != NULL && strcmp(near, ref->address) == 0) {
        return err_set(err, ERR_NOT_FOUND, "\"%s\" is no peer of %s", ref->address,
                       track_name[ref->track]);
    }
    const char *meant = called != NULL ? called->address : near;
    return err_set(err, ERR_NOT_FOUND, "there is no peer \"%s\"%s%s%s", ref->address,
                   meant == NULL    ? ""
                   : called != NULL ? "; it has the address \""
                                    : "; did you mean \"",
                   meant != NULL ? meant : "",
                   meant == NULL    ? "; see \"pourover router peers\""
                   : called != NULL ? "\""
                                    : "\"?");
}

/* --- differences --- */

/* A peer or a name, as far as routers have to agree on it. */
struct entry {
    const char *address;
    enum track track;
    enum router_state state;
    uint64_t weight;
};

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->address, y->address);
    return order != 0 ? order : (int) x->track - (int) y->track;
}

/* All entries, sorted; owned by the caller. */
static struct entry *list_entries(const struct router_service *s, size_t *ret_len)
{
    struct entry *list = mem_array(s->npeers + s->nnames + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < s->nnames; i++) {
        const struct router_name *e = &s->named[i];
        list[n++] = (struct entry){e->address, e->track, e->state, e->weight};
    }
    for (size_t i = 0; i < s->npeers; i++) {
        const struct router_peer *p = &s->peer[i];
        if (!is_of_name(p)) { /* addresses of names may differ from resolver to resolver */
            list[n++] = (struct entry){p->address, p->track, p->state, p->weight};
        }
    }
    qsort(list, n, sizeof *list, compare);
    *ret_len = n;
    return list;
}

struct differences {
    const struct fleet_router *a, *b;
    size_t n;
    struct buf *lines;
};

/* Counts a difference.  False: so many have been told that this one is only counted. */
static bool begin_line(struct differences *d, const struct entry *e)
{
    if (d->n++ >= LINES_MAX) {
        return false;
    }
    buf_addf(d->lines, "%s (%s) ", e->address, track_name[e->track]);
    return true;
}

static void tell_missing(struct differences *d, const struct entry *e,
                         const struct fleet_router *has, const struct fleet_router *lacks)
{
    if (begin_line(d, e)) {
        buf_addf(d->lines, "is a peer of %s, not of %s\n", has->at.name, lacks->at.name);
    }
}

static void tell_other(struct differences *d, const struct entry *x, const struct entry *y)
{
    const char *a = d->a->at.name, *b = d->b->at.name;
    if ((x->state == y->state && x->weight == y->weight) || !begin_line(d, x)) {
        return;
    }
    if (x->state != y->state) {
        buf_addf(d->lines, "is %s at %s, %s at %s\n", router_state_name[x->state], a,
                 router_state_name[y->state], b);
    } else {
        buf_addf(d->lines, "has the weight %llu at %s, %llu at %s\n",
                 (unsigned long long) x->weight, a, (unsigned long long) y->weight, b);
    }
}

static void compare_peers(struct differences *d)
{
    size_t n, m, i = 0, k = 0;
    struct entry *x = list_entries(&d->a->service, &n), *y = list_entries(&d->b->service, &m);
    while (i < n || k < m) {
        int order = i == n ? 1 : k == m ? -1 : compare(&x[i], &y[k]);
        if (order < 0) {
            tell_missing(d, &x[i], d->a, d->b);
        } else if (order > 0) {
            tell_missing(d, &y[k], d->b, d->a);
        } else {
            tell_other(d, &x[i], &y[k]);
        }
        i += order <= 0;
        k += order >= 0;
    }
    mem_free(x);
    mem_free(y);
}

static void compare_routers(struct differences *d)
{
    bool x = d->a->service.maintenance.on, y = d->b->service.maintenance.on;
    if (x != y) {
        d->n++;
        buf_addf(d->lines, "maintenance is %s at %s, %s at %s\n", x ? "on" : "off", d->a->at.name,
                 y ? "on" : "off", d->b->at.name);
    }
    compare_peers(d);
    if (d->n > LINES_MAX) {
        buf_addf(d->lines, "%zu more differences of %s and %s\n", d->n - LINES_MAX, d->a->at.name,
                 d->b->at.name);
    }
}

size_t peers_differ(const struct fleet *fleet, struct buf *lines)
{
    const struct fleet_router *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->err.code != 0) {
            continue;
        }
        if (first != NULL) {
            struct differences d = {.a = first, .b = r, .lines = lines};
            compare_routers(&d);
            n += d.n;
        }
        first = first == NULL ? r : first;
    }
    return n;
}

/* --- paths --- */

static bool stays_as_it_is(char c)
{
    bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return alnum || strchr("-._~:/[]@!$&'()*+,;=", c) != NULL;
}

void peers_path(const struct fleet *fleet, const struct peer_ref *ref, struct buf *b)
{
    fleet_path(fleet, "/peers/", b);
    for (const char *c = ref->address; *c != '\0'; c++) {
        if (stays_as_it_is(*c)) {
            buf_add_char(b, *c);
        } else {
            buf_addf(b, "%%%02X", (unsigned) (unsigned char) *c);
        }
    }
    if (ref->has_track) {
        buf_addf(b, "?track=%s", track_name[ref->track]);
    }
}
