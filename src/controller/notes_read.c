/* A note read back from JSON. */
#include "controller/controller_int.h"

#include "base/num.h"

#include <jansson.h>
#include <string.h>

static int read_word(const json_t *json, const char *member, const char *const *word, size_t n,
                     unsigned *ret, struct err *err)
{
    const char *text = json_string_value(json_object_get(json, member));
    for (unsigned i = 0; text != NULL && i < n; i++) {
        if (word[i] != NULL && strcmp(text, word[i]) == 0) {
            *ret = i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "the note's %s \"%s\" is none that this version knows", member,
                   text == NULL ? "" : text);
}

static int read_key(const struct release_config *config, const json_t *json,
                    struct release_key *ret, struct err *err)
{
    unsigned direction = 0, part = 0, kind = 0;
    const char *host = json_string_value(json_object_get(json, "host"));
    if (read_word(json, "direction", note_direction_name, 2, &direction, err) < 0 ||
        read_word(json, "part", release_part_name, PARTS, &part, err) < 0 ||
        read_word(json, "step", release_step_name, STEP_KINDS, &kind, err) < 0) {
        return ERR_INVALID;
    }
    int index = host == NULL ? -1 : release_config_host(config, host);
    if (host != NULL && index < 0) {
        return err_set(err, ERR_INVALID, "the note is about host \"%s\", which %s does not have",
                       host, config->path);
    }
    *ret = (struct release_key){
        .direction = (enum release_direction) direction,
        .kind = (enum release_step_kind) kind,
        .part = (uint8_t) part,
        .host = (int16_t) index,
        .nth = (uint16_t) json_integer_value(json_object_get(json, "nth")),
    };
    return 0;
}

static int read_step(const struct release_config *config, const json_t *json,
                     struct release_note *note, struct err *err)
{
    unsigned status = 0;
    const char *instance = json_string_value(json_object_get(json, "instance"));
    if (read_key(config, json, &note->key, err) < 0 ||
        read_word(json, "status", note_status_name, STEP_SKIPPED + 1, &status, err) < 0) {
        return ERR_INVALID;
    }
    if (instance != NULL && num_hex64(str_of(instance), &note->instance) < 0) {
        return err_set(err, ERR_INVALID, "the note's instance \"%s\" is not 16 hex digits",
                       instance);
    }
    note->status = (enum release_step_status) status;
    note->attempt = (uint16_t) json_integer_value(json_object_get(json, "attempt"));
    note->host = note->key.host;
    note->direction = note->key.direction;
    return 0;
}

static int read_mode(const struct release_config *config, const json_t *json,
                     struct release_note *note, struct err *err)
{
    unsigned mode = 0, direction = 0;
    if (read_word(json, "mode", note_mode_name, RELEASE_MODES, &mode, err) < 0 ||
        read_word(json, "direction", note_direction_name, 2, &direction, err) < 0) {
        return ERR_INVALID;
    }
    note->mode = (enum release_mode) mode;
    note->direction = (enum release_direction) direction;
    note->key.host = -2;
    return json_object_get(json, "step") == NULL ? 0 : read_key(config, json, &note->key, err);
}

static void read_touches(const struct release_config *config, const json_t *json,
                         struct release_note *note)
{
    const json_t *touch = json_object_get(json, "touch");
    for (size_t h = 0; h < config->hosts; h++) {
        note->touch[h] = (uint8_t) json_integer_value(json_object_get(touch, config->host[h].name));
    }
}

int controller_note_read(const struct release_config *config, const json_t *json,
                         struct release_note *ret, struct err *err)
{
    unsigned kind = 0, outcome = 0;
    struct release_note note = {.host = -1};
    if (read_word(json, "kind", note_kind_name, NOTE_KINDS, &kind, err) < 0 ||
        read_word(json, "outcome", release_outcome_name, RELEASE_OUTCOMES, &outcome, err) < 0) {
        return ERR_INVALID;
    }
    note.kind = (enum release_note_kind) kind;
    note.outcome = (enum release_outcome) outcome;
    note.share_ppm = (uint32_t) json_integer_value(json_object_get(json, "share_ppm"));
    if (note.kind == NOTE_BACK) {
        read_touches(config, json, &note);
    } else if ((note.kind == NOTE_STEP ? read_step(config, json, &note, err)
                                       : read_mode(config, json, &note, err)) < 0) {
        return ERR_INVALID;
    }
    *ret = note;
    return 0;
}
