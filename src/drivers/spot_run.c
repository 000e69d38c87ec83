/* From release.yaml to what a runner runs: commands, environment, secrets. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "drivers/process_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX     65536u
#define SECRETS_MAX    (512u * 1024)
#define SECRET_MS      30000u
#define MANIFEST_BYTES (64u << 20)

static int too_long(struct err *err)
{
    return err_set(err, ERR_FULL, "commands and environment are too long");
}

const struct release_program *spot_program(const struct spot *spot, const char *name)
{
    for (size_t i = 0; i < spot->config->programs; i++) {
        if (strcmp(spot->config->program[i].name, name) == 0) {
            return &spot->config->program[i];
        }
    }
    return NULL;
}

static bool is_program_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int search_path(const char *word, char out[PATH_BYTES])
{
    const char *given = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    struct str rest = str_of(given != NULL ? given : "/usr/local/bin:/usr/bin:/bin"), dir;
    while (str_cut(&rest, ':', &dir)) {
        if (dir.len > 0 && dir.ptr[0] == '/' &&
            path_print(out, NULL, STR_FMT "/%s", STR_ARG(dir), word) == 0 && is_program_file(out)) {
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

int spot_command(const struct spot *spot, const char *root, const char *word, struct arena *arena,
                 const char **ret, struct err *err)
{
    char path[PATH_BYTES];
    struct stat st;
    int rc = word[0] == '/' ? path_print(path, err, "%s", word)
                            : path_print(path, err, "%s/%s", root, word);
    if (rc < 0) {
        return rc;
    }
    bool there = stat(path, &st) == 0;
    if (there && !is_program_file(path)) {
        return err_set(err, ERR_DENIED, "host %s: %s is no file that can be executed (chmod +x?)",
                       spot->host->name, path);
    }
    if (!there && (strchr(word, '/') != NULL || search_path(word, path) < 0)) {
        return err_set(err, ERR_NOT_FOUND, "host %s: command %s is neither in %s nor in PATH",
                       spot->host->name, word, root);
    }
    *ret = arena_strdup(arena, str_of(path));
    return *ret != NULL ? 0 : too_long(err);
}

static bool is_secret(const struct release_config *config, struct str name)
{
    for (size_t i = 0; i < config->secrets; i++) {
        if (str_eq_cstr(name, config->secret[i].name)) {
            return true;
        }
    }
    return false;
}

typedef VEC(const char *) texts_vec;

static int add_env(const struct spot *spot, texts_vec *lines, struct arena *arena, const char *name,
                   const char *value, struct err *err)
{
    if (value == NULL || is_secret(spot->config, str_of(name))) {
        return 0; /* one name, one value: that of the secret */
    }
    /* What comes later counts: programs of a base take what release.yaml says instead. */
    const char *line = arena_printf(arena, "%s=%s", name, value);
    if (line == NULL) {
        return too_long(err);
    }
    size_t len = strlen(name) + 1;
    for (size_t i = 0; i < lines->len; i++) {
        if (strncmp(lines->ptr[i], line, len) == 0) {
            lines->ptr[i] = line;
            return 0;
        }
    }
    vec_push(lines, line);
    return 0;
}

/* Not the whole environment of the controller: it may have passwords of a CI in it, and another
 * controller has another one.  Nor are these what makes a program another one. */
static const char *const kept[] = {"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"};

static int env_lines(const struct spot *spot, const struct release_program *program,
                     texts_vec *lines, struct arena *arena, struct err *err)
{
    char slot[2] = {slot_letter(spot->p->slot), '\0'};
    const struct {
        const char *name, *value;
    } own[] = {
        {"POUROVER_SERVICE", spot->config->service},
        {"POUROVER_HOST", spot->host->name},
        {"POUROVER_VERSION", spot->place.version},
        {"POUROVER_VARIANT", spot->place.variant},
        {"POUROVER_SLOT", slot},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof kept / sizeof kept[0]; i++) {
        const char *value = getenv(kept[i]); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
        rc = add_env(spot, lines, arena, kept[i], value, err);
    }
    for (size_t i = 0; rc == 0 && i < sizeof own / sizeof own[0]; i++) {
        rc = add_env(spot, lines, arena, own[i].name, own[i].value, err);
    }
    for (size_t i = 0; rc == 0 && program != NULL && i < program->env.len; i++) {
        const char *value = NULL;
        rc = spot_expand(spot, program->env.ptr[i].value, arena, &value, err);
        if (rc < 0) {
            return err_wrap(err, "program %s, env %s", program->name, program->env.ptr[i].name);
        }
        rc = add_env(spot, lines, arena, program->env.ptr[i].name, value, err);
    }
    return rc;
}

