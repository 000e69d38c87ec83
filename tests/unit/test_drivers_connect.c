/* The proxy that fails its check by command, and outside components that answer or do not. */
#include "support/host.h"

/* A server for one connection after another, in a process of its own: reads and says the answer;
 * without an answer it says `first` and does not read.  Both have len bytes. */
struct server {
    pid_t pid;
    uint16_t port;
    char to[64];
};

static struct server serve(const char *first, const char *answer, size_t answer_len)
{
    struct server server = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &in, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &in, &size), 0);
    server.port = ntohs(in.sin_port);
    buf_print(server.to, sizeof server.to, "127.0.0.1:%u", server.port);
    server.pid = fork();
    if (server.pid == 0) {
        for (;;) {
            char text[512];
            int client = accept(fd, NULL, NULL);
            (void) !write(client, first, answer == NULL ? answer_len : 0);
            if (answer != NULL && read(client, text, sizeof text) > 0) {
                (void) !write(client, answer, answer_len);
            }
            if (answer_len > 0) {
                (void) close(client);
            } /* else it takes the connection and says nothing, as a proxy does */
        }
    }
    (void) close(fd);
    return server;
}

static void end(struct server *server)
{
    (void) kill(server->pid, SIGKILL);
    (void) waitpid(server->pid, NULL, 0);
}

static int ask(struct host_world *w, enum release_connect_kind kind, const char *to)
{
    struct release_connect connect = {.kind = kind, .to = to};
    w->config.connect = &connect;
    w->config.connects = 1;
    w->p.deadline_ms = clock_mono_ms() + 400;
    int rc = host_driver->connect(&w->p, &w->err);
    w->config.connects = 0;
    return rc;
}

static void test_components_answer_in_their_own_protocol(void **state)
{
    static const struct {
        const char *first, *answer;
        size_t len;
        enum release_connect_kind kind;
        bool good;
    } rows[] = {
        {"", "S", 1, CONNECT_POSTGRES, true},
        {"", "N", 1, CONNECT_POSTGRES, true},
        {"", "HTTP/1.1 400", 12, CONNECT_POSTGRES, false},
        {"", NULL, 0, CONNECT_POSTGRES, false},
        {"J\0\0\0\n8.0", NULL, 8, CONNECT_MYSQL, true},
        {"\x17\0\0\0\xff\x10\4Too many connections", NULL, 27, CONNECT_MYSQL, false},
        {"", "+PONG\r\n", 7, CONNECT_REDIS, true},
        {"", "-NOAUTH Authentication required.\r\n", 34, CONNECT_REDIS, true},
        {"", "-LOADING\r\n", 10, CONNECT_REDIS, false},
        {"", "HTTP/1.1 204 Yes\r\n\r\n", 20, CONNECT_HTTP, true},
        {"", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 38, CONNECT_HTTP, false},
        {"", NULL, 0, CONNECT_TCP, true},
    };
    struct host_world *w = *state;
    T_TABLE(row, rows)
    {
        struct server server = serve(row->first, row->answer, row->len);
        char url[96];
        buf_print(url, sizeof url, "http://%s/ping", server.to);
        int rc = ask(w, row->kind, row->kind == CONNECT_HTTP ? url : server.to);
        end(&server);
        t_check((rc == 0) == row->good, "row %td: %d %s", row - rows, rc, w->err.msg);
    }
    struct server tcp = serve("", "220 ready\r\n", 11);
    struct release_connect connect = {.to = tcp.to, .send = "HELO\r\n", .expect = "220"};
    w->config.connect = &connect;
    w->config.connects = 1;
    host_ok(w, host_driver->connect(&w->p, &w->err));
    connect.expect = "250";
    w->p.deadline_ms = clock_mono_ms() + 400;
    assert_int_equal(host_driver->connect(&w->p, &w->err), ERR_REMOTE);
    w->config.connects = 0;
    end(&tcp);
    struct server gone = serve("", "", 0);
    end(&gone);
    assert_int_equal(ask(w, CONNECT_REDIS, gone.to), ERR_UNREACHABLE);
    assert_int_equal(ask(w, CONNECT_TCP, "no-port"), ERR_INVALID);
    assert_int_equal(ask(w, CONNECT_TLS, "127.0.0.1:1"), ERR_INVALID);
    assert_int_equal(ask(w, CONNECT_GRPC, "127.0.0.1:1"), ERR_INVALID);
}

static void test_a_component_that_comes_back_in_time_is_fine(void **state)
{
    struct host_world *w = *state;
    char text[256];
    const char *command[] = {"bin/check"};
    struct release_connect connect = {
        .kind = CONNECT_COMMAND, .command = {command, 1}, .retry_ms = 20000};
    buf_print(text, sizeof text,
              "#!/bin/sh\ntest \"$(cat ../../../times)\" = xxx && exit 0\n"
              "printf x >> ../../../times; exit 1\n");
    host_write(host_path(w, "dist/1.0/bin/check"), text, 0755);
    host_ok(w, host_driver->pull(&w->p, &w->err));
    w->config.connect = &connect;
    w->config.connects = 1;
    host_ok(w, host_driver->connect(&w->p, &w->err));
    host_write(host_path(w, "host/versions/1.0/bin/check"), "#!/bin/sh\nsleep 1000\n", 0755);
    w->p.deadline_ms = clock_mono_ms() + 300;
    int rc = host_driver->connect(&w->p, &w->err);
    t_check(rc == ERR_TIMEOUT && strstr(w->err.msg, "command bin/check took too long") != NULL,
            "%d %s", rc, w->err.msg);
    w->config.connects = 0;
}

