/* The journal's notes, read as events; see journal_event.h. */
#include "cli/journal_event.h"

#include "base/mem.h"

#include <jansson.h>
#include <string.h>

static int word_of(const json_t *json, const char *member, const char *const *word, int n)
{
    const char *text = json_string_value(json_object_get(json, member));
    for (int i = 0; text != NULL && i < n; i++) {
        if (word[i] != NULL && strcmp(text, word[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static bool read_key(const struct release_config *config, const json_t *json,
                     struct release_key *key)
{
    const char *host = json_string_value(json_object_get(json, "host"));
    const char *direction = json_string_value(json_object_get(json, "direction"));
    int kind = word_of(json, "step", release_step_name, STEP_KINDS);
    int part = word_of(json, "part", release_part_name, PARTS);
    int index = host == NULL ? -1 : release_config_host(config, host);
    if (kind < 0 || part < 0 || (host != NULL && index < 0) || direction == NULL) {
        return false;
    }
    *key = (struct release_key){
        .direction = strcmp(direction, "back") == 0 ? RELEASE_BACK : RELEASE_FORWARD,
        .kind = (enum release_step_kind) kind,
        .part = (uint8_t) part,
        .host = (int16_t) index,
        .nth = (uint16_t) json_integer_value(json_object_get(json, "nth")),
    };
    return true;
}

static bool read_step(const struct release_config *config, const json_t *json,
                      struct journal_event *ret)
{
    static const char *const status_name[] = {
        [STEP_PENDING] = "pending", [STEP_RUNNING] = "running", [STEP_DONE] = "done",
        [STEP_BROKEN] = "failed",   [STEP_SKIPPED] = "skipped",
    };
    int status = word_of(json, "status", status_name, STEP_SKIPPED + 1);
    int outcome = word_of(json, "outcome", release_outcome_name, RELEASE_OUTCOMES);
    if (status < 0 || !read_key(config, json, &ret->key)) {
        return false;
    }
    struct controller_event *e = &ret->event;
    ret->step.key = ret->key;
    ret->step.share_ppm = (uint32_t) json_integer_value(json_object_get(json, "share_ppm"));
    e->kind = CONTROLLER_STEP;
    e->step = &ret->step;
    e->status = (enum release_step_status) status;
    e->outcome = outcome < 0 ? RELEASE_OK : (enum release_outcome) outcome;
    e->attempt = (unsigned) json_integer_value(json_object_get(json, "attempt"));
    e->took_ms = (uint64_t) json_integer_value(json_object_get(json, "took_ms"));
    return true;
}

static bool read_mode(const json_t *json, struct journal_event *ret)
{
    static const char *const mode_name[] = {"paused", "held", "halted", "turning", "ended"};
    static const char *const forward[] = {"paused", "held", "halted", "rolling back", "done"};
    static const char *const back[] = {"paused", "rolling back", "halted", "rolling back",
                                       "rolled back"};
    const char *direction = json_string_value(json_object_get(json, "direction"));
    bool is_back = direction != NULL && strcmp(direction, "back") == 0;
    int mode = word_of(json, "mode", mode_name, 5);
    const char *state = is_back ? "rolling back" : "running";
    if (mode >= 0) {
        state = is_back ? back[mode] : forward[mode];
    }
    buf_print(ret->state, sizeof ret->state, "%s", state);
    ret->event.kind = CONTROLLER_MODE;
    ret->event.state = ret->state;
    return true;
}

bool journal_event_read(const struct release_config *config, const struct journal_line *line,
                        struct journal_event *ret)
{
    json_t *json = json_loads(line->text, 0, NULL);
    const char *kind = json_string_value(json_object_get(json, "kind"));
    const char *text = json_string_value(json_object_get(json, "text"));
    bool is_one = false;
    memset(ret, 0, sizeof *ret);
    if (kind != NULL && strcmp(kind, "step") == 0) {
        is_one = read_step(config, json, ret);
    } else if (kind != NULL && strcmp(kind, "mode") == 0) {
        is_one = read_mode(json, ret);
    }
    ret->text = mem_strdup(text != NULL ? text : "");
    ret->event.text = ret->text;
    ret->event.at_ms = line->at_ms;
    json_decref(json);
    return is_one;
}

void journal_event_apply(struct view *v, const struct journal_event *e)
{
    bool of_before = e->event.kind == CONTROLLER_STEP && e->key.direction == RELEASE_FORWARD &&
                     v->direction == RELEASE_BACK;
    if (of_before && view_find(v, &e->key) == NULL) {
        struct view_step s = {.plan = e->step};
        vec_push(&v->past, s);
    }
    event_apply(v, &e->event);
}

void journal_event_done(struct journal_event *e)
{
    mem_free(e->text);
    e->text = NULL;
}
