/*
 * gRPC calls for tests: makes them as its arguments say and prints a JSON line for everything that
 * happens, with the number of the call.
 *
 *     rpc_driver TARGET PATH [option value]...
 *         -m HEX[+N]  a message, with N zeros behind it (any number of times)
 *         -z 1        messages are compressed
 *         -u 1        the method answers with one message -d MS deadline
 *         -n N        calls, all at once                  -r N  rounds, one after the other
 *         -H NAME=V   metadata; of a -bin name V is hex   -a AUTHORITY
 *         -C FILE     CA file     -c FILE -k FILE  certificate and key      -s NAME  name to verify
 *         -i 1        do not verify                       -t MS connect timeout
 *         -L BYTES    limit of a message                  -W BYTES window
 *         -p 1        ping-pong: a message is sent after each answer, then the end
 *         -o 1        keep the request open (no half-close)
 *         -x N        cancel after N messages (0: at once)
 *         -q 1        quiet: no lines for messages and headers
 */
#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"
#include "rpc/call.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX ((size_t) 64 << 10) /* of a message; of longer ones only the length is told */
#define LINE_MAX  ((size_t) 4 << 20)
#define WAIT_MS   120000

struct plan {
    struct rpc_conn_options conn;
    struct rpc_call_request request;
    VEC(struct str) messages;
    VEC(struct rpc_header) metadata;
    uint64_t count, rounds;
    bool gzip, pingpong, open, quiet, cancels;
    uint64_t cancel_after;
};

struct world {
    struct plan plan;
    struct rpc_conn *conn;
    uint64_t running;
};

struct one {
    struct world *world;
    struct rpc_call *call;
    uint64_t number;
    size_t sent;
    uint64_t received;
};

/* "0a01+65536": the bytes 0a 01 and 65536 zeros. */
static struct str from_hex(const char *text)
{
    struct str hex, zeros = str_of(text);
    uint64_t more = 0;
    (void) str_cut(&zeros, '+', &hex);
    if (zeros.ptr != NULL && num_u64(zeros, 0, UINT32_MAX, &more) < 0) {
        BUG("\"%s\" is no count of zeros", zeros.ptr);
    }
    size_t len = hex.len / 2;
    char *out = mem_array(1, len + more + 1);
    for (size_t i = 0; i < len; i++) {
        unsigned byte = 0;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) { /* NOLINT(cert-err34-c) */
            BUG("\"%s\" is not hex", text);
        }
        out[i] = (char) (unsigned char) byte;
    }
    return (struct str){out, len + more};
}

static void print_line(struct buf *b)
{
    if (b->failed) {
        BUG("the line is too long");
    }
    (void) printf(STR_FMT "\n", STR_ARG(buf_str(b)));
    (void) fflush(stdout);
}

static void add_bytes(struct json_writer *w, const char *name, struct str bytes)
{
    size_t size = base64_encoded_len(bytes.len, true);
    char *text = mem_alloc(size + 1);
    (void) base64_encode(bytes, true, text);
    json_kv_str(w, name, (struct str){text, size});
    mem_free(text);
}

static void add_headers(struct json_writer *w, const char *name, struct rpc_headers headers)
{
    json_key(w, name);
    json_arr_begin(w);
    for (size_t i = 0; i < headers.len; i++) {
        json_arr_begin(w);
        json_str(w, headers.item[i].name);
        if (str_ends_with(headers.item[i].name, STR("-bin"))) {
            struct str bytes = headers.item[i].value;
            char text[8192];
            size_t n = bytes.len < 4096 ? bytes.len : 4096;
            for (size_t k = 0; k < n; k++) {
                (void) snprintf(text + 2 * k, 3, "%02x", (unsigned) (unsigned char) bytes.ptr[k]);
            }
            json_str(w, (struct str){text, 2 * n});
        } else {
            json_str(w, headers.item[i].value);
        }
        json_arr_end(w);
    }
    json_arr_end(w);
}

static void on_headers(struct rpc_call *call, struct rpc_headers headers, void *ctx)
{
    struct one *one = ctx;
    struct buf b;
    struct json_writer w;
    (void) call;
    if (one->world->plan.quiet) {
        return;
    }
    buf_init(&b, LINE_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "event", "headers");
    json_kv_u64(&w, "call", one->number);
    add_headers(&w, "headers", headers);
    json_obj_end(&w);
    print_line(&b);
    buf_done(&b);
}

static void send_next(struct one *one)
{
    struct plan *plan = &one->world->plan;
    if (one->sent < plan->messages.len) {
        rpc_call_send(one->call, plan->messages.ptr[one->sent++], plan->gzip);
    } else if (!plan->open) {
        rpc_call_close_send(one->call);
    }
}

