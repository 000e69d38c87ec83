/* The services of one command; see services.h. */
#include "cli/services.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/cmd_begin.h"
#include "cli/out.h"
#include "cli/routers.h"
#include "cli/shell_word.h"

#include <stdio.h>
#include <string.h>

/* Versions */

static const char *version_in(const char *operand)
{
    const char *sign = strchr(operand, '=');
    return sign == NULL ? operand : sign + 1;
}

static bool is_of(const char *operand, const char *service)
{
    size_t len = strcspn(operand, "=");
    return operand[len] == '=' && strlen(service) == len && strncmp(operand, service, len) == 0;
}

/* What can be said of the operands before a file is read. */
static int check_versions(const struct cli *cli, struct err *err)
{
    const char *all = NULL;
    for (size_t i = 0; i < cli->noperands; i++) {
        const char *operand = cli->operand[i];
        int rc = release_version_check(version_in(operand), err);
        if (rc < 0) {
            return rc;
        }
        if (strchr(operand, '=') != NULL) {
            continue;
        }
        if (all != NULL) {
            return err_set(
                err, ERR_INVALID,
                "\"%s\" and \"%s\" are two versions for all; one service gets its own by "
                "SERVICE=VERSION",
                all, operand);
        }
        all = operand;
    }
    return 0;
}

static int give_version(const struct cli *cli, struct service *to, bool *used, struct err *err)
{
    const char *service = to->room.config.service;
    size_t all = cli->noperands, own = cli->noperands;
    for (size_t i = 0; i < cli->noperands; i++) {
        if (strchr(cli->operand[i], '=') == NULL) {
            all = i;
        } else if (is_of(cli->operand[i], service)) {
            if (own < cli->noperands) {
                return err_set(err, ERR_INVALID, "\"%s\" and \"%s\" are two versions of %s",
                               cli->operand[own], cli->operand[i], service);
            }
            own = i;
        }
    }
    size_t taken = own < cli->noperands ? own : all;
    if (taken == cli->noperands) {
        return err_set(err, ERR_INVALID, "%s gets no version: add %s=VERSION, or VERSION for all",
                       service, service);
    }
    used[taken] = true;
    to->version = version_in(cli->operand[taken]);
    return 0;
}

static int give_versions(struct services *s, struct err *err)
{
    const struct cli *cli = s->cli;
    _cleanup_(mem_freep) bool *used = mem_array(cli->noperands, sizeof *used);
    for (size_t i = 0; i < s->len; i++) {
        int rc = give_version(cli, s->of[i], used, err);
        if (rc < 0) {
            return rc;
        }
    }
    for (size_t i = 0; i < cli->noperands; i++) {
        if (!used[i]) {
            struct buf names;
            char text[256];
            buf_init_fixed(&names, text, sizeof text);
            services_names(s, 0, &names);
            return err_set(err, ERR_INVALID,
                           "\"%s\" is for none of the services that are given: %s", cli->operand[i],
                           text);
        }
    }
    return 0;
}

/* Order */

static void print_circle(const struct services *s, const struct needs_service *service,
                         const struct needs_circle *circle)
{
    _cleanup_(conf_diags_done) struct conf_diags diags = {0};
    VEC(const struct conf_file *) files = {0};
    struct buf b;
    for (size_t i = 0; i < circle->len; i++) {
        const struct needs_service *from = &service[circle->service[i]];
        struct err err = {0};
        (void) err_set(&err, ERR_INVALID, "%s needs %s", from->name, from->need[circle->need[i]]);
        err.pos = from->pos[circle->need[i]];
        (void) conf_error_err(&diags, &err);
    }
    for (size_t i = 0; i < s->opened; i++) {
        for (size_t k = 0; k < s->given[i].room.config.files; k++) {
            const struct conf_file *file = s->given[i].room.config.file[k];
            vec_push(&files, file); /* NOLINT(bugprone-sizeof-expression): of pointers */
        }
    }
    buf_init(&b, OUT_MAX);
    conf_diags_print(&diags, files.ptr, files.len, false, &b);
    (void) fwrite(b.ptr, 1, b.len, stderr);
    buf_done(&b);
    vec_done(&files);
}

