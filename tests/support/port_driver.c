/*
 * Makes the calls of src/gateway/port.h for tests/ngx/port.test.mjs.
 *
 *   port_driver [--router [NAME=]URL]... [--service S] [--deadline MS] [--cancel-after MS]
 *               CALL ARGUMENT... [+ CALL ARGUMENT...]...
 *
 * Calls that are joined by + are made at once, each in a thread of its own.  One JSON array is
 * printed, an object for each call: {"code":"ok","error":null,"told":"...","ms":12,...}.
 * "-" as an argument is NULL.  The call `between` looks, prints a line, waits for one on stdin, and
 * looks again.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "gateway/port.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUTERS_MAX 8
#define CALLS_MAX   16
#define ARGS_MAX    16

static struct router routers[ROUTERS_MAX];
static size_t n_routers;
static const char *service = "shop";
static uint64_t deadline_ms = 5000, cancel_after_ms, end_ms;
static atomic_bool cancelled;

struct call {
    const char *arg[ARGS_MAX]; /* the call's name first */
    size_t n;
    pthread_t thread;
    struct buf told, more;  /* more: members of the object */
    struct json_writer out; /* of more */
    struct err err;
    int code;
    uint64_t ms;
};

static void die(const char *what, const char *why)
{
    (void) fprintf(stderr, "port_driver: %s: %s\n", what, why);
    _exit(2); /* other threads may be at work */
}

static const char *text(const struct call *c, size_t i)
{
    if (i >= c->n) {
        die(c->arg[0], "an argument is missing");
    }
    return strcmp(c->arg[i], "-") == 0 ? NULL : c->arg[i];
}

static uint64_t number(const struct call *c, size_t i)
{
    uint64_t value = 0;
    if (num_u64(str_of(text(c, i)), 0, UINT64_MAX, &value) != 0) {
        die(c->arg[0], "an argument is no number");
    }
    return value;
}

static enum track track(const struct call *c, size_t i)
{
    return str_eq_cstr(str_of(text(c, i)), "canary") ? TRACK_CANARY : TRACK_STABLE;
}

static void write_tracks(struct call *c, const char *name, const uint64_t value[TRACKS])
{
    json_key(&c->out, name);
    json_obj_begin(&c->out);
    for (int t = 0; t < TRACKS; t++) {
        json_kv_u64(&c->out, track_name[t], value[t]);
    }
    json_obj_end(&c->out);
}

static int capacity(struct call *c, const struct port_routers *at)
{
    struct port_capacity found = {0};
    int code = port_capacity(at, text(c, 1), text(c, 2), &found, &c->err);
    if (code == 0) {
        write_tracks(c, "weight", found.weight);
        write_tracks(c, "without", found.weight_without);
        json_kv_u64(&c->out, "peers_dc_without", found.peers_dc_without);
        json_kv_bool(&c->out, "known", found.known);
        json_kv_bool(&c->out, "somewhere", found.somewhere);
        json_kv_cstr(&c->out, "track", track_name[found.track]);
    }
    return code;
}

static int split(struct call *c, const struct port_routers *at)
{
    struct router_split found = {0};
    int code = port_split(at, &found, &c->err);
    if (code == 0) {
        json_kv_u64(&c->out, "share_ppm", found.share_ppm);
        json_kv_cstr(&c->out, "salt", found.salt);
        json_kv_bool(&c->out, "enabled", found.enabled);
        json_kv_u64(&c->out, "revision", found.revision);
    }
    return code;
}

static int between(struct call *c, const struct port_routers *at)
{
    struct port_look *from = NULL, *to = NULL;
    struct port_figures figures = {0};
    char line[16];
    int code = port_look(at, &from, &c->err);
    (void) puts("looked");
    (void) fflush(stdout);
    if (code == 0 && fgets(line, sizeof line, stdin) != NULL) {
        code = port_look(at, &to, &c->err);
    }
    if (code == 0 && to != NULL) {
        port_between(from, to, &figures);
        write_tracks(c, "requests", figures.requests);
        write_tracks(c, "errors", figures.errors);
        write_tracks(c, "p99_us", figures.p99_us);
        json_kv_bool(&c->out, "broken", figures.broken);
    }
    port_look_free(from);
    port_look_free(to);
    return code;
}