/* The vector as texts of the arena, with a NULL behind the last. */
static int take_texts(texts_vec *take, struct arena *arena, struct run_texts *ret, struct err *err)
{
    struct run_texts texts = {arena_alloc(arena, (take->len + 1) * sizeof *texts.ptr), take->len};
    if (texts.ptr != NULL && take->len > 0) {
        memcpy(texts.ptr, take->ptr, take->len * sizeof *texts.ptr);
    }
    vec_done(take);
    *ret = texts;
    return texts.ptr != NULL ? 0 : too_long(err);
}

int spot_env(const struct spot *spot, const struct release_program *program, struct arena *arena,
             struct run_texts *ret, struct err *err)
{
    texts_vec lines = {0};
    int rc = env_lines(spot, program, &lines, arena, err);
    if (rc < 0) {
        vec_done(&lines);
        return rc;
    }
    return take_texts(&lines, arena, ret, err);
}

static int secret_of_command(const struct spot *spot, const struct release_secret *secret,
                             struct buf *value, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    char name[160];
    int code = 0;
    arena_init(&arena, RUN_TEXT_MAX);
    struct run_texts argv = {arena_alloc(&arena, (secret->command.len + 1) * sizeof *argv.ptr),
                             secret->command.len};
    if (argv.ptr == NULL || argv.len == 0) {
        return err_set(err, ERR_INVALID, "its command is empty or too long");
    }
    for (size_t i = 0; i < argv.len; i++) {
        argv.ptr[i] = secret->command.ptr[i];
    }
    int rc = spot_command(spot, spot->config->dir, argv.ptr[0], &arena, &argv.ptr[0], err);
    if (rc < 0) {
        return rc;
    }
    buf_print(name, sizeof name, "its command %s", secret->command.ptr[0]);
    const struct child_run run = {
        .argv = argv.ptr,
        .env = environ, /* the command is the controller's, as a hook is */
        .cwd = spot->config->dir,
        .until_ms = spot_until(spot->p, SECRET_MS),
        .cancelled = spot->p->cancelled,
        .name = name,
    };
    rc = child_run(&run, value, &code, err);
    if (rc == 0 && code != 0) {
        rc = err_set(err, ERR_REMOTE, "%s ended with code %d", name, code);
    }
    return rc;
}

static int secret_value(const struct spot *spot, const struct release_secret *secret,
                        struct buf *value, struct err *err)
{
    char path[PATH_BYTES];
    if (secret->env != NULL) {
        const char *text = getenv(secret->env); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
        if (text == NULL) {
            return err_set(err, ERR_NOT_FOUND, "%s is not set in the environment", secret->env);
        }
        buf_add_cstr(value, text);
        return 0;
    }
    if (secret->file != NULL) {
        int rc = secret->file[0] == '/'
                     ? path_print(path, err, "%s", secret->file)
                     : path_print(path, err, "%s/%s", spot->config->dir, secret->file);
        return rc < 0 ? rc : file_get(path, value, err);
    }
    return secret_of_command(spot, secret, value, err);
}

