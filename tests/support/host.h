#pragma once
/*
 * A host of the process driver for unit tests: a folder in /tmp, a configuration made by hand, and
 * the test program itself as a runner and as programs of the service:
 *     int main(int argc, char **argv)
 *     {
 *         HOST_ROLES(argc, argv);
 *         const struct CMUnitTest tests[] = {HOST_TEST(test_it)};
 * A test gets its world by `struct host_world *w = *state`.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "drivers/driver.h"
#include "drivers/files_int.h"
#include "drivers/proc_int.h"
#include "drivers/run_int.h"
#include "drivers/runner.h"
#include "support/t.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_PROGRAMS    6
#define HOST_DEADLINE_MS 30000u

struct host_world {
    char dir[64], folder[96], self[256];
    struct release_config config;
    struct release_host host[1];
    struct release_port port[2];
    struct release_program program[HOST_PROGRAMS];
    const char *word[HOST_PROGRAMS][8];
    const char *service[ROLES][HOST_PROGRAMS];
    struct buf told;
    atomic_bool cancelled;
    struct driver_place p;
    struct err err;
};

/* A call went well; else its message. */
#define host_ok(w, call)                                           \
    do {                                                           \
        (w)->p.deadline_ms = clock_mono_ms() + HOST_DEADLINE_MS;   \
        int rc_ = (call);                                          \
        t_check(rc_ == 0, "%s: %d: %s", #call, rc_, (w)->err.msg); \
    } while (0)

/* A call failed by this code, with this in its message. */
#define host_fails(w, call, wanted_code, text)                                                   \
    do {                                                                                         \
        (w)->p.deadline_ms = clock_mono_ms() + HOST_DEADLINE_MS;                                 \
        int rc_ = (call);                                                                        \
        t_check(rc_ == (wanted_code) && strstr((w)->err.msg, text) != NULL, "%s: %d: %s", #call, \
                rc_, (w)->err.msg);                                                              \
    } while (0)

/* Waits for a condition, with a deadline. */
#define host_until(condition)                                                      \
    do {                                                                           \
        uint64_t until_ = clock_mono_ms() + HOST_DEADLINE_MS;                      \
        while (!(condition)) {                                                     \
            t_check(clock_mono_ms() < until_, "%s did not come true", #condition); \
            (void) poll(NULL, 0, 5);                                               \
        }                                                                          \
    } while (0)

static const struct driver *const host_driver = &driver_process;

__attribute__((unused, format(printf, 2, 3))) static const char *
host_path(const struct host_world *w, const char *fmt, ...)
{
    static char path[8][512];
    static unsigned next;
    char *out = path[next++ % 8];
    char tail[384];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(tail, sizeof tail, fmt, args);
    va_end(args);
    buf_print(out, sizeof path[0], "%s/%s", w->dir, tail);
    return out;
}

__attribute__((unused)) static void host_write(const char *path, const char *text, unsigned mode)
{
    char folder[512];
    struct err err = {0};
    buf_print(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    t_check(folder_make(folder, false, &err) == 0, "%s", err.msg);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    (void) close(fd);
}

/* The text of a file, "" when it is not there; of eight calls ago it is gone. */
__attribute__((unused)) static const char *host_read(const char *path)
{
    static char text[8][16384];
    static unsigned next;
    char *out = text[next++ % 8];
    struct buf b;
    buf_init_fixed(&b, out, sizeof text[0]);
    (void) file_get(path, &b, NULL);
    return out;
}

__attribute__((unused)) static bool host_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

__attribute__((unused)) static struct run_state host_state(const struct host_world *w,
                                                           const char *program)
{
    struct run_state state = {0};
    (void) run_state_read(host_path(w, "host/%s", program), &state, NULL);
    return state;
}

/* Adds a program to a role: words end with NULL. */
__attribute__((unused)) static void host_program(struct host_world *w, enum release_role_kind role,
                                                 const char *name, const char *const words[])
{
    size_t n = w->config.programs++;
    struct release_role *r = &w->config.role[role];
    size_t len = 0;
    assert_true(n < HOST_PROGRAMS);
    for (; words[len] != NULL; len++) {
        w->word[n][len] = words[len];
    }
    w->program[n] = (struct release_program){.name = name, .command = {w->word[n], len}};
    r->given = true;
    w->service[role][r->services.len++] = name;
    r->services.ptr = w->service[role];
}

#define HOST_PROGRAM(w, role, name, ...) \
    host_program((w), (role), (name), (const char *const[]){__VA_ARGS__, NULL})

__attribute__((unused)) static uint16_t host_free_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &in, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &in, &size), 0);
    (void) close(fd);
    return ntohs(in.sin_port);
}

/* Processes whose environment says that they belong to this host. */
struct host_count {
    const char *folder;
    size_t found;
};

