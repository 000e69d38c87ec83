/* Several services, one after the other; see run_services.h. */
#include "cli/run_services.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/cmd_begin.h"
#include "cli/out.h"
#include "cli/routers.h"

#include <string.h>

struct run {
    struct services *s;
    const char *kind;
    struct controller_wish wish[NEEDS_MAX];
    char *rest[NEEDS_MAX], *command[NEEDS_MAX]; /* of those behind it; owned */
};

/* What the first line of each release keeps of those behind it, for whoever resumes it. */
static int make_rest(struct run *run, size_t at, struct err *err)
{
    const struct release_header *header = NULL;
    struct buf names, command;
    bool last = at + 1 == run->s->len;
    buf_init(&names, sizeof header->rest - 1);
    buf_init(&command, sizeof header->rest_command - 1);
    if (!last) {
        services_names(run->s, at + 1, &names);
        services_command(run->s, at + 1, run->kind, &command);
    }
    bool fits = !names.failed && !command.failed;
    run->rest[at] = mem_strdup(last || !fits ? "" : names.ptr);
    run->command[at] = mem_strdup(last || !fits ? "" : command.ptr);
    run->wish[at].rest = run->rest[at];
    run->wish[at].rest_command = run->command[at];
    buf_done(&names);
    buf_done(&command);
    return fits ? 0
                : err_set(err, ERR_INVALID,
                          "the names of the services, or of their files, are too long together: a "
                          "command with them has at most %zu bytes",
                          sizeof header->rest_command - 1);
}

/* The wish of one, and its plan, by a look: what cannot be is known before anything is touched. */
static enum exit_code plan_one(struct run *run, size_t at)
{
    struct service *one = run->s->of[at];
    struct room *r = &one->room;
    struct err err = {0};
    if (one->version == NULL) {
        if (room_version(r, one->now, &err) < 0) {
            return room_fail(r, &err);
        }
        one->version = one->now;
    }
    run->wish[at] = (struct controller_wish){
        .kind = run->kind,
        .version = one->version,
        .by = r->by,
        .why = r->cli->why,
        .with_downtime = r->cli->with_downtime,
    };
    if (controller_plan(r->controller, &run->wish[at], &err) < 0) {
        return room_fail(r, &err);
    }
    room_view(r, false);
    return EXIT_DONE;
}

static enum exit_code plan_all(struct run *run)
{
    struct err err = {0};
    enum exit_code first = EXIT_DONE;
    for (size_t i = 0; i < run->s->len; i++) {
        enum exit_code code = plan_one(run, i);
        first = first == EXIT_DONE ? code : first;
    }
    for (size_t i = 0; i < run->s->len && first == EXIT_DONE; i++) {
        if (make_rest(run, i, &err) < 0) {
            first = cli_fail(run->s->cli, &err);
        }
    }
    if (first != EXIT_DONE) {
        out_complain("nothing was begun, of no service");
    }
    return first;
}

static bool may_begin(const struct run *run)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    for (size_t i = 0; i < run->s->len; i++) {
        const struct view *v = &run->s->of[i]->room.view;
        buf_addf(&b, "%s: %s -> %s, %zu steps on %zu hosts\n", v->service, v->from, v->to, v->len,
                 v->hosts);
    }
    buf_addf(&b, "%zu services, in this order; begin?", run->s->len);
    bool may = room_ask(&run->s->of[0]->room, b.ptr);
    buf_done(&b);
    return may;
}

static void tell_head(const struct run *run, size_t at)
{
    const struct cli *cli = run->s->cli;
    if (!cli->json && !cli->quiet) {
        out_printf("== %s: %s %s, %zu of %zu ==\n", run->s->of[at]->room.config.service, run->kind,
                   run->wish[at].version, at + 1, run->s->len);
    }
}

static void add_rest(struct buf *b, const char *rest, const char *command, const char *behind)
{
    buf_addf(b, "not begun: %s; ", rest);
    if (behind != NULL) {
        buf_addf(b, "when %s is done, ", behind);
    }
    buf_addf(b, "go on with\n  %s\n", command);
}

