#pragma once
/*
 * The process driver's shared ground.  A host is a folder of this machine:
 *     service                  which service lives here
 *     versions/VERSION         what pull copied; VERSION@VARIANT with a variant
 *     slot-a/copy.json         which version was started there last, and which one before
 *     slot-a/PROGRAM/          see run_int.h
 *     logs/a-PROGRAM.log       and .log.1, the older half
 *     migrations/RELEASE-ATTEMPT/ and .json, how it went
 *     lease, lease.lock        see lease_int.h
 *     records/RELEASE.jsonl, requests/
 */
#include "drivers/driver.h"
#include "drivers/files_int.h"
#include "drivers/lease_int.h"
#include "drivers/program_int.h"

#define COPY_NAME_BYTES 260 /* of VERSION@VARIANT with its NUL */

/* A place with its paths. */
struct spot {
    const struct driver_place *p;
    const struct release_config *config;
    const struct release_host *host;
    const char *folder;           /* of the host, absolute */
    char copy[COPY_NAME_BYTES];   /* VERSION@VARIANT; "" without a version */
    char version_dir[PATH_BYTES]; /* "" without a version */
    char slot_dir[PATH_BYTES];
    struct release_place place;
};

/* ERR_INVALID: no such host, no folder, a version or variant that is no name. */
int spot_init(const struct driver_place *p, struct spot *ret, struct err *err);
/* The letter of a slot. */
char slot_letter(enum release_slot slot);
/* Expands a template into memory of the arena. */
int spot_expand(const struct spot *spot, const char *text, struct arena *arena, const char **ret,
                struct err *err);
/* A line for the reader. */
void spot_tell(const struct driver_place *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Waits ms, less when the deadline is near.  ERR_CANCELLED, ERR_TIMEOUT (what: "web to be ready").
 */
int spot_wait(const struct driver_place *p, uint64_t ms, const char *what, struct err *err);
/* Until when something may last that has this much time: never later than the deadline. */
uint64_t spot_until(const struct driver_place *p, uint64_t within_ms);

/* What copy.json says; "" nothing. */
struct copy_note {
    char now[COPY_NAME_BYTES], before[COPY_NAME_BYTES];
};
int copy_note_read(const char *slot_dir, struct copy_note *ret, struct err *err);
int copy_note_write(const char *slot_dir, const struct copy_note *note, struct err *err);

/* Programs that are (or were) in a slot, in the order in which they are begun: of what lies there,
 * not of the configuration, which may be another one by now.  The arena has their texts. */
struct slot_programs {
    struct program *ptr;
    size_t len;
};
int slot_programs_see(const struct spot *spot, enum release_slot slot, struct arena *arena,
                      struct slot_programs *ret, struct err *err);

/* Where the programs of a role come from. */
const struct release_program *spot_program(const struct spot *spot, const char *name);
/* The whole run of a service of a role, in memory of the arena. */
int spot_run(const struct spot *spot, const char *service, enum run_role role, unsigned order,
             struct arena *arena, struct run *ret, struct err *err);
/* Secrets as NAME=value with NUL behind each. */
int spot_secrets(const struct spot *spot, struct buf *ret, struct err *err);
/* Environment of commands that are no programs: lines, ends with NULL. */
int spot_env(const struct spot *spot, const struct release_program *program, struct arena *arena,
             struct run_texts *ret, struct err *err);
/* The first word of a command as a path that exists: of the version's folder, else of PATH. */
int spot_command(const struct spot *spot, const char *root, const char *word, struct arena *arena,
                 const char **ret, struct err *err);
/* The file in the version's folder that says what was copied. */
#define MANIFEST_NAME ".pourover-manifest"

/* The folder that pull copies. */
int spot_source(const struct spot *spot, char out[PATH_BYTES], struct err *err);

/* Copies a folder; sums of its files into manifest, lines "SUM MODE PATH", sorted. */
int copy_tree(const char *from, const char *to, struct buf *manifest, struct err *err);
/* The sums of a folder that is there, the manifest's own file left out. */
int copy_sums(const char *folder, struct buf *manifest, struct err *err);
/* The first path at which two manifests differ; "" none. */
void copy_difference(struct str a, struct str b, char out[256]);

/*
 * Removes what is beyond the last `keep` versions, but for those that run, were started last or
 * were the one before, and the place's own.  The lease is held.
 */
int versions_prune(const struct spot *spot, struct err *err);

/* One request; retried by the caller.  *ret_status 0 with an error: no answer. */
int ask_http(const char *method, const char *url, uint64_t timeout_ms, long *ret_status,
             struct err *err);

/* Runs a command to its end: its output in out (may be NULL), its exit code.  ERR_TIMEOUT: it was
 * killed with all it began. */
struct child_run {
    const char *const *argv; /* the first is a path */
    char *const *env;
    const char *cwd;
    uint64_t until_ms; /* clock_mono_ms */
    const atomic_bool *cancelled;
    const char *name; /* for messages */
};
int child_run(const struct child_run *run, struct buf *out, int *ret_code, struct err *err);

/* slot.c: programs of a slot, begun and stopped.  They enter the lease where they act. */

/* What the copy in a slot is, from its programs. */
int slot_copy(const struct spot *spot, enum release_slot slot, struct driver_copy *ret,
              struct err *err);
bool slot_has_role(const struct spot *spot, enum release_role_kind role);
/* Whether release.yaml has the program in the role that it was begun for. */
bool slot_is_wanted(const struct spot *spot, const struct program *program);
/* Whether somebody else listens on a port of the slot. */
int slot_ports(const struct spot *spot, struct err *err);
/* Runs the program unless this very one runs; another one in its place is stopped before. */
int slot_begin(const struct spot *spot, const char *service, enum run_role role, unsigned order,
               struct str secrets, struct err *err);
/* Waits until the program is up for so long.  ERR_REMOTE: it dies again and again. */
int slot_wait_up(const struct spot *spot, const char *service, uint64_t up_for_ms,
                 uint64_t until_ms, struct err *err);
/* Stops the programs of these roles (bits), the last begun first, one after the other. */
int slot_stop(const struct spot *spot, enum release_slot slot, unsigned roles, bool at_once,
              struct err *err);
#define ROLE_BIT(role) (1u << (unsigned) (role))

int process_observe(const struct driver_place *p, struct driver_seen *ret, struct err *err);
int process_preflight(const struct driver_place *p, struct err *err);
int process_room(const struct driver_place *p, struct err *err);
int process_pull(const struct driver_place *p, struct err *err);
int process_health_fail(const struct driver_place *p, struct err *err);
int process_health_pass(const struct driver_place *p, struct err *err);
int process_stop(const struct driver_place *p, bool stop_all, struct err *err);
int process_proxy(const struct driver_place *p, struct err *err);
int process_connect(const struct driver_place *p, struct err *err);
int process_start(const struct driver_place *p, uint64_t *ret_instance, struct err *err);
int process_migrate(const struct driver_place *p, unsigned attempt, enum driver_migration *ret,
                    struct err *err);
int process_logs(const struct driver_place *p, unsigned lines, struct buf *ret, struct err *err);
int process_record_append(const struct driver_place *p, struct str line, struct err *err);
int process_record_read(const struct driver_place *p, struct buf *ret, struct err *err);
int process_request_put(const struct driver_place *p, struct str line, struct err *err);
int process_request_take(const struct driver_place *p, struct buf *ret, struct err *err);
