/* Commands on releases: what they open, read and fail by. */
#include "cli/room.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/journal_event.h"
#include "cli/out.h"
#include "cli/release_files.h"
#include "cli/room_int.h"
#include "cli/routers.h"
#include "cli/shell_word.h"
#include "cli/view_fill.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --by, else whoever sits here. */
static void who_asks(struct room *r)
{
    char machine[65] = "", memory[4096];
    struct passwd entry, *user = NULL;
    if (r->cli->by != NULL) {
        buf_print(r->by, sizeof r->by, "%s", r->cli->by);
        return;
    }
    (void) gethostname(machine, sizeof machine - 1);
    if (getpwuid_r(getuid(), &entry, memory, sizeof memory, &user) == 0 && user != NULL) {
        buf_print(r->by, sizeof r->by, "%.60s@%s", user->pw_name, machine);
    } else {
        buf_print(r->by, sizeof r->by, "user %ld@%s", (long) getuid(), machine);
    }
}

/* What has to stand behind commands that are proposed. */
static void remember_options(struct room *r, const char *file)
{
    struct buf b;
    buf_init_fixed(&b, r->view.options, sizeof r->view.options);
    if (file != NULL && strcmp(file, "release.yaml") != 0) {
        buf_add_cstr(&b, " -f ");
        shell_word(&b, file);
    }
    if (r->cli->environment != NULL) {
        buf_addf(&b, " -e %s", r->cli->environment);
    }
}

void room_again(struct room *r)
{
    controller_free(r->controller);
    r->controller = controller_new(&(struct controller_options){
        .config = &r->config,
        .journal = r->journal,
        .tell = room_tell,
        .ctx = r,
        .interrupted = &r->interrupted,
        .force = r->cli->force,
    });
}

enum exit_code room_open(struct room *r, struct cli *cli)
{
    return room_open_file(r, cli, cli->release_file);
}

enum exit_code room_open_file(struct room *r, struct cli *cli, const char *file)
{
    struct err err = {0};
    memset(r, 0, sizeof *r);
    r->cli = cli;
    r->view.culprit = -1;
    (void) pthread_mutex_init(&r->mutex, NULL);
    who_asks(r);
    remember_options(r, file);
    enum exit_code code = release_open_file(cli, file, true, &r->config);
    if (code != EXIT_DONE) {
        return code;
    }
    _cleanup_(mem_freep) char *path = journal_default_path();
    if (journal_open(path, &r->journal, &err) < 0) {
        return cli_fail(cli, &err);
    }
    room_again(r);
    return EXIT_DONE;
}

void room_close(struct room *r)
{
    controller_free(r->controller);
    if (r->journal != NULL) {
        journal_close(r->journal);
    }
    view_done(&r->view);
    release_config_done(&r->config);
    (void) pthread_mutex_destroy(&r->mutex);
}

void room_view(struct room *r, bool looks)
{
    view_fill(&r->view, r->controller, &r->config);
    if (looks) {
        struct controller_look *look = mem_zalloc(sizeof *look);
        controller_look(r->controller, look);
        view_fill_look(&r->view, look);
        mem_free(look);
    }
}

int room_load(struct room *r, uint64_t number, bool hosts, struct err *err)
{
    int rc = controller_load(r->controller, number, hosts, err);
    if (rc == ERR_NOT_FOUND && number > 0) {
        return err_set(err, rc, "there is no release %llu of %s in the journal of this machine",
                       (unsigned long long) number, r->config.service);
    }
    if (rc == ERR_NOT_FOUND) {
        return err_set(err, rc,
                       "there is no release of %s, here or at its hosts: begin one with "
                       "`pourover release VERSION%s`",
                       r->config.service, r->view.options);
    }
    return rc;
}

size_t room_read_lines(struct room *r, uint64_t *seq,
                       void (*tell)(struct room *r, const struct controller_event *e))
{
    struct journal_lines lines = {0};
    struct err err = {0};
    const char *id = controller_header(r->controller)->id;
    if (journal_read(r->journal, id, *seq, &lines, &err) < 0) {
        out_complain("%s", err.msg);
    }
    size_t n = lines.list.len;
    for (size_t i = 0; i < n; i++) {
        struct journal_event e;
        *seq = lines.list.ptr[i].seq;
        if (journal_event_read(&r->config, &lines.list.ptr[i], &e)) {
            journal_event_apply(&r->view, &e);
            if (tell != NULL) {
                tell(r, &e.event);
            }
        }
        journal_event_done(&e);
    }
    journal_lines_done(&lines);
    return n;
}

int room_version(struct room *r, char out[128], struct err *err)
{
    struct controller_look *look = mem_zalloc(sizeof *look);
    const char *found = NULL;
    int rc = 0;
    controller_look(r->controller, look);
    for (size_t h = 0; rc == 0 && h < r->config.hosts; h++) {
        for (int s = 0; s < RELEASE_SLOTS; s++) {
            const struct driver_copy *copy = &look->host[h].seen.copy[s];
            if (!look->host[h].serves[s] || copy->version[0] == '\0') {
                continue;
            }
            if (found != NULL && strcmp(found, copy->version) != 0) {
                rc = err_set(err, ERR_CONFLICT,
                             "%s serves %s and another host %s: say the version that all are to "
                             "have, `pourover release VERSION`",
                             r->config.host[h].name, copy->version, found);
                break;
            }
            found = copy->version;
        }
    }
    if (rc == 0 && found == NULL) {
        rc = err_set(err, ERR_NOT_FOUND,
                     "no host serves a version that is known: `pourover status` shows them");
    }
    if (rc == 0) {
        buf_print(out, 128, "%s", found);
    }
    mem_free(look);
    return rc;
}

enum exit_code room_fail(const struct room *r, const struct err *err)
{
    enum exit_code code = exit_of(err->code);
    struct err said = *err;
    if (r->of_several) {
        (void) err_wrap(&said, "%s", r->config.service);
    }
    return cli_fail_as(r->cli, &said, err->code == ERR_CONFLICT ? EXIT_LOCKED : code);
}

enum exit_code room_exit(const struct room_end *end)
{
    if (end->mode == RELEASE_ENDED) {
        return end->direction == RELEASE_FORWARD || end->asked_back ? EXIT_DONE : EXIT_FAILED;
    }
    if (end->mode == RELEASE_PAUSED || end->mode == RELEASE_HELD) {
        return end->interrupted ? EXIT_INTERRUPTED : EXIT_HELD;
    }
    if (end->has_culprit && end->outcome == RELEASE_AWAY) {
        return EXIT_UNREACHABLE;
    }
    if (end->has_culprit && end->outcome == RELEASE_LATE) {
        return EXIT_DEADLINE;
    }
    if (end->has_culprit && end->outcome == RELEASE_NOTHING && end->kind == STEP_TEST) {
        return EXIT_NOTHING;
    }
    return EXIT_FAILED;
}
