/* Requests to whoever runs a release, and what is answered, as JSON. */
#include "base/json.h"
#include "controller/controller_int.h"

void controller_request_write(const struct controller *c, const char *id, const char *text,
                              const char *by, const char *why, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    struct str word, rest = str_of(text);
    (void) str_cut(&rest, ' ', &word);
    json_kv_str(&w, "do", word);
    while (rest.len > 0 && str_cut(&rest, ' ', &word)) {
        if (str_eq_cstr(word, "--force")) {
            json_kv_bool(&w, "force", true);
        } else if (str_eq_cstr(word, "done") || str_eq_cstr(word, "again")) {
            json_kv_str(&w, "migration", word);
        }
    }
    json_kv_cstr(&w, "id", id);
    json_kv_cstr(&w, "release", c->header.id);
    json_kv_cstr(&w, "by", by == NULL ? "" : by);
    json_kv_cstr(&w, "why", why == NULL ? "" : why);
    json_obj_end(&w);
}

void controller_answer_write(const char *id, const char *answer, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "kind", "answer");
    json_kv_cstr(&w, "request", id);
    json_kv_cstr(&w, "text", answer);
    json_obj_end(&w);
}
