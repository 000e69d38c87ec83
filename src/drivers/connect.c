/*
 * Whether outside components answer in their own protocol: see driver.h.  A connection alone proves
 * nothing, as a proxy in between takes it before it knows whether there is somebody behind.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "drivers/process_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRY_MS    3000u
#define PAUSE_MS  100u
#define PIECE_MAX 512u

struct talk {
    const char *name;
    const char *port; /* when the address has none */
    struct str send;  /* nothing: the other side begins */
    size_t wanted;    /* bytes of the answer that are looked at */
    bool (*good)(const unsigned char *answer, size_t len);
    const char *would_be; /* what a good answer is */
};

static bool is_postgres(const unsigned char *answer, size_t len)
{
    return len >= 1 && (answer[0] == 'S' || answer[0] == 'N');
}

/* A packet of three bytes of length and number 0, then the version of the protocol: 10; or an error
 * packet (0xff), which is a MySQL that lets nobody in. */
static bool is_mysql(const unsigned char *answer, size_t len)
{
    return len >= 5 && answer[3] == 0 && answer[4] == 10;
}

static bool is_redis(const unsigned char *answer, size_t len)
{
    return len >= 5 && (memcmp(answer, "+PONG", 5) == 0 || memcmp(answer, "-NOAU", 5) == 0);
}

static const struct talk talks[] = {
    [CONNECT_TCP] = {"tcp", NULL, {NULL, 0}, 0, NULL, "a connection"},
    [CONNECT_POSTGRES] =
        {"postgres", "5432", {"\0\0\0\x08\x04\xd2\x16\x2f", 8}, 1, is_postgres, "S or N"},
    [CONNECT_MYSQL] = {"mysql", "3306", {NULL, 0}, 5, is_mysql, "a greeting of protocol 10"},
    [CONNECT_REDIS] = {"redis", "6379", {"PING\r\n", 6}, 5, is_redis, "+PONG"},
};

/* "HOST:PORT", "[::1]:PORT", "HOST", also behind "NAME://". */
static int split(const char *to, const struct talk *talk, char host[256], char port[8],
                 struct err *err)
{
    const char *scheme = strstr(to, "://");
    struct str rest = str_of(scheme != NULL ? scheme + 3 : to);
    rest.len = str_find_char(rest, '/');
    size_t colon = rest.len;
    while (colon > 0 && rest.ptr[colon - 1] != ':' && rest.ptr[colon - 1] != ']') {
        colon--;
    }
    bool has_port = colon > 0 && rest.ptr[colon - 1] == ':';
    struct str name = {rest.ptr, has_port ? colon - 1 : rest.len};
    struct str digits = {rest.ptr + colon, has_port ? rest.len - colon : 0};
    uint64_t number = 0;
    if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']') {
        name = (struct str){name.ptr + 1, name.len - 2};
    }
    if (name.len == 0 || name.len >= 256 ||
        (has_port ? num_u64(digits, 1, 65535, &number) < 0 : talk->port == NULL)) {
        return err_set(err, ERR_INVALID, "\"%.200s\" is no address for %s: write HOST:PORT", to,
                       talk->name);
    }
    buf_print(host, 256, STR_FMT, STR_ARG(name));
    if (has_port) {
        buf_print(port, 8, "%u", (unsigned) number);
    } else {
        buf_print(port, 8, "%s", talk->port);
    }
    return 0;
}

static bool wait_fd(int fd, short events, uint64_t until_ms)
{
    uint64_t now = clock_mono_ms();
    struct pollfd pfd = {fd, events, 0};
    return now < until_ms && poll(&pfd, 1, (int) (until_ms - now)) > 0;
}

