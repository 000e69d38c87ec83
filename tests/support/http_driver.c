/*
 * Drives src/rpc/http.h for the end-to-end tests: lines of fields, parted by tabs, on standard
 * input; one JSON object for each request on standard output.
 *
 *     http_driver TARGET [NAME=VALUE...]     protocol=h1|h2|auto authority=A ca=FILE cert=FILE
 * key=FILE server_name=N insecure=1 max_body=N max_header=N connect_ms=N GET <tab> /path [<tab>
 * NAME=VALUE]...  header=NAME: VALUE, body=TEXT, body_bytes=N, deadline=MS, authority=A, go=1 (the
 * next line is read before its end), cancel=1 (once it is under way), free=1 (never answered) wait
 * for all that are under way spin <tab> MS                          lets the loop run close
 * rpc_conn_close free                                   rpc_conn_free; ends Between lines the loop
 * stands still, as it does in a program that has other things to do.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"
#include "rpc/http.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS  60000
#define SHOW_MAX 2000 /* a longer body is told by its length only */

/* Texts of options and requests, until the end. */
static struct arena texts;

struct driver {
    struct io_loop *loop;
    struct rpc_conn *conn;
    uint64_t started, ended;
    VEC(struct rpc_http *) https;
};

struct job {
    struct driver *driver;
    uint64_t number;
};

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void) fputs("http_driver: ", stderr);
    (void) vfprintf(stderr, fmt, args);
    (void) fputc('\n', stderr);
    va_end(args);
    exit(2); /* NOLINT(concurrency-mt-unsafe): one thread */
}

static uint64_t number_of(struct str value)
{
    uint64_t number;
    if (num_u64(value, 0, UINT64_MAX, &number) < 0) {
        give_up("\"" STR_FMT "\" is no number", STR_ARG(value));
    }
    return number;
}

static char *keep(struct str text)
{
    char *copy = arena_strdup(&texts, text);
    if (copy == NULL) {
        give_up("out of room");
    }
    return copy;
}

/* Splits NAME=VALUE. */
static const char *split(struct str field, struct str *ret_name)
{
    size_t at = str_find_char(field, '=');
    if (at == field.len) {
        give_up("\"" STR_FMT "\" has no \"=\"", STR_ARG(field));
    }
    *ret_name = (struct str){field.ptr, at};
    return keep((struct str){field.ptr + at + 1, field.len - at - 1});
}

static const char *origin_name(enum rpc_origin origin)
{
    static const char *const names[] = {"server", "http", "client", "connect"};
    return names[origin];
}

static void write_headers(struct json_writer *w, const char *key, struct rpc_headers headers)
{
    json_key(w, key);
    json_arr_begin(w);
    for (size_t i = 0; i < headers.len; i++) {
        json_arr_begin(w);
        json_str(w, headers.item[i].name);
        json_str(w, headers.item[i].value);
        json_arr_end(w);
    }
    json_arr_end(w);
}

static void write_facts(struct json_writer *w, const struct rpc_conn_facts *facts)
{
    json_key(w, "conn");
    json_obj_begin(w);
    json_kv_cstr(w, "peer", facts->peer);
    json_kv_cstr(w, "protocol", facts->protocol != NULL ? facts->protocol : "");
    json_kv_cstr(w, "alpn", facts->alpn != NULL ? facts->alpn : "");
    json_kv_cstr(w, "tls", facts->tls_version != NULL ? facts->tls_version : "");
    json_kv_cstr(w, "subject", facts->cert_subject);
    json_kv_i64(w, "not_after_s", facts->cert_not_after_s);
    json_kv_u64(w, "connects", facts->connects);
    json_kv_bool(w, "goaway", facts->goaway);
    json_obj_end(w);
}

static void write_result(const struct job *job, const struct rpc_http_result *result)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, (size_t) 16 << 20);
    json_writer_init(&w, &out);
    json_obj_begin(&w);
    json_kv_u64(&w, "n", job->number);
    json_kv_cstr(&w, "origin", origin_name(result->origin));
    json_kv_cstr(&w, "code", rpc_code_name(result->code));
    json_kv_str(&w, "error", result->error);
    json_kv_u64(&w, "status", result->status);
    write_headers(&w, "headers", result->headers);
    write_headers(&w, "trailers", result->trailers);
    if (result->body.len <= SHOW_MAX && str_is_utf8(result->body)) {
        json_kv_str(&w, "body", result->body);
    }
    json_kv_u64(&w, "body_bytes", result->body.len);
    json_kv_bool(&w, "body_decoded", result->body_decoded);
    json_kv_u64(&w, "headers_at_us", result->headers_at_us);
    json_kv_u64(&w, "end_at_us", result->end_at_us);
    write_facts(&w, &result->conn);
    json_obj_end(&w);
    (void) printf(STR_FMT "\n", STR_ARG(buf_str(&out)));
    (void) fflush(stdout);
    buf_done(&out);
}

static void answered(struct rpc_http *http, const struct rpc_http_result *result, void *ctx)
{
    struct job *job = ctx;
    (void) http;
    write_result(job, result);
    job->driver->ended++;
    mem_free(job);
}

static bool all_ended(void *ctx)
{
    const struct driver *driver = ctx;
    return driver->ended == driver->started;
}

static void wait_all(struct driver *driver)
{
    if (!io_loop_wait(driver->loop, WAIT_MS, all_ended, driver)) {
        give_up("no end within a minute");
    }
}

struct asked {
    struct rpc_http_request request;
    VEC(struct rpc_header) headers;
    bool go, cancel, free;
};