static void json_names(const struct run *run, size_t from, size_t to, struct json_writer *w)
{
    json_arr_begin(w);
    for (size_t i = from; i < to; i++) {
        json_cstr(w, run->s->of[i]->room.config.service);
    }
    json_arr_end(w);
}

/* stopped: of[stopped] stopped the run; len: nobody did.  Not begun are those from of[rest] on. */
static void tell_end(const struct run *run, size_t stopped, size_t rest, enum exit_code code)
{
    const struct services *s = run->s;
    const char *behind =
        stopped < rest && stopped < s->len ? s->of[stopped]->room.config.service : NULL;
    _cleanup_(buf_done) struct buf text, names, command, b;
    buf_init(&text, OUT_MAX);
    buf_init(&names, OUT_MAX);
    buf_init(&command, OUT_MAX);
    buf_init(&b, OUT_MAX);
    if (rest < s->len) {
        services_names(s, rest, &names);
        services_command(s, rest, run->kind, &command);
        add_rest(&text, names.ptr, command.ptr, behind);
    }
    if (!s->cli->json) {
        out_write(buf_str(&text));
        return;
    }
    struct json_writer w;
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "event", "run");
    json_kv_u64(&w, "at_ms", clock_wall_ms());
    json_key(&w, "done");
    json_names(run, 0, stopped, &w);
    json_kv_cstr(&w, "stopped", behind);
    json_key(&w, "not_begun");
    json_names(run, rest, s->len, &w);
    json_kv_cstr(&w, "command", rest < s->len ? command.ptr : NULL);
    json_kv_u64(&w, "exit", code);
    json_kv_str(&w, "text", buf_str(&text));
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
}

static enum exit_code go(struct run *run)
{
    struct services *s = run->s;
    struct room *room[NEEDS_MAX] = {0};
    const size_t n = s->len;
    enum exit_code code = EXIT_DONE;
    size_t done = 0, rest;
    for (size_t i = 0; i < n; i++) {
        room[i] = &s->of[i]->room;
    }
    for (; done < n; done++) {
        tell_head(run, done);
        room_again(room[done]);
        code = release_begin_beside_train(room[done], &run->wish[done]);
        if (code != EXIT_DONE) {
            break;
        }
        if (room[done]->interrupted && done + 1 < n) { /* too late for this one */
            code = EXIT_INTERRUPTED;
            done++;
            break;
        }
    }
    rest = done < n && room[done]->begun ? done + 1 : done;
    tell_end(run, done, rest, code);
    return room_report(room, n, code);
}

enum exit_code run_services(struct services *s, const char *kind)
{
    struct run *run = mem_zalloc(sizeof *run);
    run->s = s;
    run->kind = kind;
    enum exit_code code = plan_all(run);
    if (code == EXIT_DONE) {
        code = may_begin(run) ? go(run) : EXIT_HELD;
    }
    for (size_t i = 0; i < s->len; i++) {
        mem_free(run->rest[i]);
        mem_free(run->command[i]);
    }
    mem_free(run);
    return code;
}

void run_services_tell_rest(const struct room *r)
{
    const struct release *release = controller_release(r->controller);
    const struct release_header *header = controller_header(r->controller);
    _cleanup_(buf_done) struct buf text = {0};
    _cleanup_(buf_done) struct buf b = {0};
    if (release == NULL || header->rest[0] == '\0' ||
        release_direction(release) != RELEASE_FORWARD) {
        return;
    }
    bool ended = release_mode(release) == RELEASE_ENDED;
    buf_init(&text, OUT_MAX);
    buf_init(&b, OUT_MAX);
    add_rest(&text, header->rest, header->rest_command, ended ? NULL : r->config.service);
    if (!r->cli->json) {
        out_write(buf_str(&text));
        return;
    }
    struct json_writer w;
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "event", "rest");
    json_kv_u64(&w, "at_ms", clock_wall_ms());
    json_kv_cstr(&w, "service", r->config.service);
    json_kv_cstr(&w, "not_begun", header->rest);
    json_kv_cstr(&w, "command", header->rest_command);
    json_kv_str(&w, "text", buf_str(&text));
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
}