/* 0, or a positive errno value. */
static int open_one(const struct addrinfo *address, uint64_t until_ms, int *ret_fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            error = !wait_fd(fd, POLLOUT, until_ms) ? ETIMEDOUT : 0;
            if (error == 0) {
                (void) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
            }
        }
    }
    if (error != 0) {
        (void) close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static int open_any(const char *host, const char *port, uint64_t until_ms, int *ret_fd,
                    struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0) {
        return err_set(err, ERR_UNREACHABLE, "%s has no address: %s", host, gai_strerror(rc));
    }
    int error = EHOSTUNREACH;
    for (const struct addrinfo *a = found; a != NULL && error != 0; a = a->ai_next) {
        error = open_one(a, until_ms, ret_fd);
    }
    freeaddrinfo(found);
    if (error != 0) {
        (void) err_errno(err, error, "%s:%s cannot be reached", host, port);
        if (err != NULL) {
            err->code = ERR_UNREACHABLE;
        }
        return ERR_UNREACHABLE;
    }
    return 0;
}

static int converse(int fd, const struct talk *talk, const char *to, uint64_t until_ms,
                    struct err *err)
{
    unsigned char answer[PIECE_MAX];
    size_t len = 0;
    if (talk->send.len > 0 &&
        send(fd, talk->send.ptr, talk->send.len, MSG_NOSIGNAL) != (ssize_t) talk->send.len) {
        return err_errno(err, errno, "%s does not take what it is asked", to);
    }
    while (len < talk->wanted) {
        if (!wait_fd(fd, POLLIN, until_ms)) {
            return err_set(err, ERR_TIMEOUT, "%s took the connection and does not answer as %s", to,
                           talk->name);
        }
        ssize_t n = recv(fd, answer + len, sizeof answer - len, 0);
        if (n == 0) {
            return err_set(err, ERR_REMOTE, "%s closed the connection without an answer of %s", to,
                           talk->name);
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return err_errno(err, errno, "%s broke the connection off", to);
        }
        len += n > 0 ? (size_t) n : 0;
    }
    if (talk->good != NULL && !talk->good(answer, len)) {
        return err_set(err, ERR_REMOTE, "%s does not answer as %s: %s was to come first", to,
                       talk->name, talk->would_be);
    }
    return 0;
}

static int try_talk(const struct talk *talk, const char *to, uint64_t until_ms, struct err *err)
{
    char host[256], port[8];
    int fd = -1, rc = split(to, talk, host, port, err);
    rc = rc < 0 ? rc : open_any(host, port, until_ms, &fd, err);
    if (rc == 0) {
        rc = converse(fd, talk, to, until_ms, err);
        (void) close(fd);
    }
    return rc;
}

static int try_http(const char *url, uint64_t until_ms, struct err *err)
{
    long status = 0;
    uint64_t now = clock_mono_ms();
    int rc = ask_http("GET", url, until_ms > now ? until_ms - now : 1, &status, err);
    if (rc == 0 && (status < 200 || status >= 400)) {
        rc = err_set(err, ERR_REMOTE, "%.200s answers %ld, 200 to 399 would be right", url, status);
    }
    return rc;
}

static int try_command(const struct spot *spot, const struct release_connect *connect,
                       uint64_t until_ms, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct run_texts env, words;
    int code = 0, rc = 0;
    char name[160];
    arena_init(&arena, 4 * RUN_TEXT_MAX);
    words.len = connect->command.len;
    words.ptr = arena_alloc(&arena, (words.len + 1) * sizeof *words.ptr);
    if (words.ptr == NULL || words.len == 0) {
        return err_set(err, ERR_INVALID, "a command of `connect:` is empty or too long");
    }
    for (size_t i = 0; rc == 0 && i < words.len; i++) {
        rc = spot_expand(spot, connect->command.ptr[i], &arena, &words.ptr[i], err);
    }
    rc = rc < 0 ? rc : spot_command(spot, spot->version_dir, words.ptr[0], &arena, words.ptr, err);
    rc = rc < 0 ? rc : spot_env(spot, NULL, &arena, &env, err);
    if (rc < 0) {
        return rc;
    }
    union {
        const char **texts;
        char *const *env; /* exec writes to none of them */
    } lines = {.texts = env.ptr};
    buf_print(name, sizeof name, "command %s", connect->command.ptr[0]);
    const struct child_run run = {.argv = words.ptr,
                                  .env = lines.env,
                                  .cwd = spot->version_dir,
                                  .until_ms = until_ms,
                                  .cancelled = spot->p->cancelled,
                                  .name = name};
    rc = child_run(&run, NULL, &code, err);
    if (rc == 0 && code != 0) {
        rc = err_set(err, ERR_REMOTE, "%s ended with code %d", name, code);
    }
    return rc;
}