static void tell_elsewhere(const struct services *s, const struct needs_service *service)
{
    for (size_t i = 0; i < s->len; i++) {
        for (size_t k = 0; k < service[i].needs; k++) {
            if (needs_find(service, s->len, service[i].need[k]) < 0) {
                out_complain(
                    "note: %s needs %s, whose file is not given: it is released on its own",
                    service[i].name, service[i].need[k]);
            }
        }
    }
}

static enum exit_code find_order(struct services *s)
{
    struct needs_service service[NEEDS_MAX];
    struct needs_circle circle;
    struct err err = {0};
    size_t order[NEEDS_MAX];
    for (size_t i = 0; i < s->opened; i++) {
        const struct release_config *c = &s->given[i].room.config;
        service[i] = (struct needs_service){.name = c->service,
                                            .file = c->path,
                                            .need = c->needs.ptr,
                                            .pos = c->needs_pos,
                                            .needs = c->needs.len};
    }
    if (needs_order(service, s->opened, order, &circle, &err) < 0) {
        print_circle(s, service, &circle);
        return cli_fail(s->cli, &err);
    }
    s->len = s->opened;
    for (size_t i = 0; i < s->len; i++) {
        s->of[i] = &s->given[order[i]];
    }
    if (!s->cli->quiet) {
        tell_elsewhere(s, service);
    }
    return EXIT_DONE;
}

enum exit_code services_open(struct services *s, struct cli *cli, bool has_versions)
{
    struct err err = {0};
    size_t n = cli->release_files.len == 0 ? 1 : cli->release_files.len;
    enum exit_code code = EXIT_DONE;
    *s = (struct services){.cli = cli};
    if (n > NEEDS_MAX) {
        (void) err_set(&err, ERR_INVALID, "%zu release files; a run has at most %d", n, NEEDS_MAX);
        return cli_fail(cli, &err);
    }
    if (has_versions && check_versions(cli, &err) < 0) {
        return cli_fail(cli, &err);
    }
    s->given = mem_array(n, sizeof *s->given);
    while (s->opened < n) { /* what is wrong is told of all files */
        struct service *one = &s->given[s->opened];
        one->file = cli->release_files.len == 0 ? NULL : cli->release_files.ptr[s->opened];
        enum exit_code opened = room_open_file(&one->room, cli, one->file);
        one->room.of_several = n > 1;
        code = code == EXIT_DONE ? opened : code;
        s->opened++;
    }
    if (code == EXIT_DONE) {
        code = find_order(s);
    }
    if (code == EXIT_DONE && has_versions && give_versions(s, &err) < 0) {
        code = cli_fail(cli, &err);
    }
    return code;
}

void services_close(struct services *s)
{
    for (size_t i = 0; i < s->opened; i++) {
        room_close(&s->given[i].room);
    }
    mem_free(s->given);
}

/* Text */

void services_names(const struct services *s, size_t from, struct buf *b)
{
    for (size_t i = from; i < s->len; i++) {
        buf_addf(b, "%s%s", i > from ? ", " : "", s->of[i]->room.config.service);
    }
}

void services_command(const struct services *s, size_t from, const char *kind, struct buf *b)
{
    bool has_versions = strcmp(kind, "release") == 0;
    buf_addf(b, "pourover %s", kind);
    for (size_t i = from; i < s->len && has_versions; i++) {
        buf_addf(b, " %s=%s", s->of[i]->room.config.service, s->of[i]->version);
    }
    for (size_t i = from; i < s->len; i++) {
        buf_add_cstr(b, " -f ");
        shell_word(b, s->of[i]->file);
    }
    if (s->cli->environment != NULL) {
        buf_add_cstr(b, " -e ");
        shell_word(b, s->cli->environment);
    }
    buf_add_cstr(b, s->cli->with_downtime ? " --with-downtime" : "");
}