int spot_secrets(const struct spot *spot, struct buf *ret, struct err *err)
{
    for (size_t i = 0; i < spot->config->secrets; i++) {
        const struct release_secret *secret = &spot->config->secret[i];
        struct buf value;
        buf_init(&value, SECRET_MAX);
        int rc = secret_value(spot, secret, &value, err);
        struct str text = buf_str(&value);
        if (rc == 0 && secret->env == NULL && str_ends_with(text, STR("\n"))) {
            text.len--; /* the end of the line is of the file, not of the secret */
        }
        if (rc == 0 && (value.failed || (text.len > 0 && memchr(text.ptr, 0, text.len) != NULL))) {
            rc = err_set(err, ERR_INVALID,
                         "it has a NUL byte or more than %u bytes: no environment can hold it",
                         SECRET_MAX);
        }
        if (rc == 0) {
            buf_addf(ret, "%s=", secret->name);
            buf_add_str(ret, text);
            buf_add_char(ret, '\0');
        }
        if (value.ptr != NULL) {
            explicit_bzero(value.ptr, value.cap);
        }
        buf_done(&value);
        if (rc < 0) {
            return err_wrap(err, "secret %s", secret->name);
        }
    }
    return ret->failed
               ? err_set(err, ERR_FULL, "all secrets together have more than %u bytes", SECRETS_MAX)
               : 0;
}

/* The content behind a path of the version's folder that is in a word: of a file, or of all files
 * of a folder.  A shared proxy is another one only when these are. */
static void hash_path(struct sha256 *sum, const struct spot *spot, const char *path,
                      struct str manifest)
{
    size_t len = strlen(spot->version_dir);
    struct str wanted = str_of(path + len), rest = manifest, line;
    while (wanted.len > 0 && wanted.ptr[0] == '/') {
        wanted.ptr++;
        wanted.len--;
    }
    while (str_cut(&rest, '\n', &line)) {
        struct str head, name = line;
        if (!str_cut(&name, ' ', &head) || !str_cut(&name, ' ', &head)) {
            continue;
        }
        if (str_eq(name, wanted) ||
            (str_starts_with(name, wanted) && (wanted.len == 0 || name.ptr[wanted.len] == '/'))) {
            sha256_add(sum, line.ptr, line.len + 1);
        }
    }
}

static void hash_word(struct sha256 *sum, const struct spot *spot, const char *word, bool shared,
                      struct str manifest)
{
    const char *at = shared ? strstr(word, spot->version_dir) : NULL;
    if (at == NULL) {
        sha256_add(sum, word, strlen(word) + 1);
        return;
    }
    sha256_add(sum, word, (size_t) (at - word));
    hash_path(sum, spot, at, manifest);
}

static void text_of_hash(struct sha256 *sum, char out[65])
{
    uint8_t bytes[32];
    struct buf b;
    sha256_done(sum, bytes);
    buf_init_fixed(&b, out, 65);
    for (size_t i = 0; i < sizeof bytes; i++) {
        buf_addf(&b, "%02x", bytes[i]);
    }
}

/* Whether a line of the environment says whose program it is; what was taken over from whoever
 * calls does not, unless release.yaml says it. */
static bool counts(const char *line, const struct release_program *program, bool shared)
{
    struct str rest = str_of(line), name;
    (void) str_cut(&rest, '=', &name);
    for (size_t i = 0; program != NULL && i < program->env.len; i++) {
        if (str_eq_cstr(name, program->env.ptr[i].name)) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (str_eq_cstr(name, kept[i])) {
            return false;
        }
    }
    return !shared || !str_starts_with(name, STR("POUROVER_V"));
}

static int hash_run(const struct spot *spot, const struct release_program *program, struct run *run,
                    bool shared, struct arena *arena, struct err *err)
{
    _cleanup_(buf_done) struct buf manifest;
    char path[PATH_BYTES], text[65];
    struct sha256 sum;
    int rc = 0;
    buf_init(&manifest, MANIFEST_BYTES);
    if (shared) {
        rc = path_print(path, err, "%s/" MANIFEST_NAME, spot->version_dir);
        rc = rc < 0 ? rc : file_get(path, &manifest, err);
        if (rc < 0) {
            return rc;
        }
    }
    sha256_init(&sum);
    if (!shared) {
        sha256_add(&sum, spot->copy, strlen(spot->copy) + 1);
    }
    for (size_t i = 0; i < run->command.len; i++) {
        hash_word(&sum, spot, run->command.ptr[i], shared, buf_str(&manifest));
    }
    for (size_t i = 0; i < run->env.len; i++) {
        if (counts(run->env.ptr[i], program, shared)) {
            hash_word(&sum, spot, run->env.ptr[i], shared, buf_str(&manifest));
        }
    }
    text_of_hash(&sum, text);
    run->hash = arena_strdup(arena, str_of(text));
    return run->hash != NULL ? 0 : too_long(err);
}

