/* The programs of a slot: see process_int.h. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "drivers/process_int.h"

#include <inttypes.h>
#include <string.h>

#define SEE_ARENA   (64u << 20)
#define TURN_MS     10u
#define OVER_MS     45000u /* what a runner needs besides the grace, at most */
#define SECRETS_MAX (512u * 1024)

bool slot_has_role(const struct spot *spot, enum release_role_kind role)
{
    const struct release_role *r = &spot->config->role[role];
    /* The one host of a cron; without one it is everywhere. */
    return r->given && r->services.len > 0 &&
           (role != ROLE_CRON || r->only_on == NULL || strcmp(r->only_on, spot->host->name) == 0);
}

static const struct program *find(const struct slot_programs *programs, const char *name)
{
    for (size_t i = 0; i < programs->len; i++) {
        if (strcmp(programs->ptr[i].name, name) == 0) {
            return &programs->ptr[i];
        }
    }
    return NULL;
}

static void add_dead(struct driver_copy *copy, const struct program *program)
{
    struct buf b;
    const struct run_state *state = &program->state;
    size_t len = strlen(copy->dead);
    if (state->status == RUN_STOPPED || state->status == RUN_NONE || sizeof copy->dead - len < 40) {
        return;
    }
    buf_init_fixed(&b, copy->dead + len, sizeof copy->dead - len);
    const char *comma = len > 0 ? ", " : "";
    if (!program->held && state->child.pid != 0) {
        buf_addf(&b, "%s%.100s: %s", comma, program->name,
                 program->same_boot ? "its runner was killed" : "the machine was started again");
    } else {
        buf_addf(&b, "%s%.100s: %s, %u times", comma, program->name,
                 state->died[0] != '\0' ? state->died : "ends", state->restarts + 1);
    }
}

