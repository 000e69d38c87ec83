/*
 * The smallest service that can be released: answers "ok" to every request, and ends with TERM or
 * when the process DEMO_OWNER is gone.  For fleets of a hundred hosts on one machine.
 *
 *     tiny_service PORT
 */
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 1000

static volatile sig_atomic_t ending;

static void end(int signal)
{
    (void) signal;
    ending = 1;
}

static int listen_at(uint16_t port)
{
    const int on = 1;
    struct sockaddr_in at = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *) &at, sizeof at) != 0 || listen(fd, 64) != 0) {
        perror("tiny_service");
        exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    return fd;
}

static void answer(int fd)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
        "Connection: close\r\n\r\nok\n";
    char request[4096];
    struct pollfd in = {.fd = fd, .events = POLLIN};
    if (poll(&in, 1, LOOK_MS) > 0 && read(fd, request, sizeof request) > 0) {
        (void) !write(fd, text, sizeof text - 1);
    }
    (void) close(fd);
}

int main(int argc, char **argv)
{
    const char *owner = getenv("DEMO_OWNER"); /* NOLINT(concurrency-mt-unsafe) */
    const struct sigaction at_pipe = {.sa_handler = SIG_IGN}, at_term = {.sa_handler = end};
    uint64_t port = 0, pid = 0;
    if (argc != 2 || num_u64(str_of(argv[1]), 1, UINT16_MAX, &port) < 0 ||
        (owner != NULL && num_u64(str_of(owner), 1, INT32_MAX, &pid) < 0)) {
        (void) fputs("usage: [DEMO_OWNER=PID] tiny_service PORT\n", stderr);
        return 2;
    }
    (void) sigaction(SIGPIPE, &at_pipe, NULL);
    (void) sigaction(SIGTERM, &at_term, NULL);
    struct pollfd in = {.fd = listen_at((uint16_t) port), .events = POLLIN};
    while (!ending && (pid == 0 || kill((pid_t) pid, 0) == 0 || errno != ESRCH)) {
        int fd = poll(&in, 1, LOOK_MS) > 0 ? accept4(in.fd, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0) {
            answer(fd);
        }
    }
    return 0;
}
