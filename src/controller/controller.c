/* Controllers: made, begun, loaded, looked at. */
#include "controller/controller.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rand.h"
#include "controller/controller_int.h"
#include "journal/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TOKEN_FILE_BYTES 4096
#define OPEN_MAX         20

/* Construction */

static int read_token(struct controller *c, const char *path, struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    buf_init(&b, TOKEN_FILE_BYTES);
    int rc = fd < 0 ? errno : file_read_all(fd, &b);
    if (fd >= 0) {
        (void) close(fd);
    }
    if (rc != 0) {
        return err_errno(err, rc, "the routers' token file %s", path);
    }
    c->bearer = mem_strdup_str(str_trim(buf_str(&b)));
    return 0;
}

static int open_routers(struct controller *c, struct err *err)
{
    const struct release_config *config = c->config;
    c->router = mem_array(config->routers, sizeof *c->router);
    for (size_t i = 0; i < config->routers; i++) {
        const struct release_router *r = &config->router[i];
        char text[1024];
        buf_print(text, sizeof text, "%s=%s", r->name, r->nginx);
        if (router_parse(str_of(text), &c->router[i], err) < 0) {
            return err_wrap(err, "router %s", r->name);
        }
        if (r->token_file != NULL && c->bearer == NULL && read_token(c, r->token_file, err) < 0) {
            return (int) err->code;
        }
    }
    return 0;
}

struct controller *controller_new(const struct controller_options *options)
{
    static const char digits[] = "0123456789abcdef";
    struct controller *c = mem_zalloc(sizeof *c);
    uint8_t random[16];
    pthread_condattr_t attr;
    c->options = *options;
    c->config = options->config;
    c->driver = driver_of(options->config->driver);
    buf_init(&c->unsent, RECORD_BYTES);
    buf_init(&c->asked, TOLD_BYTES);
    (void) pthread_mutex_init(&c->mutex, NULL);
    (void) pthread_condattr_init(&attr);
    (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&c->cond, &attr);
    (void) pthread_condattr_destroy(&attr);
    if (rand_bytes(random, sizeof random) < 0) {
        (void) err_set(&c->broken, ERR_IO, "the kernel gives no random bytes");
    } else if (c->driver == NULL) {
        (void) err_set(&c->broken, ERR_INVALID, "this version has no driver for these hosts");
    } else {
        (void) open_routers(c, &c->broken);
    }
    for (size_t i = 0; i < sizeof random; i++) {
        c->token[2 * i] = digits[random[i] >> 4];
        c->token[2 * i + 1] = digits[random[i] & 15];
    }
    return c;
}

void controller_forget_release(struct controller *c)
{
    for (int d = 0; d < 2; d++) {
        for (size_t i = 0; i < c->texts[d]; i++) {
            mem_free(c->text[d][i].text);
        }
        mem_free(c->text[d]);
        c->text[d] = NULL;
        c->texts[d] = 0;
    }
    release_free(c->release);
    c->release = NULL;
    buf_clear(&c->unsent);
}

void controller_free(struct controller *take_controller)
{
    struct controller *c = take_controller;
    if (c == NULL) {
        return;
    }
    controller_forget_release(c);
    for (size_t i = 0; c->router != NULL && i < c->config->routers; i++) {
        router_done(&c->router[i]);
    }
    mem_free(c->router);
    mem_free(c->bearer);
    buf_done(&c->unsent);
    buf_done(&c->asked);
    (void) pthread_cond_destroy(&c->cond);
    (void) pthread_mutex_destroy(&c->mutex);
    mem_free(c);
}

/* Places */

const char *controller_version(const struct controller *c, int host, enum release_version version)
{
    return version == RELEASE_OLD ? c->header.old_version[host] : c->header.version;
}

const char *controller_variant(const struct controller *c, int host, enum release_version version,
                               enum release_track track)
{
    if (version == RELEASE_OLD) {
        return c->header.old_variant[host];
    }
    return track == RELEASE_CANARY ? c->header.variant : "";
}