static int run_command(const struct spot *spot, const char *service,
                       const struct release_texts *given, struct arena *arena, struct run *run,
                       struct err *err)
{
    struct run_texts words = {arena_alloc(arena, (given->len + 1) * sizeof *words.ptr), given->len};
    if (words.ptr == NULL) {
        return too_long(err);
    }
    if (given->len == 0) {
        return err_set(err, ERR_INVALID, "program %s has no command", service);
    }
    for (size_t i = 0; i < given->len; i++) {
        int rc = spot_expand(spot, given->ptr[i], arena, &words.ptr[i], err);
        if (rc < 0) {
            return err_wrap(err, "program %s", service);
        }
    }
    int rc = spot_command(spot, spot->version_dir, words.ptr[0], arena, &words.ptr[0], err);
    run->command = words;
    return rc < 0 ? err_wrap(err, "program %s", service) : 0;
}

static int run_names(const struct spot *spot, const char *service, struct arena *arena,
                     struct run *run, struct err *err)
{
    uint64_t digits[2];
    if (rand_bytes(digits, sizeof digits) < 0) {
        return err_set(err, ERR_IO, "no random bytes for the mark of a program");
    }
    bool migration = run->role == RUN_MIGRATION;
    run->mark = arena_printf(arena, RUN_MARK "%016" PRIx64 "%016" PRIx64, digits[0], digits[1]);
    run->cwd = arena_strdup(arena, str_of(spot->version_dir));
    run->log = migration ? arena_printf(arena, "%s/logs/migration-%s.log", spot->folder, service)
                         : arena_printf(arena, "%s/logs/%c-%s.log", spot->folder,
                                        slot_letter(spot->p->slot), service);
    run->program = arena_strdup(arena, str_of(service));
    return run->mark != NULL && run->cwd != NULL && run->log != NULL && run->program != NULL
               ? 0
               : too_long(err);
}

int spot_run(const struct spot *spot, const char *service, enum run_role role, unsigned order,
             struct arena *arena, struct run *ret, struct err *err)
{
    struct run run = {
        .version = spot->place.version,
        .variant = spot->place.variant,
        .release = spot->p->release == NULL ? "" : spot->p->release,
        .role = role,
        .order = order,
    };
    bool migration = role == RUN_MIGRATION;
    const struct release_migration *m = &spot->config->migration;
    const struct release_program *program =
        spot_program(spot, migration && m->in != NULL ? m->in : service);
    int rc = name_check("program", service, err);
    if (rc == 0 && program == NULL && !migration) {
        rc = err_set(err, ERR_INVALID, "program %s of a role is not among `programs:`", service);
    }
    if (rc == 0 && spot->copy[0] == '\0') {
        rc = err_set(err, ERR_INVALID, "program %s cannot be begun without a version", service);
    }
    rc = rc < 0 ? rc
                : run_command(spot, service,
                              migration || program == NULL ? &m->command : &program->command, arena,
                              &run, err);
    rc = rc < 0 ? rc : spot_env(spot, program, arena, &run.env, err);
    rc = rc < 0 ? rc : run_names(spot, service, arena, &run, err);
    if (rc == 0 && !migration) {
        const struct release_role *given = &spot->config->role[role];
        run.stop_signal = given->stop_signal;
        run.then_signal = given->then_signal;
        run.grace_ms = given->grace_ms;
        run.restarts_max = given->restarts_max;
        run.watch_ms = given->restarts_watch_ms;
    }
    bool shared = role == RUN_PROXY && spot->config->role[ROLE_PROXY].shared;
    rc = rc < 0 ? rc : hash_run(spot, program, &run, shared, arena, err);
    if (rc == 0) {
        *ret = run;
    }
    return rc;
}