static int make(struct call *c, const struct port_routers *at)
{
    struct str name = str_of(c->arg[0]);
    struct err *err = &c->err;
    if (str_eq_cstr(name, "drain")) {
        return port_drain(at, text(c, 1), text(c, 2), number(c, 3), number(c, 4), err);
    }
    if (str_eq_cstr(name, "quiet")) {
        return port_quiet(at, text(c, 1), err);
    }
    if (str_eq_cstr(name, "ready")) {
        return port_ready(at, text(c, 1), track(c, 2), err);
    }
    if (str_eq_cstr(name, "add")) {
        return port_add(at, text(c, 1), track(c, 2), text(c, 3), number(c, 4), text(c, 5), err);
    }
    if (str_eq_cstr(name, "remove")) {
        return port_remove(at, text(c, 1), err);
    }
    if (str_eq_cstr(name, "track")) {
        return port_track(at, text(c, 1), track(c, 2), err);
    }
    if (str_eq_cstr(name, "capacity")) {
        return capacity(c, at);
    }
    if (str_eq_cstr(name, "share")) {
        return port_share(at, (uint32_t) number(c, 1), text(c, 2), err);
    }
    if (str_eq_cstr(name, "split")) {
        return split(c, at);
    }
    if (str_eq_cstr(name, "verify")) {
        return port_verify(at, &c->arg[2], c->n - 2, (uint32_t) number(c, 1), err);
    }
    if (str_eq_cstr(name, "between")) {
        return between(c, at);
    }
    die(c->arg[0], "there is no such call");
    return 0;
}

static void *run(void *ctx)
{
    struct call *c = ctx;
    struct port_routers at = {.router = routers,
                              .n = n_routers,
                              .service = service,
                              .cancelled = &cancelled,
                              .deadline_ms = end_ms,
                              .poll_ms = 50,
                              .told = &c->told};
    uint64_t begin = clock_mono_ms();
    c->code = make(c, &at);
    c->ms = clock_mono_ms() - begin;
    return NULL;
}

static const char *code_name(int code)
{
    static const char *const name[] = {
        [ERR_NONE] = "ok",
        [-ERR_INVALID] = "invalid",
        [-ERR_NOT_FOUND] = "not found",
        [-ERR_CONFLICT] = "conflict",
        [-ERR_TIMEOUT] = "timeout",
        [-ERR_IO] = "io",
        [-ERR_REMOTE] = "remote",
        [-ERR_UNREACHABLE] = "unreachable",
        [-ERR_CANCELLED] = "cancelled",
        [-ERR_FULL] = "full",
        [-ERR_DENIED] = "denied",
        [-ERR_INTERNAL] = "internal",
    };
    return name[-code];
}

static int take_option(const char *name, const char *value)
{
    struct err err = {0};
    uint64_t *ms = str_eq_cstr(str_of(name), "--deadline") ? &deadline_ms : &cancel_after_ms;
    if (str_eq_cstr(str_of(name), "--service")) {
        service = value;
    } else if (str_eq_cstr(str_of(name), "--router")) {
        if (n_routers == ROUTERS_MAX ||
            router_parse(str_of(value), &routers[n_routers], &err) != 0) {
            die(value, err.msg);
        }
        n_routers++;
    } else if (num_u64(str_of(value), 0, 3600000, ms) != 0) {
        die(name, value);
    }
    return 2;
}

static size_t take_calls(char **arg, struct call *call)
{
    size_t n = 0;
    for (; *arg != NULL && n < CALLS_MAX; n++) {
        struct call *c = &call[n];
        while (*arg != NULL && strcmp(*arg, "+") != 0 && c->n < ARGS_MAX) {
            c->arg[c->n++] = *arg++;
        }
        arg += *arg != NULL;
        buf_init(&c->told, 65536);
        buf_init(&c->more, 65536);
        json_writer_init(&c->out, &c->more);
        json_obj_begin(&c->out);
    }
    return n;
}

static void print(struct call *call, size_t n)
{
    (void) putchar('[');
    for (size_t i = 0; i < n; i++) {
        struct call *c = &call[i];
        json_kv_cstr(&c->out, "code", code_name(c->code));
        json_kv_cstr(&c->out, "error", c->code != 0 ? c->err.msg : NULL);
        json_kv_cstr(&c->out, "told", c->told.len > 0 ? c->told.ptr : "");
        json_kv_u64(&c->out, "ms", c->ms);
        json_obj_end(&c->out);
        (void) printf("%s%s", i > 0 ? "," : "", c->more.ptr);
        buf_done(&c->told);
        buf_done(&c->more);
    }
    (void) puts("]");
}

int main(int argc, char **argv)
{
    static struct call call[CALLS_MAX];
    int i = 1;
    while (i + 1 < argc && strncmp(argv[i], "--", 2) == 0) {
        i += take_option(argv[i], argv[i + 1]);
    }
    end_ms = clock_mono_ms() + deadline_ms;
    size_t n = take_calls(&argv[i], call);
    for (size_t k = 0; k < n; k++) {
        if (pthread_create(&call[k].thread, NULL, run, &call[k]) != 0) {
            die("pthread_create", "no thread");
        }
    }
    if (cancel_after_ms > 0) {
        struct timespec pause = {(time_t) (cancel_after_ms / 1000),
                                 (long) (cancel_after_ms % 1000) * 1000000};
        (void) nanosleep(&pause, NULL);
        atomic_store(&cancelled, true);
    }
    for (size_t k = 0; k < n; k++) {
        (void) pthread_join(call[k].thread, NULL);
    }
    print(call, n);
    for (size_t k = 0; k < n_routers; k++) {
        router_done(&routers[k]);
    }
    return 0;
}