struct driver_place controller_place_of(struct controller *c, int host, enum release_slot slot,
                                        enum release_version version, struct task *t,
                                        struct buf *told)
{
    static const atomic_bool never = false;
    return (struct driver_place){
        .config = c->config,
        .host = host,
        .slot = slot,
        .version = controller_version(c, host, version),
        .variant = controller_variant(c, host, version, RELEASE_STABLE),
        .release = c->header.id[0] == '\0' ? NULL : c->header.id,
        .token = c->token,
        .cancelled = t == NULL ? &never : &t->cancelled,
        .deadline_ms = t == NULL ? clock_mono_ms() + c->config->spec.step_ms : t->deadline_ms,
        .told = told,
    };
}

int controller_address(const struct controller *c, int host, enum release_slot slot, char out[256],
                       struct err *err)
{
    const struct release_place place = {.version = c->header.version, .host = host, .slot = slot};
    struct buf b;
    buf_init_fixed(&b, out, 256);
    int rc = release_expand(c->config, &place, c->config->peer, &b, err);
    return rc < 0 ? err_wrap(err, "peer") : 0;
}

struct port_routers controller_routers(struct controller *c, struct task *t)
{
    return (struct port_routers){
        .router = c->router,
        .n = c->config->routers,
        .service = c->config->router_service,
        .bearer = c->bearer,
        .cancelled = &t->cancelled,
        .deadline_ms = t->deadline_ms,
        .told = &t->told,
    };
}

/* A new release */

/*
 * A copy serves that runs and takes requests as far as commands go.  Whether its check passes in
 * this very moment does not count: a blip must not decide what a release finds and a rollback
 * restores.
 */
static bool is_serving(const struct controller_place *p, enum release_slot slot)
{
    return p->serves[slot] || (p->ready[slot] && p->seen.copy[slot].any);
}

static void basis_of(struct controller *c, const struct controller_look *look)
{
    struct release_header *header = &c->header;
    for (int h = 0; h < (int) c->config->hosts; h++) {
        const struct controller_place *p = &look->host[h];
        enum release_slot slot = RELEASE_SLOT_A;
        if (!is_serving(p, RELEASE_SLOT_A) &&
            (is_serving(p, RELEASE_SLOT_B) ||
             (!p->seen.copy[RELEASE_SLOT_A].any && p->seen.copy[RELEASE_SLOT_B].any))) {
            slot = RELEASE_SLOT_B;
        }
        header->basis.host[h].slot = slot;
        header->basis.host[h].serves = is_serving(p, slot);
        header->basis.host[h].track =
            p->known[slot] ? p->track[slot] : c->config->spec.host[h].track;
        buf_print(header->old_version[h], sizeof header->old_version[h], "%s",
                  p->seen.copy[slot].version);
        buf_print(header->old_variant[h], sizeof header->old_variant[h], "%s",
                  p->seen.copy[slot].variant);
    }
}

static void basis_offline(struct controller *c)
{
    for (int h = 0; h < (int) c->config->hosts; h++) {
        c->header.basis.host[h].serves = c->config->spec.strategy != RELEASE_BY_CANARY ||
                                         c->config->spec.host[h].track == RELEASE_STABLE;
        c->header.basis.host[h].track = c->config->spec.host[h].track;
    }
}

static int make_id(struct controller *c, struct err *err)
{
    uint8_t random[3];
    char when[32];
    time_t now = (time_t) (c->header.began_ms / 1000);
    struct tm tm;
    if (rand_bytes(random, sizeof random) < 0 || gmtime_r(&now, &tm) == NULL) {
        return err_set(err, ERR_IO, "the kernel gives no random bytes");
    }
    (void) strftime(when, sizeof when, "%Y%m%dT%H%M%S", &tm);
    buf_print(c->header.id, sizeof c->header.id, "%.60s-%s-%02x%02x%02x", c->config->service, when,
              random[0], random[1], random[2]);
    buf_print(c->header.salt, sizeof c->header.salt, "%s-%02x%02x%02x", when, random[0], random[1],
              random[2]);
    return 0;
}