static void on_message(struct rpc_call *call, const struct rpc_message *message, void *ctx)
{
    struct one *one = ctx;
    const struct plan *plan = &one->world->plan;
    struct buf b;
    struct json_writer w;
    if (!plan->quiet) {
        buf_init(&b, LINE_MAX);
        json_writer_init(&w, &b);
        json_obj_begin(&w);
        json_kv_cstr(&w, "event", "message");
        json_kv_u64(&w, "call", one->number);
        json_kv_u64(&w, "bytes", message->bytes.len);
        json_kv_u64(&w, "wireBytes", message->wire_bytes);
        json_kv_bool(&w, "compressed", message->compressed);
        json_kv_u64(&w, "atUs", message->at_us);
        if (message->bytes.len <= SHOWN_MAX) {
            add_bytes(&w, "base64", message->bytes);
        }
        json_obj_end(&w);
        print_line(&b);
        buf_done(&b);
    }
    one->received++;
    if (plan->cancels && one->received == plan->cancel_after) {
        rpc_call_cancel(call);
    } else if (plan->pingpong) {
        send_next(one);
    }
}

static void add_facts(struct json_writer *w, const struct rpc_conn_facts *facts)
{
    json_key(w, "conn");
    json_obj_begin(w);
    json_kv_cstr(w, "peer", facts->peer);
    json_kv_cstr(w, "protocol", facts->protocol);
    json_kv_cstr(w, "alpn", facts->alpn);
    json_kv_cstr(w, "tlsVersion", facts->tls_version);
    json_kv_cstr(w, "tlsCipher", facts->tls_cipher);
    json_kv_cstr(w, "certSubject", facts->cert_subject);
    json_kv_i64(w, "certNotAfter", facts->cert_not_after_s);
    json_kv_u64(w, "connects", facts->connects);
    json_kv_bool(w, "goaway", facts->goaway);
    json_kv_u64(w, "goawayError", facts->goaway_error);
    json_obj_end(w);
}

static void on_end(struct rpc_call *call, const struct rpc_result *r, void *ctx)
{
    static const char *const origins[] = {"server", "http", "client", "connect"};
    struct one *one = ctx;
    struct buf b;
    struct json_writer w;
    buf_init(&b, LINE_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "event", "end");
    json_kv_u64(&w, "call", one->number);
    json_kv_cstr(&w, "code", rpc_code_name(r->code));
    json_kv_cstr(&w, "origin", origins[r->origin]);
    json_kv_str(&w, "message", r->message);
    add_bytes(&w, "details", r->details);
    add_headers(&w, "headers", r->headers);
    add_headers(&w, "trailers", r->trailers);
    json_kv_bool(&w, "trailersOnly", r->trailers_only);
    json_kv_u64(&w, "httpStatus", r->http_status);
    json_kv_str(&w, "contentType", r->content_type);
    json_kv_str(&w, "encoding", r->encoding);
    json_kv_bool(&w, "rst", r->rst);
    json_kv_u64(&w, "rstError", r->rst_error);
    json_kv_bool(&w, "goaway", r->goaway);
    json_kv_bool(&w, "sentAll", r->sent_all);
    json_kv_u64(&w, "messages", r->messages);
    json_kv_u64(&w, "headersAtUs", r->headers_at_us);
    json_kv_u64(&w, "firstMessageAtUs", r->first_message_at_us);
    json_kv_u64(&w, "endAtUs", r->end_at_us);
    add_facts(&w, &r->conn);
    json_obj_end(&w);
    print_line(&b);
    buf_done(&b);
    one->world->running--;
    rpc_call_free(call);
    mem_free(one);
}

static const struct rpc_call_events events = {on_headers, on_message, on_end};

static void start(struct world *world, uint64_t number)
{
    const struct plan *plan = &world->plan;
    struct one *one = mem_zalloc(sizeof *one);
    one->world = world;
    one->number = number;
    one->call = rpc_call_start(world->conn, &plan->request, &events, one);
    world->running++;
    if (plan->pingpong) {
        send_next(one);
        return;
    }
    while (one->sent < plan->messages.len) {
        send_next(one);
    }
    send_next(one);
    if (plan->cancels && plan->cancel_after == 0) {
        rpc_call_cancel(one->call);
    }
}

static uint64_t number_of(const char *text)
{
    uint64_t value = 0;
    if (num_u64(str_of(text), 0, UINT64_MAX / 2, &value) < 0) {
        BUG("\"%s\" is no number", text);
    }
    return value;
}

