/* A life of the controller: events to the engine, its actions carried out, until it says end. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "controller/controller_int.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK_MS  250 /* how often hosts are asked for requests */
#define TICK_MS 50

void controller_tell(struct controller *c, const struct controller_event *event)
{
    struct controller_event told = *event;
    told.at_ms = clock_wall_ms();
    if (told.state == NULL) {
        told.state = c->release == NULL ? "" : release_state_name(c->release);
    }
    told.text = told.text == NULL ? "" : told.text;
    if (c->options.tell != NULL) {
        c->options.tell(&told, c->options.ctx);
    }
}

void controller_make_texts(struct controller *c)
{
    for (int d = 0; d < 2; d++) {
        const struct release_plan *plan = release_plan_in(c->release, (enum release_direction) d);
        if (plan->total > c->texts[d]) {
            c->text[d] = mem_realloc_array(c->text[d], plan->total, sizeof *c->text[d]);
            memset(c->text[d] + c->texts[d], 0, (plan->total - c->texts[d]) * sizeof *c->text[d]);
            c->texts[d] = plan->total;
        }
    }
}

/* The lease lives as long as somebody beats; requests lie on hosts until somebody takes them. */

static void ask_host(struct controller *c, int host, bool beats)
{
    struct err err = {0};
    struct buf told, asked;
    buf_init(&told, TOLD_BYTES);
    buf_init(&asked, TOLD_BYTES);
    struct driver_place place =
        controller_place_of(c, host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    if (beats && c->driver->lease_beat(&place, LEASE_MS, &err) == ERR_CONFLICT) {
        c->fenced = true;
    }
    /* What lies there when the lease is another's is for that one. */
    if (!c->fenced && c->driver->request_take(&place, &asked, &err) == 0 && asked.len > 0) {
        (void) pthread_mutex_lock(&c->mutex);
        buf_add_str(&c->asked, buf_str(&asked));
        (void) pthread_cond_signal(&c->cond);
        (void) pthread_mutex_unlock(&c->mutex);
    }
    buf_done(&told);
    buf_done(&asked);
}

static void *beat(void *arg)
{
    struct controller *c = arg;
    uint64_t beat_ms = clock_mono_ms() + BEAT_MS, ask_ms = 0;
    while (c->beating) {
        const struct timespec tick = {0, (long) TICK_MS * 1000000};
        uint64_t now_ms = clock_mono_ms();
        bool beats = now_ms >= beat_ms;
        if (beats || now_ms >= ask_ms) {
            for (int h = 0; h < (int) c->config->hosts && c->beating; h++) {
                ask_host(c, h, beats);
            }
            beat_ms = beats ? clock_mono_ms() + BEAT_MS : beat_ms;
            ask_ms = clock_mono_ms() + ASK_MS;
        }
        (void) nanosleep(&tick, NULL);
    }
    return NULL;
}

int controller_have_lock(struct controller *c, struct err *err)
{
    if (c->locked) {
        return controller_send_unsent(c, err);
    }
    c->locked = true;
    c->beating = true;
    c->has_beat = pthread_create(&c->beat, NULL, beat, c) == 0;
    return controller_send_unsent(c, err);
}

void controller_drop_lock(struct controller *c)
{
    c->beating = false;
    if (c->has_beat) {
        (void) pthread_join(c->beat, NULL);
        c->has_beat = false;
    }
    for (int h = 0; c->locked && !c->fenced && h < (int) c->config->hosts; h++) {
        struct err err = {0};
        struct buf told;
        buf_init(&told, TOLD_BYTES);
        struct driver_place place =
            controller_place_of(c, h, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
        (void) c->driver->lease_drop(&place, &err);
        buf_done(&told);
    }
    c->locked = false;
}

/* Notes */

/* Of too much the first line and the end stay: what it was, and why it ended. */
static void cut_text(struct str text, size_t room, struct buf *b)
{
    struct str line, rest = text;
    const struct str gap = STR("\n...\n");
    (void) str_cut(&rest, '\n', &line);
    line.len = line.len < room / 4 ? line.len : room / 4;
    size_t tail = room - line.len - gap.len;
    buf_add_str(b, line);
    buf_add_str(b, gap);
    buf_add(b, text.ptr + text.len - tail, tail);
}

static void add_text(struct step_text *s, struct str text)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, STEP_TEXT_BYTES);
    size_t before = s->text == NULL ? 0 : strlen(s->text);
    text = str_trim(text);
    if (text.len == 0 || before + 256 > STEP_TEXT_BYTES) {
        return;
    }
    if (before > 0) {
        buf_add_cstr(&b, s->text);
        buf_add_char(&b, '\n');
    }
    if (b.len + text.len <= STEP_TEXT_BYTES) {
        buf_add_str(&b, text);
    } else {
        cut_text(text, STEP_TEXT_BYTES - b.len, &b);
    }
    mem_free(s->text);
    s->text = mem_strdup_str(buf_str(&b));
}