static int fill_header(struct controller *c, const struct controller_wish *wish, struct err *err)
{
    struct release_header *header = &c->header;
    memset(header, 0, sizeof *header);
    header->began_ms = clock_wall_ms();
    header->with_downtime = wish->with_downtime;
    buf_print(header->kind, sizeof header->kind, "%s", wish->kind);
    buf_print(header->version, sizeof header->version, "%s", wish->version);
    buf_print(header->variant, sizeof header->variant, "%s",
              wish->variant == NULL ? "" : wish->variant);
    buf_print(header->by, sizeof header->by, "%s", wish->by == NULL ? "" : wish->by);
    buf_print(header->why, sizeof header->why, "%s", wish->why == NULL ? "" : wish->why);
    buf_print(header->rest, sizeof header->rest, "%s", wish->rest == NULL ? "" : wish->rest);
    buf_print(header->rest_command, sizeof header->rest_command, "%s",
              wish->rest_command == NULL ? "" : wish->rest_command);
    buf_print(header->config_hash, sizeof header->config_hash, "%s", c->config->hash);
    return make_id(c, err);
}

static int make_release(struct controller *c, struct err *err)
{
    struct release_spec spec = c->config->spec;
    spec.with_downtime = spec.with_downtime || c->header.with_downtime;
    if (strcmp(c->header.kind, "train") == 0) {
        spec.hold_at_end = true;
        spec.strategy = RELEASE_BY_CANARY;
    } else if (strcmp(c->header.kind, "in-train") == 0) {
        spec.strategy = RELEASE_ROLLING;
    }
    int rc = release_new(&spec, &c->header.basis, &c->release, err);
    if (rc == 0) {
        controller_make_texts(c);
    }
    return rc;
}

/* One release of a service at a time; within a train that stands still, one more. */
static int refuse_second(struct controller *c, bool *ret_in_train, struct err *err)
{
    struct err none = {0};
    *ret_in_train = false;
    int rc = controller_load(c, 0, true, &none);
    if (rc == ERR_NOT_FOUND) {
        return 0;
    }
    if (rc < 0) {
        *err = none;
        return rc;
    }
    bool ended = release_mode(c->release) == RELEASE_ENDED, at_lock = false;
    int culprit = release_culprit(c->release, NULL);
    if (culprit >= 0) {
        at_lock = release_plan_of(c->release)->step[culprit].key.kind == STEP_LOCK;
    }
    if (ended || at_lock) {
        return 0;
    }
    if (strcmp(c->header.kind, "train") == 0 && c->config->spec.swap == RELEASE_IN_PLACE) {
        *ret_in_train = true;
        return 0;
    }
    return err_set(err, ERR_CONFLICT,
                   "release %s of %s to %s is %s: go on with `pourover resume`, or go back with "
                   "`pourover rollback`",
                   c->header.id, c->config->service, c->header.version,
                   release_state_name(c->release));
}

static int prepare(struct controller *c, const struct controller_wish *wish, bool looks,
                   struct err *err)
{
    char train_variant[64] = "";
    bool in_train = false;
    uint32_t share_ppm = 0;
    if (c->broken.code != 0) {
        *err = c->broken;
        return (int) err->code;
    }
    if (looks && refuse_second(c, &in_train, err) < 0) {
        return (int) err->code;
    }
    if (in_train && strcmp(wish->kind, "train") == 0) {
        return err_set(err, ERR_CONFLICT, "a train of %s is on its way already: %s",
                       c->config->service, c->header.id);
    }
    if (in_train) {
        buf_print(train_variant, sizeof train_variant, "%s", c->header.variant);
    }
    controller_forget_release(c);
    if (fill_header(c, wish, err) < 0) {
        return (int) err->code;
    }
    if (looks) {
        struct controller_look *look = mem_zalloc(sizeof *look);
        controller_look(c, look);
        basis_of(c, look);
        share_ppm = look->share_ppm;
        bool reached = look->routers_reached == look->routers;
        if (!reached) {
            (void) err_set(err, ERR_UNREACHABLE, "%s", look->routers_error);
        }
        mem_free(look);
        if (!reached) {
            return (int) err->code;
        }
    } else {
        basis_offline(c);
    }
    if (in_train) {
        buf_print(c->header.kind, sizeof c->header.kind, "in-train");
        buf_print(c->header.variant, sizeof c->header.variant, "%s", train_variant);
        c->header.basis.share_ppm = share_ppm;
    }
    return make_release(c, err);
}