__attribute__((unused)) static bool host_count_one(pid_t pid, const struct proc_stat *stat,
                                                   void *ctx)
{
    struct host_count *count = ctx;
    char path[64], text[PATH_BYTES];
    struct buf b;
    buf_print(path, sizeof path, "/proc/%d/cwd", (int) pid);
    buf_init_fixed(&b, text, sizeof text);
    ssize_t n = readlink(path, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    bool ours = stat->state != 'Z' && strncmp(text, count->folder, strlen(count->folder)) == 0;
    buf_print(path, sizeof path, "/proc/%d/cmdline", (int) pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof text - 1);
        (void) close(fd);
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] == '\0') {
                text[i] = ' ';
            }
        }
        text[n > 0 ? n : 0] = '\0';
        ours = ours || (stat->state != 'Z' && strstr(text, DRIVER_RUNNER_WORD) != NULL &&
                        strstr(text, count->folder) != NULL);
    }
    count->found += ours;
    return true;
}

/* Runners and programs of the host that are there. */
__attribute__((unused)) static size_t host_processes(const struct host_world *w)
{
    struct host_count count = {w->folder, 0};
    proc_each(host_count_one, &count);
    return count.found;
}

/* The folder of a version in the source, with a shell script for each program. */
__attribute__((unused)) static void host_version(const struct host_world *w, const char *version)
{
    host_write(host_path(w, "dist/%s/version", version), version, 0644);
    host_write(host_path(w, "dist/%s/bin/stay", version),
               "#!/bin/sh\necho \"$0 of $POUROVER_VERSION begins\"\nexec sleep 1000\n", 0755);
}

static int host_setup(void **state)
{
    struct host_world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    buf_print(w->dir, sizeof w->dir, "/tmp/pourover-host-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    buf_print(w->folder, sizeof w->folder, "%s/host", w->dir);
    ssize_t n = readlink("/proc/self/exe", w->self, sizeof w->self - 1);
    assert_true(n > 0);
    w->port[0] =
        (struct release_port){.name = "web", .number = {host_free_port(), host_free_port()}};
    w->host[0] = (struct release_host){
        .name = "west-1", .folder = w->folder, .address = "127.0.0.1", .port = w->port, .ports = 1};
    w->config = (struct release_config){.service = "shop",
                                        .dir = w->dir,
                                        .host = w->host,
                                        .hosts = 1,
                                        .source = "dist/${version}",
                                        .program = w->program,
                                        .keep = 3};
    for (int role = 0; role < ROLES; role++) {
        w->config.role[role].grace_ms = 5000;
        w->config.role[role].restarts_watch_ms = 10000;
        w->config.role[role].ready_within_ms = 15000;
    }
    buf_init(&w->told, 65536);
    w->p = (struct driver_place){.config = &w->config,
                                 .version = "1.0",
                                 .variant = "",
                                 .release = "shop-1",
                                 .token = "token-1",
                                 .cancelled = &w->cancelled,
                                 .told = &w->told};
    host_version(w, "1.0");
    host_version(w, "2.0");
    w->p.deadline_ms = clock_mono_ms() + HOST_DEADLINE_MS;
    int rc = host_driver->lease_take(&w->p, "tests", 60000, false, &w->err);
    t_check(rc == 0, "%s", w->err.msg);
    *state = w;
    return 0;
}

static int host_teardown(void **state)
{
    struct host_world *w = *state;
    w->p.token = "the last one";
    w->p.version = w->p.release = w->p.variant = ""; /* a test may have had them on its stack */
    w->p.deadline_ms = clock_mono_ms() + HOST_DEADLINE_MS;
    atomic_store(&w->cancelled, false);
    int rc = host_driver->lease_take(&w->p, "teardown", 60000, true, &w->err);
    for (int slot = 0; rc == 0 && slot < RELEASE_SLOTS; slot++) {
        /* Cron would be given to the other slot. */
        w->config.role[ROLE_CRON].given = false;
        w->p.slot = (enum release_slot) slot;
        rc = host_driver->stop(&w->p, true, &w->err);
    }
    if (rc < 0) {
        print_error("teardown: %s\n", w->err.msg);
    }
    (void) tree_remove(w->dir, NULL);
    buf_done(&w->told);
    free(w);
    return rc;
}

#define HOST_TEST(f) cmocka_unit_test_setup_teardown(f, host_setup, host_teardown)

/* As a program: answers every request on the port by this status line, after a time; notes a line
 * for each request in the file. */
static _Noreturn void host_serve(const char *port, const char *status, const char *note)
{
    uint64_t number = 0;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void) !num_u64(str_of(port), 1, 65535, &number);
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t) number)};
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *) &in, sizeof in) != 0 || listen(fd, 16) != 0) {
        _exit(3);
    }
    for (;;) {
        char text[4096];
        int client = accept(fd, NULL, NULL);
        ssize_t n = recv(client, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\r")] = '\0';
        int to = open(note, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        (void) dprintf(to, "%s\n", text);
        (void) close(to);
        (void) dprintf(client, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                       status);
        (void) close(client);
    }
}

#define HOST_ROLES(argc, argv)                                          \
    do {                                                                \
        if ((argc) > 1 && strcmp((argv)[1], DRIVER_RUNNER_WORD) == 0) { \
            return driver_runner((argc), (argv));                       \
        }                                                               \
        if ((argc) > 4 && strcmp((argv)[1], "serve") == 0) {            \
            host_serve((argv)[2], (argv)[3], (argv)[4]);                \
        }                                                               \
    } while (0)