static char note[128];

static void give_proxy(struct host_world *w)
{
    buf_print(note, sizeof note, "%s/note", w->dir);
    HOST_PROGRAM(w, ROLE_PROXY, "edge", w->self, "serve", "${port.web}", "200 OK", note,
                 "${folder}/edge.conf");
    host_write(host_path(w, "dist/1.0/edge.conf"), "one", 0644);
    host_write(host_path(w, "dist/2.0/edge.conf"), "one", 0644);
    w->config.role[ROLE_PROXY].shared = true;
    w->config.role[ROLE_PROXY].fail = "POST http://127.0.0.1:${port.web}/fail";
    w->config.role[ROLE_PROXY].ok = "POST http://127.0.0.1:${port.web}/ok";
    w->config.role[ROLE_PROXY].flag = "flags/drain";
}

static void test_a_proxy_fails_its_check_before_anything_else(void **state)
{
    struct host_world *w = *state;
    struct driver_seen seen;
    give_proxy(w);
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_ok(w, host_driver->health_fail(&w->p, &w->err)); /* none runs: that fails, too */
    t_check(strstr(w->told.ptr, "the proxy does not run") != NULL, "%s", w->told.ptr);
    assert_true(host_exists(host_path(w, "host/flags/drain")));
    host_ok(w, host_driver->proxy(&w->p, &w->err));
    assert_string_equal(host_read(note), "POST /fail HTTP/1.1\n");
    host_ok(w, host_driver->observe(&w->p, &seen, &w->err));
    assert_true(seen.proxy_runs);
    assert_int_equal(seen.copy[0].instance, 0); /* it is no part of the copy */
    host_ok(w, host_driver->health_pass(&w->p, &w->err));
    assert_string_equal(host_read(note), "POST /fail HTTP/1.1\nPOST /ok HTTP/1.1\n");
    assert_false(host_exists(host_path(w, "host/flags/drain")));
    host_ok(w, host_driver->stop(&w->p, false, &w->err)); /* the proxy stays */
    host_ok(w, host_driver->observe(&w->p, &seen, &w->err));
    assert_true(seen.proxy_runs);
    host_ok(w, host_driver->stop(&w->p, true, &w->err));
    assert_int_equal(host_processes(w), 0);
    host_fails(w, host_driver->health_pass(&w->p, &w->err), ERR_REMOTE, "does not run");
}

static void test_a_shared_proxy_is_another_one_only_when_its_files_are(void **state)
{
    struct host_world *w = *state;
    give_proxy(w);
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_ok(w, host_driver->proxy(&w->p, &w->err));
    struct run_state first = host_state(w, "slot-a/edge");
    w->p.version = "2.0";
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_ok(w, host_driver->proxy(&w->p, &w->err));
    assert_int_equal(host_state(w, "slot-a/edge").child.pid, first.child.pid);
    host_version(w, "3.0");
    host_write(host_path(w, "dist/3.0/edge.conf"), "another", 0644);
    w->p.version = "3.0";
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_ok(w, host_driver->proxy(&w->p, &w->err));
    assert_int_not_equal(host_state(w, "slot-a/edge").child.pid, first.child.pid);
    assert_false(proc_lives(first.child));
    /* Not shared: part of the version. */
    first = host_state(w, "slot-a/edge");
    w->config.role[ROLE_PROXY].shared = false;
    host_ok(w, host_driver->proxy(&w->p, &w->err));
    assert_int_not_equal(host_state(w, "slot-a/edge").child.pid, first.child.pid);
}

static void test_a_proxy_that_refuses_the_command_is_no_success(void **state)
{
    struct host_world *w = *state;
    give_proxy(w);
    w->word[0][3] = "403 No";
    w->config.role[ROLE_PROXY].ready_within_ms = 500;
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_fails(w, host_driver->proxy(&w->p, &w->err), ERR_REMOTE, "/fail answers 403");
}

int main(int argc, char **argv)
{
    HOST_ROLES(argc, argv);
    const struct CMUnitTest tests[] = {
        HOST_TEST(test_components_answer_in_their_own_protocol),
        HOST_TEST(test_a_component_that_comes_back_in_time_is_fine),
        HOST_TEST(test_a_proxy_fails_its_check_before_anything_else),
        HOST_TEST(test_a_shared_proxy_is_another_one_only_when_its_files_are),
        HOST_TEST(test_a_proxy_that_refuses_the_command_is_no_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
