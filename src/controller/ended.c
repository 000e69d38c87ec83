/* Whether a release has ended, by its lines alone: also of one that release.yaml does not fit. */
#include "controller/controller_int.h"

#include <jansson.h>
#include <string.h>

bool controller_ended(const struct journal_lines *lines, char state[32], uint64_t *ret_at_ms)
{
    bool ended = false;
    for (size_t i = lines->list.len; i-- > 0;) {
        json_t *json = json_loads(lines->list.ptr[i].text, 0, NULL);
        const char *mode = json_string_value(json_object_get(json, "mode"));
        const char *direction = json_string_value(json_object_get(json, "direction"));
        bool back = direction != NULL && strcmp(direction, note_direction_name[RELEASE_BACK]) == 0;
        bool is_mode = mode != NULL;
        ended = is_mode && strcmp(mode, note_mode_name[RELEASE_ENDED]) == 0;
        if (ended) {
            buf_print(state, 32, "%s",
                      release_state_of(back ? RELEASE_BACK : RELEASE_FORWARD, RELEASE_ENDED));
            *ret_at_ms = lines->list.ptr[i].at_ms;
        }
        json_decref(json);
        if (is_mode) {
            break;
        }
    }
    return ended;
}

int controller_close_ended(struct controller *c, const char *id, struct err *err)
{
    struct journal_lines lines = {0};
    char state[32];
    uint64_t at_ms;
    int rc = journal_read(c->options.journal, id, 0, &lines, err);
    if (rc == 0 && controller_ended(&lines, state, &at_ms)) {
        rc = journal_set_state(c->options.journal, id, state, at_ms, err);
    }
    journal_lines_done(&lines);
    return rc;
}
