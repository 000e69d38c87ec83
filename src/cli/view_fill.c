/* From a controller to what is shown. */
#include "cli/view_fill.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

#define WORDS_MAX 512

static void version_text(const char *version, const char *variant, char out[200])
{
    buf_print(out, 200, "%s%s%s", version, variant[0] != '\0' ? "-" : "", variant);
}

static void fill_hosts(struct view *v, const struct release_config *config,
                       const struct release_header *header)
{
    v->dc = config->dc;
    v->dcs = config->dcs;
    v->hosts = config->hosts;
    v->host = mem_array(config->hosts, sizeof *v->host);
    for (size_t i = 0; i < config->hosts; i++) {
        struct view_host *h = &v->host[i];
        buf_print(h->name, sizeof h->name, "%s", config->host[i].name);
        h->dc = config->host[i].dc;
        if (header == NULL) {
            continue;
        }
        h->served = header->basis.host[i].serves;
        version_text(header->old_version[i], header->old_variant[i], h->old_version);
        if (v->from[0] == '\0' && h->served) {
            buf_print(v->from, sizeof v->from, "%s", h->old_version);
        }
    }
}

static void fill_step(struct view_step *s, const struct controller *c, size_t i)
{
    const struct release *release = controller_release(c);
    struct buf words;
    const char *text = controller_text(c, i);
    s->plan = release_plan_of(release)->step[i];
    s->status = release_status(release, i);
    s->attempt = release_attempt(release, i);
    s->took_ms = controller_took_ms(c, i);
    s->text = text[0] != '\0' ? mem_strdup(text) : NULL;
    buf_init(&words, WORDS_MAX);
    controller_step_words(c, &s->plan, &words);
    s->words = words.len > 0 ? mem_strdup(words.ptr) : NULL;
    buf_done(&words);
}

static bool has_migrated(const struct release *release)
{
    const struct release_plan *plan = release_plan_in(release, RELEASE_FORWARD);
    for (size_t i = 0; release_direction(release) == RELEASE_FORWARD && i < plan->len; i++) {
        if (plan->step[i].key.kind == STEP_MIGRATE && release_attempt(release, i) > 0) {
            return true;
        }
    }
    return false;
}

static void fill_release(struct view *v, const struct controller *c,
                         const struct release_config *config)
{
    const struct release *release = controller_release(c);
    const struct release_header *header = controller_header(c);
    const struct release_plan *plan = release_plan_of(release);
    version_text(header->version, header->variant, v->to);
    buf_print(v->kind, sizeof v->kind, "%s", header->kind);
    buf_print(v->by, sizeof v->by, "%s", header->by);
    buf_print(v->why, sizeof v->why, "%s", header->why);
    buf_print(v->state, sizeof v->state, "%s", release_state_name(release));
    v->number = controller_number(c);
    v->began_ms = header->began_ms;
    v->mode = release_mode(release);
    v->direction = release_direction(release);
    v->share_ppm = release_share_ppm(release);
    v->barrier = config->spec.barrier && has_migrated(release);
    v->len = plan->len;
    v->total = plan->total;
    v->step = mem_array(plan->total == 0 ? 1 : plan->total, sizeof *v->step);
    for (size_t i = 0; i < plan->total; i++) {
        fill_step(&v->step[i], c, i);
    }
    v->culprit = release_culprit(release, &v->outcome);
    if (v->culprit >= 0 && (size_t) v->culprit < v->total) {
        v->step[v->culprit].outcome = v->outcome;
    } else {
        v->culprit = -1;
    }
}

void view_fill(struct view *v, const struct controller *c, const struct release_config *config)
{
    const struct release *release = controller_release(c);
    char options[sizeof v->options];
    memcpy(options, v->options, sizeof options);
    view_done(v);
    memcpy(v->options, options, sizeof options);
    v->culprit = -1;
    v->none = release == NULL;
    v->now_ms = clock_wall_ms();
    buf_print(v->service, sizeof v->service, "%s", config->service);
    buf_print(v->environment, sizeof v->environment, "%s", config->env != NULL ? config->env : "");
    fill_hosts(v, config, release == NULL ? NULL : controller_header(c));
    if (release != NULL) {
        fill_release(v, c, config);
    }
    view_places(v);
}

void view_fill_look(struct view *v, const struct controller_look *look)
{
    v->looked = look->has_split;
    v->share_ppm = look->has_split ? look->share_ppm : v->share_ppm;
    v->routers = look->routers;
    v->routers_reached = look->routers_reached;
    buf_print(v->routers_error, sizeof v->routers_error, "%s", look->routers_error);
    for (size_t i = 0; i < v->hosts; i++) {
        const struct controller_place *p = &look->host[i];
        struct view_host *h = &v->host[i];
        h->looked = true;
        h->reached = p->reached;
        buf_print(h->error, sizeof h->error, "%s", p->error);
        buf_print(h->lease, sizeof h->lease, "%s", p->lease);
        h->lease_left_ms = p->lease_left_ms;
        for (int s = 0; s < RELEASE_SLOTS; s++) {
            const struct driver_copy *seen = &p->seen.copy[s];
            struct view_copy *copy = &h->copy[s];
            version_text(seen->version, seen->variant, copy->version);
            copy->runs = seen->runs;
            copy->known = p->known[s];
            copy->serves = p->serves[s];
            copy->track = p->track[s];
            buf_print(copy->state, sizeof copy->state, "%s", p->known[s] ? p->state[s] : "");
            buf_print(copy->dead, sizeof copy->dead, "%s",
                      seen->any && !seen->runs ? seen->dead : "");
        }
    }
    view_places(v);
}