static void read_metadata(struct plan *plan, const char *text)
{
    struct str name, rest = str_of(text);
    struct err err = {.msg = ""};
    (void) str_cut(&rest, '=', &name);
    if (str_ends_with(name, STR("-bin"))) {
        rest = from_hex(rest.ptr);
    }
    if (rpc_metadata_check(name, rest, &err) < 0) {
        BUG("%s", err.msg);
    }
    vec_push(&plan->metadata, ((struct rpc_header){name, rest}));
}

static void read_flag(struct plan *plan, char option)
{
    switch (option) {
    case 'z':
        plan->gzip = plan->request.gzip = true;
        break;
    case 'u':
        plan->request.unary_reply = true;
        break;
    case 'i':
        plan->conn.tls.insecure = true;
        break;
    case 'p':
        plan->pingpong = true;
        break;
    case 'o':
        plan->open = true;
        break;
    case 'q':
        plan->quiet = true;
        break;
    default:
        BUG("unknown option -%c", option);
    }
}

static bool read_number(struct plan *plan, char option, const char *value)
{
    uint64_t *place = option == 'd'   ? &plan->request.deadline_ms
                      : option == 'n' ? &plan->count
                      : option == 'r' ? &plan->rounds
                      : option == 't' ? &plan->conn.connect_timeout_ms
                      : option == 'x' ? &plan->cancel_after
                                      : NULL;
    if (place != NULL) {
        *place = number_of(value);
        plan->cancels = plan->cancels || option == 'x';
        return true;
    }
    if (option == 'L') {
        plan->conn.max_message_bytes = number_of(value);
        return true;
    }
    if (option == 'W') {
        plan->conn.window_bytes = (uint32_t) number_of(value);
        return true;
    }
    return false;
}

static bool read_text(struct plan *plan, char option, const char *value)
{
    struct rpc_tls *tls = &plan->conn.tls;
    const char **place = option == 'a'   ? &plan->conn.authority
                         : option == 'C' ? &tls->ca_file
                         : option == 'c' ? &tls->cert_file
                         : option == 'k' ? &tls->key_file
                         : option == 's' ? &tls->server_name
                                         : NULL;
    if (place != NULL) {
        *place = value;
    }
    return place != NULL;
}

static void read_option(struct plan *plan, char option, const char *value)
{
    if (option == 'm') {
        struct str bytes = from_hex(value);
        vec_push(&plan->messages, bytes);
    } else if (option == 'H') {
        read_metadata(plan, value);
    } else if (!read_number(plan, option, value) && !read_text(plan, option, value)) {
        read_flag(plan, option);
    }
}

static bool is_done(void *ctx)
{
    const struct world *world = ctx;
    return world->running == 0;
}

static void done_with(struct plan *plan)
{
    for (size_t i = 0; i < plan->messages.len; i++) {
        mem_free((char *) (uintptr_t) plan->messages.ptr[i].ptr);
    }
    for (size_t i = 0; i < plan->metadata.len; i++) {
        if (str_ends_with(plan->metadata.ptr[i].name, STR("-bin"))) {
            mem_free((char *) (uintptr_t) plan->metadata.ptr[i].value.ptr);
        }
    }
    vec_done(&plan->messages);
    vec_done(&plan->metadata);
}

int main(int argc, char **argv)
{
    struct world world = {.plan = {.count = 1, .rounds = 1}};
    struct plan *plan = &world.plan;
    struct err err = {.msg = ""};
    if (argc < 3 || argc % 2 == 0) {
        BUG("usage: rpc_driver TARGET PATH [-option value]...");
    }
    if (rpc_target_parse(str_of(argv[1]), &plan->conn.target, &err) < 0) {
        BUG("%s", err.msg);
    }
    plan->request.path = argv[2];
    for (int i = 3; i + 1 < argc; i += 2) {
        if (argv[i][0] != '-' || strlen(argv[i]) != 2) {
            BUG("\"%s\" is no option", argv[i]);
        }
        read_option(plan, argv[i][1], argv[i + 1]);
    }
    plan->request.metadata = (struct rpc_headers){plan->metadata.ptr, plan->metadata.len};
    struct io_loop *loop = io_loop_new();
    world.conn = rpc_conn_new(loop, &plan->conn);
    uint64_t number = 0;
    bool done = true;
    for (uint64_t r = 0; r < plan->rounds && done; r++) {
        for (uint64_t i = 0; i < plan->count; i++) {
            start(&world, number++);
        }
        done = io_loop_wait(loop, WAIT_MS, is_done, &world);
    }
    rpc_conn_free(world.conn);
    io_loop_free(loop);
    done_with(plan);
    return done ? 0 : 1;
}