/* Of tcp: what comes has to begin with `expect`, or have it in what comes first. */
static int try_tcp(const struct release_connect *connect, const char *to, uint64_t until_ms,
                   struct err *err)
{
    char host[256], port[8], answer[PIECE_MAX + 1];
    const struct talk *talk = &talks[CONNECT_TCP];
    size_t len = 0, send_len = connect->send == NULL ? 0 : strlen(connect->send);
    int fd = -1, rc = split(to, talk, host, port, err);
    rc = rc < 0 ? rc : open_any(host, port, until_ms, &fd, err);
    if (rc == 0 && send_len > 0 &&
        send(fd, connect->send, send_len, MSG_NOSIGNAL) != (ssize_t) send_len) {
        rc = err_errno(err, errno, "%s does not take what it is sent", to);
    }
    while (rc == 0 && connect->expect != NULL) {
        ssize_t n =
            wait_fd(fd, POLLIN, until_ms) ? recv(fd, answer + len, sizeof answer - 1 - len, 0) : 0;
        len += n > 0 ? (size_t) n : 0;
        if (memmem(answer, len, connect->expect, strlen(connect->expect)) != NULL) {
            break;
        }
        if (n <= 0 || len == sizeof answer - 1) {
            rc =
                err_set(err, ERR_REMOTE, "%s does not answer with \"%.100s\"", to, connect->expect);
        }
    }
    if (fd >= 0) {
        (void) close(fd);
    }
    return rc;
}

static int try_once(const struct spot *spot, const struct release_connect *connect, const char *to,
                    uint64_t until_ms, struct err *err)
{
    uint64_t most = clock_mono_ms() + TRY_MS;
    uint64_t until = until_ms < most ? until_ms : most;
    switch (connect->kind) {
    case CONNECT_HTTP:
        return try_http(to, until, err);
    case CONNECT_TCP:
        return try_tcp(connect, to, until, err);
    case CONNECT_POSTGRES:
    case CONNECT_MYSQL:
    case CONNECT_REDIS:
        return try_talk(&talks[connect->kind], to, until, err);
    case CONNECT_COMMAND:
        return try_command(spot, connect, until_ms, err);
    case CONNECT_TLS:
    case CONNECT_GRPC:
        break;
    }
    return err_set(err, ERR_INVALID,
                   "driver process cannot ask by tls or grpc yet: use `command:` with a client");
}

static int one(const struct spot *spot, const struct release_connect *connect, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    const char *to = "";
    arena_init(&arena, RUN_TEXT_MAX);
    int rc = connect->to == NULL ? 0 : spot_expand(spot, connect->to, &arena, &to, err);
    /* At least one whole try. */
    uint64_t until = spot_until(spot->p, connect->retry_ms > TRY_MS ? connect->retry_ms : TRY_MS);
    while (rc == 0) {
        rc = try_once(spot, connect, to, until, err);
        bool again = rc == ERR_UNREACHABLE || rc == ERR_REMOTE || rc == ERR_TIMEOUT || rc == ERR_IO;
        if (rc == 0 || !again || clock_mono_ms() + PAUSE_MS >= until) {
            break;
        }
        rc = spot_wait(spot->p, PAUSE_MS, "an outside component to answer", err);
    }
    return rc < 0 ? err_wrap(err, "host %s", spot->host->name) : 0;
}

int process_connect(const struct driver_place *p, struct err *err)
{
    struct spot spot;
    int rc = spot_init(p, &spot, err);
    for (size_t i = 0; rc == 0 && i < p->config->connects; i++) {
        rc = one(&spot, &p->config->connect[i], err);
    }
    return rc;
}