int controller_plan(struct controller *c, const struct controller_wish *wish, struct err *err)
{
    return prepare(c, wish, true, err);
}

int controller_plan_offline(struct controller *c, const struct controller_wish *wish,
                            struct err *err)
{
    return prepare(c, wish, false, err);
}

static void *unconst(const char *text)
{
    return (void *) (uintptr_t) text;
}

static struct journal_release row_of(struct controller *c, const char *header)
{
    const struct release_header *h = &c->header;
    return (struct journal_release){
        .id = unconst(h->id),
        .service = unconst(c->config->service),
        .environment = unconst(c->config->env == NULL ? "" : c->config->env),
        .kind = unconst(h->kind),
        .version = unconst(h->version),
        .from = unconst(h->old_version[0]),
        .state = unconst("running"),
        .by = unconst(h->by),
        .why = unconst(h->why),
        .began_ms = h->began_ms,
        .config_path = unconst(c->config->path),
        .config_hash = unconst(h->config_hash),
        .header = unconst(header),
    };
}

int controller_begin(struct controller *c, const struct controller_wish *wish, struct err *err)
{
    _cleanup_(buf_done) struct buf header = {0};
    int rc = prepare(c, wish, true, err);
    if (rc < 0) {
        return rc;
    }
    controller_plan_hash(c, c->header.plan);
    buf_init(&header, JOURNAL_LINE_MAX);
    controller_header_write(c->config, &c->header, &header);
    struct journal_release row = row_of(c, header.ptr);
    rc = journal_begin(c->options.journal, &row, &c->number, err);
    if (rc < 0) {
        return err_wrap(err, "the journal");
    }
    c->is_new = true;
    return controller_write_line(c, -1, buf_str(&header), err);
}

/* A release that was begun */