bool slot_is_wanted(const struct spot *spot, const struct program *program)
{
    const struct release_role *role = &spot->config->role[program->run.role];
    for (size_t i = 0; role->given && i < role->services.len; i++) {
        if (strcmp(role->services.ptr[i], program->name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_program(const struct spot *spot, struct driver_copy *copy,
                        const struct program *program, uint64_t *hash)
{
    char text[160];
    if (!program->held && !slot_is_wanted(spot, program)) {
        return; /* left from a version that had it */
    }
    copy->restarts += program->state.restarts;
    if (!program->up) {
        copy->runs = false;
        add_dead(copy, program);
        return;
    }
    copy->any = true;
    buf_print(text, sizeof text, "%016" PRIx64 " %s %d %" PRIu64, *hash, program->state.boot,
              (int) program->state.child.pid, program->state.child.start);
    *hash = proc_hash(text, strlen(text));
}

int slot_copy(const struct spot *spot, enum release_slot slot, struct driver_copy *ret,
              struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct slot_programs programs;
    struct copy_note note;
    char slot_dir[PATH_BYTES];
    uint64_t hash = 0;
    size_t wanted = 0;
    arena_init(&arena, SEE_ARENA);
    *ret = (struct driver_copy){.runs = true};
    int rc = path_print(slot_dir, err, "%s/slot-%c", spot->folder, slot_letter(slot));
    rc = rc < 0 ? rc : copy_note_read(slot_dir, &note, err);
    rc = rc < 0 ? rc : slot_programs_see(spot, slot, &arena, &programs, err);
    if (rc < 0) {
        return rc;
    }
    for (int role = ROLE_APP; role <= ROLE_WORKER; role++) {
        const struct release_role *r = &spot->config->role[role];
        for (size_t i = 0; r->given && i < r->services.len; i++) {
            wanted++;
            ret->runs = ret->runs && find(&programs, r->services.ptr[i]) != NULL;
        }
    }
    for (size_t i = 0; i < programs.len; i++) {
        enum run_role role = programs.ptr[i].run.role;
        if (role == RUN_APP || role == RUN_WORKER) {
            add_program(spot, ret, &programs.ptr[i], &hash);
        }
    }
    ret->runs = ret->runs && ret->any && wanted > 0;
    ret->instance = ret->any && hash == 0 ? 1 : hash;
    struct str rest = str_of(note.now), head;
    (void) str_cut(&rest, '@', &head);
    buf_print(ret->version, sizeof ret->version, STR_FMT, STR_ARG(head));
    if (rest.len > 0) {
        buf_print(ret->variant, sizeof ret->variant, STR_FMT, STR_ARG(rest));
    }
    return 0;
}

/* What runs under runners of ours at this host, in both slots. */
struct ours {
    struct arena arena;
    struct slot_programs of[RELEASE_SLOTS];
    VEC(pid_t) leader; /* of their sessions */
};

static void see_ours(const struct spot *spot, struct ours *ours)
{
    *ours = (struct ours){0};
    arena_init(&ours->arena, SEE_ARENA);
    for (int slot = 0; slot < RELEASE_SLOTS; slot++) {
        struct slot_programs *of = &ours->of[slot];
        if (slot_programs_see(spot, (enum release_slot) slot, &ours->arena, of, NULL) < 0) {
            of->len = 0; /* then nothing of it is ours */
        }
        for (size_t i = 0; i < of->len; i++) {
            if (of->ptr[i].held && of->ptr[i].state.child.pid > 0) {
                vec_push(&ours->leader, of->ptr[i].state.child.pid);
            }
        }
    }
}

static bool is_ours(const struct ours *ours, pid_t pid)
{
    struct proc_stat stat;
    bool is = false;
    for (int slot = 0; pid > 0 && proc_stat(pid, &stat) && slot < RELEASE_SLOTS; slot++) {
        for (size_t i = 0; i < ours->of[slot].len; i++) {
            const struct program *program = &ours->of[slot].ptr[i];
            is = is || (program->held && (program->state.child.pid == stat.session ||
                                          proc_has_env(pid, program->run.mark)));
        }
    }
    return is;
}

static int check_port(const struct spot *spot, const struct ours *ours,
                      const struct release_port *port, struct err *err)
{
    uint16_t number = port->number[spot->p->slot];
    struct proc_listener listener;
    int rc =
        number == 0 ? 0 : proc_listener(number, ours->leader.ptr, ours->leader.len, &listener, err);
    if (rc < 0 || number == 0 || !listener.any || is_ours(ours, listener.pid)) {
        return rc;
    }
    return err_set(err, ERR_INVALID,
                   "host %s: port %u (%s of slot %c) is taken by %s (pid %d): end it, or give the "
                   "slot another port",
                   spot->host->name, number, port->name, slot_letter(spot->p->slot),
                   listener.pid > 0 ? listener.name : "a process of somebody else",
                   (int) listener.pid);
}

int slot_ports(const struct spot *spot, struct err *err)
{
    struct ours ours;
    int rc = 0;
    see_ours(spot, &ours);
    for (size_t i = 0; rc == 0 && i < spot->host->ports; i++) {
        rc = check_port(spot, &ours, &spot->host->port[i], err);
    }
    vec_done(&ours.leader);
    arena_done(&ours.arena);
    return rc;
}

static int program_folder(const struct spot *spot, const char *name, char out[PATH_BYTES],
                          struct err *err)
{
    return path_print(out, err, "%s/%s", spot->slot_dir, name);
}

static bool same_secrets(const char *folder, struct str secrets)
{
    _cleanup_(buf_done) struct buf b;
    char path[PATH_BYTES];
    buf_init(&b, SECRETS_MAX);
    bool same = path_print(path, NULL, "%s/env", folder) == 0 && file_get(path, &b, NULL) == 0 &&
                str_eq(buf_str(&b), secrets);
    if (b.ptr != NULL) {
        explicit_bzero(b.ptr, b.cap);
    }
    return same;
}

static bool is_the_same(const struct program *program, const struct run *run, struct str secrets)
{
    return program->known && strcmp(program->run.hash, run->hash) == 0 &&
           (program->state.status == RUN_UP || program->state.status == RUN_WAITS) &&
           same_secrets(program->folder, secrets);
}

/* One look under the lease.  *ret_other: another one runs there, and has to go first. */
static int begin_if_needed(const struct spot *spot, const char *folder, const struct run *run,
                           struct str secrets, bool *ret_other, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct program program;
    int fd = -1, rc = lease_enter(spot->p, &fd, err);
    arena_init(&arena, SEE_ARENA);
    *ret_other = false;
    rc = rc < 0 ? rc : program_see(spot->folder, folder, &arena, &program, err);
    if (rc == 0 && !program.held) {
        rc = program_begin(spot->folder, folder, run, secrets, err);
    } else if (rc == 0) {
        *ret_other = !is_the_same(&program, run, secrets);
    }
    lease_leave(fd);
    return rc;
}

static int stop_one(const struct spot *spot, const char *folder, struct err *err);

int slot_begin(const struct spot *spot, const char *service, enum run_role role, unsigned order,
               struct str secrets, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct run run;
    char folder[PATH_BYTES], logs[PATH_BYTES];
    bool other = false;
    arena_init(&arena, SEE_ARENA);
    int rc = spot_run(spot, service, role, order, &arena, &run, err);
    rc = rc < 0 ? rc : program_folder(spot, service, folder, err);
    rc = rc < 0 ? rc : path_print(logs, err, "%s/logs", spot->folder);
    rc = rc < 0 ? rc : folder_make(logs, false, err);
    while (rc == 0) {
        rc = begin_if_needed(spot, folder, &run, secrets, &other, err);
        if (rc < 0 || !other) {
            break;
        }
        rc = stop_one(spot, folder, err);
    }
    return rc < 0 ? err_wrap(err, "host %s", spot->host->name) : 0;
}

static int gave_up(const struct spot *spot, const struct program *program, struct err *err)
{
    const struct run_state *state = &program->state;
    return err_set(err, ERR_REMOTE,
                   "host %s: program %s does not stay up: %s, begun %u times; its last lines are "
                   "in %s",
                   spot->host->name, program->name,
                   state->died[0] != '\0' ? state->died : "its runner is gone", state->restarts + 1,
                   program->known ? program->run.log : "its log");
}

int slot_wait_up(const struct spot *spot, const char *service, uint64_t up_for_ms,
                 uint64_t until_ms, struct err *err)
{
    char folder[PATH_BYTES], what[192];
    int rc = program_folder(spot, service, folder, err);
    buf_print(what, sizeof what, "program %s to be up", service);
    while (rc == 0) {
        _cleanup_(arena_done) struct arena arena;
        struct program program;
        arena_init(&arena, SEE_ARENA);
        rc = program_see(spot->folder, folder, &arena, &program, err);
        if (rc < 0) {
            break;
        }
        if (!program.held || program.state.status == RUN_LOOPS) {
            return gave_up(spot, &program, err);
        }
        uint64_t now = run_clock_ms();
        if (program.up && now >= program.state.up_ms && now - program.state.up_ms >= up_for_ms) {
            return 0;
        }
        if (clock_mono_ms() >= until_ms) {
            return err_set(err, ERR_TIMEOUT,
                           "host %s: program %s was not up for %" PRIu64 " ms in time",
                           spot->host->name, service, up_for_ms);
        }
        rc = spot_wait(spot->p, TURN_MS, what, err);
    }
    return rc;
}

/* Tells it, or cleans up behind it: *ret_gone. */
static int stop_turn(const struct spot *spot, const char *folder, uint64_t now, uint64_t *tell_at,
                     uint64_t *kill_at, bool *ret_gone, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct program program;
    arena_init(&arena, SEE_ARENA);
    int fd = -1, rc = program_see(spot->folder, folder, &arena, &program, err);
    *ret_gone = rc == 0 && !program.held;
    if (rc < 0 || (!*ret_gone && now < *tell_at)) {
        return rc;
    }
    rc = lease_enter(spot->p, &fd, err);
    if (rc == 0 && *kill_at != 0 && now >= *kill_at && !*ret_gone) {
        spot_tell(spot->p, "host %s: the runner of %s did not answer and was killed",
                  spot->host->name, program.name);
        rc = program_kill(spot->folder, &program, err);
    } else if (rc == 0) {
        rc = program_tell_stop(spot->folder, &program, err);
    }
    lease_leave(fd);
    if (*kill_at == 0) {
        *kill_at = now + (program.known ? program.run.grace_ms : 0) + OVER_MS;
    }
    *tell_at = now + 1000;
    return rc;
}

static int stop_one(const struct spot *spot, const char *folder, struct err *err)
{
    uint64_t tell_at = 0, kill_at = 0;
    bool gone = false;
    int rc = 0;
    char what[192];
    const char *slash = strrchr(folder, '/');
    buf_print(what, sizeof what, "program %.100s to end", slash == NULL ? folder : slash + 1);
    while (rc == 0) {
        rc = stop_turn(spot, folder, clock_mono_ms(), &tell_at, &kill_at, &gone, err);
        if (rc == 0 && gone) {
            return 0;
        }
        rc = rc < 0 ? rc : spot_wait(spot->p, TURN_MS, what, err);
    }
    return rc;
}

int slot_stop(const struct spot *spot, enum release_slot slot, unsigned roles, bool at_once,
              struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct slot_programs programs;
    arena_init(&arena, SEE_ARENA);
    int rc = slot_programs_see(spot, slot, &arena, &programs, err);
    for (size_t i = programs.len; rc == 0 && at_once && i-- > 0;) {
        uint64_t tell_at = 0, kill_at = 0;
        bool gone;
        if ((roles & ROLE_BIT(programs.ptr[i].run.role)) != 0) {
            rc = stop_turn(spot, programs.ptr[i].folder, 0, &tell_at, &kill_at, &gone, err);
        }
    }
    for (size_t i = rc == 0 ? programs.len : 0; rc == 0 && i-- > 0;) {
        if ((roles & ROLE_BIT(programs.ptr[i].run.role)) != 0) {
            rc = stop_one(spot, programs.ptr[i].folder, err);
        }
    }
    return rc < 0 ? err_wrap(err, "host %s, slot %c", spot->host->name, slot_letter(slot)) : 0;
}