static struct step_text *text_of(struct controller *c, enum release_direction direction, int step)
{
    bool fits = step >= 0 && (size_t) step < c->texts[direction];
    return fits ? &c->text[direction][step] : NULL;
}

static void clock_step(struct step_text *s, const struct release_note *note)
{
    if (note->status == STEP_RUNNING) {
        mem_free(s->text);
        *s = (struct step_text){.began_ms = clock_mono_ms()};
    } else if (s->began_ms > 0) {
        s->took_ms = clock_mono_ms() - s->began_ms;
    }
}

static void tell_step(struct controller *c, const struct release_note *note, int step,
                      const struct step_text *s)
{
    const struct release_step_plan *plan =
        &release_plan_in(c->release, note->key.direction)->step[step];
    controller_tell(c, &(struct controller_event){
                           .kind = CONTROLLER_STEP,
                           .step = plan,
                           .status = note->status,
                           .outcome = note->outcome,
                           .attempt = note->attempt,
                           .took_ms = s->took_ms,
                           .text = s->text,
                       });
    if (note->key.kind == STEP_SHARE && note->status == STEP_DONE) {
        controller_tell(c, &(struct controller_event){.kind = CONTROLLER_SHARE,
                                                      .step = plan,
                                                      .share_ppm = plan->share_ppm});
    }
}

/* For forecasts; a release does not fail for want of it. */
static void add_time(struct controller *c, enum release_step_kind kind, uint64_t took_ms)
{
    struct err err = {0};
    if (journal_add_time(c->options.journal, c->config->service, release_step_name[kind], took_ms,
                         clock_wall_ms(), &err) < 0) {
        controller_tell(c, &(struct controller_event){.kind = CONTROLLER_TOLD, .text = err.msg});
    }
}

static int note_step(struct controller *c, const struct release_note *note, struct err *err)
{
    int step = release_find(c->release, &note->key);
    struct step_text none = {0}, *s = text_of(c, note->key.direction, step);
    s = s == NULL ? &none : s;
    clock_step(s, note);
    bool over = note->status == STEP_DONE || note->status == STEP_BROKEN;
    int rc = controller_write_note(c, note, over ? s->text : NULL, s->took_ms, err);
    if (rc == 0 && note->status == STEP_DONE) {
        add_time(c, note->key.kind, s->took_ms);
    }
    if (rc == 0 && step >= 0) {
        tell_step(c, note, step, s);
    }
    return rc;
}

static int note_mode(struct controller *c, const struct release_note *note, struct err *err)
{
    int step = note->key.host == -2 ? -1 : release_find(c->release, &note->key);
    const struct step_text *s = text_of(c, note->key.direction, step);
    const char *why = s == NULL || s->text == NULL ? "" : s->text;
    const char *state = release_state_of(note->direction, note->mode);
    int rc = controller_write_note(c, note, why, 0, err);
    uint64_t ended_ms = note->mode == RELEASE_ENDED ? clock_wall_ms() : 0;
    if (rc == 0) {
        rc = journal_set_state(c->options.journal, c->header.id, state, ended_ms, err);
    }
    if (c->told_state == NULL || strcmp(c->told_state, state) != 0) {
        c->told_state = state;
        controller_tell(
            c, &(struct controller_event){.kind = CONTROLLER_MODE, .state = state, .text = why});
    }
    return rc;
}