static void take_field(struct asked *asked, struct str field)
{
    struct str name;
    const char *value = split(field, &name);
    struct str text = str_of(value);
    if (str_eq_cstr(name, "header")) {
        size_t colon = str_find_char(text, ':');
        struct rpc_header header = {{value, colon}, {"", 0}};
        if (colon + 2 <= text.len) {
            header.value = (struct str){value + colon + 2, text.len - colon - 2};
        }
        vec_push(&asked->headers, header);
    } else if (str_eq_cstr(name, "body")) {
        asked->request.body = text;
    } else if (str_eq_cstr(name, "body_bytes")) {
        size_t len = (size_t) number_of(text);
        char *bytes = arena_alloc(&texts, len);
        if (bytes == NULL) {
            give_up("out of room");
        }
        memset(bytes, 'x', len);
        asked->request.body = (struct str){bytes, len};
    } else if (str_eq_cstr(name, "deadline")) {
        asked->request.deadline_ms = number_of(text);
    } else if (str_eq_cstr(name, "authority")) {
        asked->request.authority = value;
    } else if (str_eq_cstr(name, "go")) {
        asked->go = true;
    } else if (str_eq_cstr(name, "cancel")) {
        asked->cancel = true;
    } else if (str_eq_cstr(name, "free")) {
        asked->free = true;
    } else {
        give_up("no field \"" STR_FMT "\"", STR_ARG(name));
    }
}

static void start_request(struct driver *driver, struct str method, struct str rest)
{
    struct asked asked = {.go = false};
    struct job *job = mem_zalloc(sizeof *job);
    struct str field;
    if (!str_cut(&rest, '\t', &field)) {
        give_up("a request without a path");
    }
    asked.request.method = keep(method);
    asked.request.path = keep(field);
    while (str_cut(&rest, '\t', &field)) {
        take_field(&asked, field);
    }
    asked.request.headers = (struct rpc_headers){asked.headers.ptr, asked.headers.len};
    job->driver = driver;
    job->number = ++driver->started;
    struct rpc_http *http = rpc_http_start(driver->conn, &asked.request, answered, job);
    vec_done(&asked.headers);
    if (asked.free) {
        rpc_http_free(http);
        mem_free(job);
        driver->ended++;
        return;
    }
    vec_push(&driver->https, http); /* NOLINT(bugprone-sizeof-expression): of pointers */
    if (asked.cancel) {
        (void) io_loop_wait(driver->loop, 50, all_ended, driver);
        if (!all_ended(driver)) {
            rpc_http_cancel(http);
        }
    }
    if (!asked.go) {
        wait_all(driver);
    }
}

/* false: the last line. */
static bool run_line(struct driver *driver, struct str line)
{
    struct str word, rest = line;
    (void) str_cut(&rest, '\t', &word);
    if (str_eq_cstr(word, "wait")) {
        wait_all(driver);
    } else if (str_eq_cstr(word, "spin")) {
        (void) io_loop_wait(driver->loop, number_of(rest), NULL, NULL);
    } else if (str_eq_cstr(word, "close")) {
        rpc_conn_close(driver->conn);
    } else if (str_eq_cstr(word, "free")) {
        return false;
    } else {
        start_request(driver, word, rest);
    }
    return true;
}

static void take_option(struct rpc_conn_options *options, struct str option)
{
    struct str name;
    const char *value = split(option, &name);
    const struct {
        const char *name, **text;
    } named[] = {{"authority", &options->authority},
                 {"ca", &options->tls.ca_file},
                 {"cert", &options->tls.cert_file},
                 {"key", &options->tls.key_file},
                 {"server_name", &options->tls.server_name}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (str_eq_cstr(name, named[i].name)) {
            *named[i].text = value;
            return;
        }
    }
    if (str_eq_cstr(name, "protocol")) {
        options->protocol = strcmp(value, "h2") == 0   ? RPC_H2
                            : strcmp(value, "h1") == 0 ? RPC_H1
                                                       : RPC_AUTO;
    } else if (str_eq_cstr(name, "insecure")) {
        options->tls.insecure = true;
    } else if (str_eq_cstr(name, "max_body")) {
        options->max_message_bytes = (size_t) number_of(str_of(value));
    } else if (str_eq_cstr(name, "max_header")) {
        options->max_header_bytes = (size_t) number_of(str_of(value));
    } else if (str_eq_cstr(name, "connect_ms")) {
        options->connect_timeout_ms = number_of(str_of(value));
    } else {
        give_up("no option \"" STR_FMT "\"", STR_ARG(name));
    }
}

int main(int argc, char **argv)
{
    struct driver driver = {.started = 0};
    struct rpc_conn_options options = {.protocol = RPC_AUTO};
    struct err err = {.msg = ""};
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    arena_init(&texts, (size_t) 1 << 30);
    if (argc < 2 || rpc_target_parse(str_of(argv[1]), &options.target, &err) < 0) {
        give_up("%s", argc < 2 ? "usage: http_driver TARGET [NAME=VALUE...]" : err.msg);
    }
    for (int i = 2; i < argc; i++) {
        take_option(&options, str_of(argv[i]));
    }
    driver.loop = io_loop_new();
    driver.conn = rpc_conn_new(driver.loop, &options);
    while ((len = getline(&line, &size, stdin)) > 0) {
        struct str text = {line, (size_t) len - (line[len - 1] == '\n')};
        if (text.len > 0 && !run_line(&driver, text)) {
            break;
        }
    }
    free(line);
    rpc_conn_free(driver.conn); /* ends what is under way */
    if (driver.ended != driver.started) {
        give_up("%llu requests have no end", (unsigned long long) (driver.started - driver.ended));
    }
    for (size_t i = 0; i < driver.https.len; i++) {
        rpc_http_free(driver.https.ptr[i]);
    }
    vec_done(&driver.https);
    io_loop_free(driver.loop);
    arena_done(&texts);
    return 0;
}