int controller_read_record(struct controller *c, int host, const char *id, struct buf *b)
{
    struct err err = {0};
    struct buf told;
    buf_init(&told, TOLD_BYTES);
    struct driver_place place =
        controller_place_of(c, host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    place.release = id;
    int rc = c->driver->record_read(&place, b, &err);
    buf_done(&told);
    return rc;
}

static void id_of_text(struct str text, char id[96], uint64_t *began_ms)
{
    struct str line;
    id[0] = '\0';
    *began_ms = 0;
    if (!str_cut(&text, '\n', &line)) {
        return;
    }
    json_t *json = json_loadb(line.ptr, line.len, 0, NULL);
    const json_t *note = json_object_get(json, "note");
    const char *found = json_string_value(json_object_get(note, "id"));
    if (found != NULL) {
        buf_print(id, 96, "%s", found);
        *began_ms = (uint64_t) json_integer_value(json_object_get(note, "began_ms"));
    }
    json_decref(json);
}

/* The id of the newest release that any host knows; "" none. */
static void newest_of_hosts(struct controller *c, char id[96])
{
    uint64_t newest_ms = 0;
    id[0] = '\0';
    for (int h = 0; h < (int) c->config->hosts; h++) {
        _cleanup_(buf_done) struct buf b;
        char found[96];
        uint64_t began_ms;
        buf_init(&b, RECORD_BYTES);
        if (controller_read_record(c, h, NULL, &b) < 0) {
            continue;
        }
        id_of_text(buf_str(&b), found, &began_ms);
        if (found[0] != '\0' && began_ms >= newest_ms) {
            newest_ms = began_ms;
            buf_print(id, 96, "%s", found);
        }
    }
}

static int import_lines(struct controller *c, struct journal_merged *merged, struct err *err)
{
    struct journal_lines *lines = &merged->lines;
    if (lines->list.len == 0) {
        return err_set(err, ERR_NOT_FOUND, "no host has a readable record");
    }
    json_t *json = json_loads(lines->list.ptr[0].text, 0, NULL);
    struct release_header header;
    int rc = controller_header_read(c->config, json, &header, err);
    json_decref(json);
    if (rc < 0) {
        char state[32];
        uint64_t at_ms;
        /* Hosts may change between releases: what ended with others keeps nobody from the next. */
        return controller_ended(lines, state, &at_ms) ? 0 : rc;
    }
    c->header = header;
    struct journal_release row = row_of(c, lines->list.ptr[0].text);
    return journal_import(c->options.journal, &row, lines->list.ptr, lines->list.len, true,
                          &c->number, err);
}

/* What all hosts have of a release comes into the journal. */
int controller_import(struct controller *c, const char *id, struct err *err)
{
    size_t n = c->config->hosts;
    struct buf *text = mem_array(n, sizeof *text);
    struct journal_source *source = mem_array(n, sizeof *source);
    struct journal_merged merged;
    for (size_t h = 0; h < n; h++) {
        buf_init(&text[h], RECORD_BYTES);
        (void) controller_read_record(c, (int) h, id, &text[h]);
        source[h] = (struct journal_source){c->config->host[h].name, buf_str(&text[h])};
    }
    journal_merge(source, n, &merged);
    int rc = import_lines(c, &merged, err);
    journal_merged_done(&merged);
    for (size_t h = 0; h < n; h++) {
        buf_done(&text[h]);
    }
    mem_free(text);
    mem_free(source);
    return rc;
}

static void load_text(struct controller *c, const struct release_note *note, const json_t *json)
{
    const char *text = json_string_value(json_object_get(json, "text"));
    int step = note->kind == NOTE_STEP ? release_find(c->release, &note->key) : -1;
    if (step < 0 || (size_t) step >= c->texts[note->key.direction]) {
        return;
    }
    struct step_text *s = &c->text[note->key.direction][step];
    mem_free(s->text);
    *s = (struct step_text){.text = text == NULL ? NULL : mem_strdup(text),
                            .took_ms =
                                (uint64_t) json_integer_value(json_object_get(json, "took_ms"))};
}

/* From here on the train carries another version on both tracks. */
static void load_versions(struct controller *c, const json_t *json)
{
    const char *version = json_string_value(json_object_get(json, "version"));
    for (int h = 0; version != NULL && h < (int) c->config->hosts; h++) {
        buf_print(c->header.old_version[h], sizeof c->header.old_version[h], "%s", version);
    }
    if (version != NULL) {
        buf_print(c->header.version, sizeof c->header.version, "%s", version);
    }
}

static int make_loaded(struct controller *c, struct err *err)
{
    if (make_release(c, err) < 0) {
        return err_wrap(err,
                        "release %s cannot go on by %s as it is now: put it back as it was when "
                        "the release began",
                        c->header.id, c->config->path);
    }
    return 0;
}

static int load_line(struct controller *c, const struct journal_line *line, struct err *err)
{
    struct release_note note;
    json_t *json = json_loads(line->text, 0, NULL);
    const char *kind = json_string_value(json_object_get(json, "kind"));
    int rc = 0;
    c->seq = line->seq;
    if (kind == NULL) {
        rc = err_set(err, ERR_INVALID, "line %llu of release %s is none of ours",
                     (unsigned long long) line->seq, c->header.id);
    } else if (strcmp(kind, "header") == 0) {
        rc = controller_header_read(c->config, json, &c->header, err);
        rc = rc < 0 ? rc : make_loaded(c, err);
    } else if (c->release == NULL) {
        rc = err_set(err, ERR_INVALID, "release %s begins without its first line", c->header.id);
    } else if (strcmp(kind, "request") == 0) {
        rc = 0; /* who asked for what: for people */
    } else if (strcmp(kind, "versions") == 0) {
        load_versions(c, json);
    } else if (controller_note_read(c->config, json, &note, err) == 0) {
        release_load(c->release, &note, 1);
        controller_make_texts(c);
        load_text(c, &note, json);
    } else {
        rc = ERR_INVALID;
    }
    json_decref(json);
    return rc;
}

int controller_load_found(struct controller *c, const struct journal_release *found,
                          struct err *err)
{
    struct journal_lines lines = {0};
    controller_forget_release(c);
    c->number = found->number;
    int rc = journal_read(c->options.journal, found->id, 0, &lines, err);
    for (size_t i = 0; rc == 0 && i < lines.list.len; i++) {
        rc = load_line(c, &lines.list.ptr[i], err);
    }
    journal_lines_done(&lines);
    if (rc == 0 && c->release != NULL && release_mode(c->release) != RELEASE_ENDED) {
        rc = controller_check_plan(c, err);
    }
    if (rc == 0 && c->release == NULL) {
        rc = err_set(err, ERR_NOT_FOUND, "release %s has no lines", found->id);
    }
    return rc;
}

/* Those that another machine carries out stand open here, until its hosts say that they ended.
 * fresh: the one whose lines were just read. */
static int refresh_open(struct controller *c, const char *fresh, struct err *err)
{
    const struct journal_filter open = {.service = c->config->service,
                                        .environment = c->config->env == NULL ? "" : c->config->env,
                                        .open = true};
    struct journal_releases list = {0};
    int rc = journal_select(c->options.journal, &open, OPEN_MAX, &list, err);
    for (size_t i = 0; rc == 0 && i < list.list.len; i++) {
        struct err none = {0};
        const char *id = list.list.ptr[i].id;
        if (strcmp(id, fresh) != 0) {
            (void) controller_import(c, id, &none); /* hosts keep only so many */
        }
        rc = controller_close_ended(c, id, err);
    }
    journal_releases_done(&list);
    return rc;
}

int controller_import_newest(struct controller *c, struct err *err)
{
    char id[96];
    newest_of_hosts(c, id);
    int rc = id[0] == '\0' ? 0 : controller_import(c, id, err);
    return rc < 0 ? rc : refresh_open(c, id, err);
}

/* The newest that has not ended, else the newest: a train goes on behind a release within it. */
static int find_current(struct controller *c, struct journal_release *ret, struct err *err)
{
    const char *env = c->config->env == NULL ? "" : c->config->env;
    const struct journal_filter open = {
        .service = c->config->service, .environment = env, .open = true};
    struct journal_releases list = {0};
    int rc = journal_select(c->options.journal, &open, 1, &list, err);
    uint64_t number = rc == 0 && list.list.len > 0 ? list.list.ptr[0].number : 0;
    journal_releases_done(&list);
    return rc < 0 ? rc
                  : journal_find(c->options.journal, c->config->service, env, number, ret, err);
}

int controller_load(struct controller *c, uint64_t number, bool hosts, struct err *err)
{
    struct journal_release found;
    if (c->broken.code != 0) {
        *err = c->broken;
        return (int) err->code;
    }
    int rc = number > 0
                 ? journal_find(c->options.journal, c->config->service,
                                c->config->env == NULL ? "" : c->config->env, number, &found, err)
                 : find_current(c, &found, err);
    if (number == 0 && (hosts || rc == ERR_NOT_FOUND)) {
        if (rc == 0) {
            journal_release_done(&found);
        }
        rc = controller_import_newest(c, err);
        rc = rc < 0 ? rc : find_current(c, &found, err);
    }
    if (rc == 0) {
        rc = controller_load_found(c, &found, err);
        if (rc == ERR_INVALID && number == 0 && found.ended_ms > 0) {
            controller_forget_release(c);
            rc =
                err_set(err, ERR_NOT_FOUND, "release %s has ended, and %s does not fit it any more",
                        found.id, c->config->path);
        }
        journal_release_done(&found);
    }
    return rc;
}

/* Views */

const struct release *controller_release(const struct controller *c)
{
    return c->release;
}

const struct release_header *controller_header(const struct controller *c)
{
    return &c->header;
}

uint64_t controller_number(const struct controller *c)
{
    return c->number;
}

const char *controller_text(const struct controller *c, size_t step)
{
    enum release_direction d = release_direction(c->release);
    return step < c->texts[d] && c->text[d][step].text != NULL ? c->text[d][step].text : "";
}

uint64_t controller_took_ms(const struct controller *c, size_t step)
{
    enum release_direction d = release_direction(c->release);
    return step < c->texts[d] ? c->text[d][step].took_ms : 0;
}