static int take_note(struct controller *c, const struct release_note *note, struct err *err)
{
    controller_make_texts(c);
    switch (note->kind) {
    case NOTE_STEP:
        return note_step(c, note, err);
    case NOTE_MODE:
        return note_mode(c, note, err);
    case NOTE_BACK:
        return controller_write_note(c, note, NULL, 0, err);
    case NOTE_KINDS:
        break;
    }
    return 0;
}

/* Whether another note to the same hosts is written before anything is done. */
static bool note_follows(const struct release_acts *acts, size_t at)
{
    const int host = acts->act[at].note.host;
    for (size_t i = at + 1; i < acts->len && acts->act[i].kind == ACT_NOTE; i++) {
        if (acts->act[i].note.host == host || acts->act[i].note.host < 0) {
            return true;
        }
    }
    return false;
}

static int feed(struct controller *c, const struct release_event *event, struct err *err)
{
    struct release_acts acts = release_step(c->release, event);
    for (size_t i = 0; i < acts.len; i++) {
        const struct release_act *act = &acts.act[i];
        int rc = 0;
        switch (act->kind) {
        case ACT_NOTE:
            c->more = note_follows(&acts, i);
            rc = take_note(c, &act->note, err);
            c->more = false;
            break;
        case ACT_DO:
            controller_start(c, &act->op);
            break;
        case ACT_CANCEL:
            controller_cancel(c, act->op.id);
            break;
        case ACT_REFUSE:
            c->has_refusal = true;
            c->refusal = act->refusal;
            break;
        case ACT_END:
            c->ended = true;
            break;
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Requests */

/* What the release does instead, and what can be done. */
static const char *why_not_now(const struct controller *c)
{
    switch (release_mode(c->release)) {
    case RELEASE_RUNNING:
        return c->asked_kind == EVENT_PROMOTE
                   ? "it is not held, and no stage of a canary dwells: there is nothing to promote"
                   : "it runs already: follow it with `pourover watch`";
    case RELEASE_PAUSING:
        return "it is pausing: hosts on their way are seen through first; say it again when it "
               "stands still";
    case RELEASE_HALTING:
        return "a step failed and it is halting: the host is brought out of the way first; say it "
               "again when it stands still";
    case RELEASE_TURNING:
        return "it is about to roll back: what is under way ends first";
    case RELEASE_PAUSED:
    case RELEASE_HELD:
    case RELEASE_HALTED:
        return c->asked_kind == EVENT_PROMOTE
                   ? "only a release that is held, or dwells in a stage, can be promoted"
                   : "it stands still already";
    case RELEASE_ENDED:
    case RELEASE_MODES:
        break;
    }
    return "the release is not in a state where this can be done";
}

static const char *why_refused(const struct controller *c)
{
    static const char *const text[REFUSALS] = {
        [REFUSE_ENDED] = "the release has ended",
        [REFUSE_BACK_OF_BACK] = "it is rolling back already; a rollback is not rolled back: let it "
                                "end, then release the "
                                "other version",
        [REFUSE_BARRIER] =
            "its migration is a barrier: the old version does not run with the new schema; --force "
            "rolls back all the same",
        [REFUSE_NOT_TOLD] =
            "nobody knows whether the migration was done: look at the database, then say "
            "--migration done or --migration again",
    };
    if (c->refusal == REFUSE_ENDED && c->asked_kind == EVENT_ROLLBACK &&
        release_direction(c->release) == RELEASE_FORWARD) {
        return "the release has ended: bring the version that served before back by a release of "
               "its own, `pourover release VERSION`; `pourover history` names it";
    }
    return c->refusal == REFUSE_NOT_NOW ? why_not_now(c) : text[c->refusal];
}

static bool parse_command(const json_t *json, struct release_event *ret)
{
    static const struct {
        const char *word;
        enum release_event_kind kind;
    } words[] = {{"pause", EVENT_PAUSE},
                 {"resume", EVENT_RESUME},
                 {"promote", EVENT_PROMOTE},
                 {"rollback", EVENT_ROLLBACK}};
    const char *word = json_string_value(json_object_get(json, "do"));
    const char *tell = json_string_value(json_object_get(json, "migration"));
    *ret = (struct release_event){.force = json_is_true(json_object_get(json, "force"))};
    if (tell != NULL) {
        ret->tell = strcmp(tell, "again") == 0 ? TELL_AGAIN : TELL_DONE;
    }
    for (size_t i = 0; word != NULL && i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].word, word) == 0) {
            ret->kind = words[i].kind;
            return true;
        }
    }
    return false;
}

/* Who asked for what, why, and what became of it: in the journal and on every host. */
static int note_request(struct controller *c, const json_t *json, const char *answer,
                        struct err *err)
{
    const char *id = json_string_value(json_object_get(json, "id"));
    buf_print(c->obeyed, sizeof c->obeyed, "%s", id == NULL ? "" : id);
    c->answer = answer;
    json_t *line = json_pack("{ss ss?}", "kind", "request", "id", id);
    (void) json_object_update(line, (json_t *) (uintptr_t) json);
    (void) json_object_set_new(line, "answer", json_string(answer));
    char *text = json_dumps(line, JSON_COMPACT);
    int rc = text == NULL ? 0 : controller_write_line(c, -1, str_of(text), err);
    free(text);
    json_decref(line);
    return rc;
}

/* ret_answer: "" when it was taken. */
static int obey(struct controller *c, const char *text, const char **ret_answer, struct err *err)
{
    struct release_event event;
    json_t *json = json_loads(text, 0, NULL);
    bool known = parse_command(json, &event);
    const char *id = json_string_value(json_object_get(json, "id"));
    if (id != NULL && strcmp(id, c->obeyed) == 0) {
        *ret_answer = c->answer; /* it lay in two places */
        json_decref(json);
        return 0;
    }
    const char *by = json_string_value(json_object_get(json, "by"));
    const char *why = json_string_value(json_object_get(json, "why"));
    char said[512];
    int rc = 0;
    *ret_answer = "this version does not know the request";
    if (known) {
        buf_print(said, sizeof said, "%s by %s%s%s", json_string_value(json_object_get(json, "do")),
                  by == NULL ? "somebody" : by, why == NULL || why[0] == '\0' ? "" : ": ",
                  why == NULL ? "" : why);
        controller_tell(c, &(struct controller_event){.kind = CONTROLLER_TOLD, .text = said});
        c->has_refusal = false;
        c->asked_kind = event.kind;
        rc = feed(c, &event, err);
        *ret_answer = c->has_refusal ? why_refused(c) : "";
        c->has_refusal = false;
    }
    rc = rc < 0 ? rc : note_request(c, json, *ret_answer, err);
    json_decref(json);
    return rc;
}

static int obey_journal(struct controller *c, struct err *err)
{
    struct journal_requests requests = {0};
    int rc = journal_take_requests(c->options.journal, c->header.id, &requests, err);
    for (size_t i = 0; rc == 0 && i < requests.list.len; i++) {
        const char *answer;
        rc = obey(c, requests.list.ptr[i].text, &answer, err);
        if (rc == 0) {
            rc = journal_answer(c->options.journal, requests.list.ptr[i].id, answer, err);
        }
    }
    journal_requests_done(&requests);
    return rc;
}

/* A request that lay on a host: one for an earlier release is nobody's any more. */
static int obey_far(struct controller *c, const char *text, struct err *err)
{
    json_t *json = json_loads(text, 0, NULL);
    const char *of = json_string_value(json_object_get(json, "release"));
    bool ours = of == NULL || strcmp(of, c->header.id) == 0;
    const char *answer;
    json_decref(json);
    return ours ? obey(c, text, &answer, err) : 0;
}

static int obey_hosts(struct controller *c, struct err *err)
{
    _cleanup_(buf_done) struct buf asked;
    buf_init(&asked, TOLD_BYTES);
    (void) pthread_mutex_lock(&c->mutex);
    buf_add_str(&asked, buf_str(&c->asked));
    buf_clear(&c->asked);
    (void) pthread_mutex_unlock(&c->mutex);
    struct str line, rest = buf_str(&asked);
    while (rest.len > 0 && str_cut(&rest, '\n', &line)) {
        if (line.len > 0) {
            char *text = mem_strdup_str(line);
            int rc = obey_far(c, text, err);
            mem_free(text);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

static int obey_interrupt(struct controller *c, struct err *err)
{
    if (c->options.interrupted == NULL || !*c->options.interrupted || c->pause_said) {
        return 0;
    }
    bool before = c->has_refusal;
    c->has_refusal = false;
    int rc = feed(c, &(struct release_event){.kind = EVENT_PAUSE}, err);
    /* A release that turns is asked again when it has turned; one that halts stops by itself. */
    c->pause_said = !c->has_refusal || release_mode(c->release) != RELEASE_TURNING;
    c->has_refusal = before;
    return rc;
}

/* Once the lease is there: before, the one command that waits for it would be forgotten. */
static int obey_all(struct controller *c, struct err *err)
{
    int rc = obey_journal(c, err);
    rc = rc < 0 || c->ended ? rc : obey_hosts(c, err);
    return rc < 0 || c->ended ? rc : obey_interrupt(c, err);
}

/* The loop */

static int take_result(struct controller *c, struct task *t, struct err *err)
{
    struct release_event event = {
        .kind = EVENT_DONE, .op = t->op.id, .outcome = t->outcome, .instance = t->instance};
    struct step_text *s = text_of(c, release_direction(c->release), t->op.step);
    if (s != NULL) {
        add_text(s, buf_str(&t->told));
    }
    int rc = 0;
    if (t->op.kind == OP_LOCK && t->outcome == RELEASE_OK) {
        rc = controller_have_lock(c, err);
    }
    controller_forget(t);
    return rc < 0 ? rc : feed(c, &event, err);
}

static int live(struct controller *c, struct err *err)
{
    while (!c->ended) {
        struct task *t = controller_next(c, LOOP_MS);
        int rc = t != NULL ? take_result(c, t, err) : 0;
        rc = rc < 0 || c->ended || !c->locked ? rc : obey_all(c, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static void end_tasks(struct controller *c)
{
    for (struct task *t = c->running; t != NULL; t = t->next) {
        t->cancelled = true;
    }
    while (c->running != NULL) {
        struct task *t = controller_next(c, 1000);
        if (t != NULL) {
            controller_forget(t);
        }
    }
}

static int begin_life(struct controller *c, const struct release_event *command, struct err *err)
{
    struct release_event first = {.kind = c->is_new ? EVENT_BEGIN : EVENT_RESUMED};
    int rc = feed(c, &first, err);
    if (rc == 0 && command != NULL) {
        c->asked_kind = command->kind;
        rc = feed(c, command, err);
    }
    return rc;
}

static int judge_life(struct controller *c, struct err *err)
{
    if (c->fenced) {
        return err_set(err, ERR_CONFLICT,
                       "somebody else has taken the lease of %s: this controller does nothing more",
                       c->header.id);
    }
    if (c->lock_err.code != 0) {
        *err = c->lock_err;
        return err->code == ERR_CONFLICT || err->code == ERR_UNREACHABLE
                   ? (int) err->code
                   : (int) (err->code = ERR_CONFLICT);
    }
    return c->has_refusal ? err_set(err, ERR_DENIED, "%s", why_refused(c)) : 0;
}

int controller_run(struct controller *c, const struct release_event *command, struct err *err)
{
    c->told_state = NULL;
    c->ended = c->has_refusal = c->pause_said = false;
    c->fenced = false;
    c->lock_err = (struct err){0};
    int rc = c->is_new ? 0 : controller_take_over(c, err);
    rc = rc < 0 ? rc : begin_life(c, command, err);
    rc = rc < 0 ? rc : live(c, err);
    end_tasks(c);
    controller_drop_lock(c);
    c->is_new = false;
    return rc < 0 ? rc : judge_life(c, err);
}
