/*
 * The side that protobuf's conformance suite tests: reads a message in one form and writes it in
 * the other.
 *     testee DESCRIPTOR_SET
 * On stdin and stdout each message has its length in front, 4 bytes, the least first: a
 * conformance.ConformanceRequest in, a conformance.ConformanceResponse out, until stdin ends.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "proto/json.h"
#include "proto/pool.h"
#include "proto/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BYTES_MAX = 64 * 1024 * 1024 };

/* Numbers of conformance.proto. */
enum { REQUEST_PROTOBUF = 1, REQUEST_JSON = 2, REQUEST_OUTPUT = 3, REQUEST_TYPE = 4 };
enum { REQUEST_CATEGORY = 5 };
enum { CATEGORY_JSON_IGNORE_UNKNOWN = 3 };
enum { OUTPUT_PROTOBUF = 1, OUTPUT_JSON = 2 };
enum { PARSE_ERROR = 1, RUNTIME_ERROR = 2, PROTOBUF = 3, JSON = 4, SKIPPED = 5 };
enum { SERIALIZE_ERROR = 6 };

/* False at the end of the input, or when it ends too early. */
static bool read_all(char *out, size_t len)
{
    for (size_t n = 0; n < len;) {
        ssize_t got = read(STDIN_FILENO, out + n, len - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        n += (size_t) got;
    }
    return true;
}

static bool write_all(struct str s)
{
    while (s.len > 0) {
        ssize_t put = write(STDOUT_FILENO, s.ptr, s.len);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            s = (struct str){s.ptr + put, s.len - (size_t) put};
        }
    }
    return true;
}

static bool read_frame(struct buf *b)
{
    unsigned char head[4];
    if (!read_all((char *) head, sizeof head)) {
        return false;
    }
    size_t len = head[0] | (size_t) head[1] << 8 | (size_t) head[2] << 16 | (size_t) head[3] << 24;
    _cleanup_(mem_freep) char *bytes = len <= BYTES_MAX ? mem_alloc(len + 1) : NULL;
    if (bytes == NULL || !read_all(bytes, len)) {
        return false;
    }
    buf_clear(b);
    buf_add(b, bytes, len);
    return true;
}

static bool write_frame(struct str s)
{
    char head[4];
    for (size_t i = 0; i < sizeof head; i++) {
        head[i] = (char) (uint8_t) (s.len >> 8 * i);
    }
    return write_all((struct str){head, sizeof head}) && write_all(s);
}

/* Sets the one member of the response. */
static void answer(struct proto_msg *response, uint32_t number, struct str text)
{
    union proto_value value = {.bytes = text};
    if (!proto_set(response, proto_field_of(response, number), value)) {
        BUG("the response is too large");
    }
}

static void answer_err(struct proto_msg *response, uint32_t number, const struct err *err)
{
    char *text = err->pos.file == NULL ? arena_strdup(response->arena, str_of(err->msg))
                                       : arena_printf(response->arena, "%u:%u: %s", err->pos.line,
                                                      err->pos.col, err->msg);
    answer(response, number, str_of(text));
}

static int read_payload(const struct proto_msg *request, struct proto_msg *msg, struct err *err)
{
    int32_t category = proto_get(request, proto_field_of(request, REQUEST_CATEGORY)).i32;
    if (proto_has(request, proto_field_of(request, REQUEST_JSON))) {
        unsigned flags = category == CATEGORY_JSON_IGNORE_UNKNOWN ? PROTO_JSON_IGNORE_UNKNOWN : 0;
        return proto_json_read(proto_str(request, REQUEST_JSON), msg, flags, err);
    }
    return proto_wire_read(proto_str(request, REQUEST_PROTOBUF), msg, 0, err);
}

/* text: for what is written; it has to live as long as the response. */
static void respond(const struct proto_pool *pool, const struct proto_msg *request,
                    struct proto_msg *response, struct buf *text)
{
    struct err err;
    const struct proto_message_desc *desc =
        proto_pool_message(pool, proto_str(request, REQUEST_TYPE));
    int32_t output = proto_get(request, proto_field_of(request, REQUEST_OUTPUT)).i32;
    bool known = proto_has(request, proto_field_of(request, REQUEST_PROTOBUF)) ||
                 proto_has(request, proto_field_of(request, REQUEST_JSON));

    if (str_eq(proto_str(request, REQUEST_TYPE), STR("conformance.FailureSet"))) {
        answer(response, PROTOBUF, STR("")); /* no test is expected to fail */
        return;
    }
    if (!known || (output != OUTPUT_PROTOBUF && output != OUTPUT_JSON)) {
        answer(response, SKIPPED, STR("neither the text format nor JSPB is read or written"));
        return;
    }
    struct proto_msg *msg = desc == NULL ? NULL : proto_msg_new(request->arena, desc);
    if (msg == NULL) {
        answer(response, RUNTIME_ERROR, STR("the type of the message is not known"));
        return;
    }
    if (read_payload(request, msg, &err) < 0) {
        answer_err(response, PARSE_ERROR, &err);
        return;
    }
    int rc = output == OUTPUT_JSON ? proto_json_write(msg, 0, text, &err)
                                   : proto_wire_write(msg, 0, text, &err);
    if (rc < 0) {
        answer_err(response, SERIALIZE_ERROR, &err);
    } else {
        answer(response, output == OUTPUT_JSON ? JSON : PROTOBUF, buf_str(text));
    }
}

/* One request; false: the caller cannot be spoken with. */
static bool serve(const struct proto_pool *pool, struct buf *in)
{
    struct arena arena;
    struct buf text, out;
    struct err err;
    arena_init(&arena, BYTES_MAX);
    buf_init(&text, BYTES_MAX);
    buf_init(&out, BYTES_MAX);
    struct proto_msg *request =
        proto_msg_new(&arena, proto_pool_message(pool, STR("conformance.ConformanceRequest")));
    struct proto_msg *response =
        proto_msg_new(&arena, proto_pool_message(pool, STR("conformance.ConformanceResponse")));
    if (request == NULL || response == NULL) {
        BUG("an arena without room");
    }
    int rc = proto_wire_read(buf_str(in), request, PROTO_WIRE_BORROW, &err);
    if (rc == 0) {
        respond(pool, request, response, &text);
        rc = proto_wire_write(response, 0, &out, &err);
    }
    if (rc < 0) {
        (void) fprintf(stderr, "testee: %s\n", err.msg);
    }
    bool written = rc == 0 && write_frame(buf_str(&out));
    buf_done(&out);
    buf_done(&text);
    arena_done(&arena);
    return written;
}

static int read_file(const char *path, struct buf *ret)
{
    char piece[65536];
    size_t n;
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return ERR_IO;
    }
    while ((n = fread(piece, 1, sizeof piece, file)) > 0) {
        buf_add(ret, piece, n);
    }
    return fclose(file) == 0 && !ret->failed ? 0 : ERR_IO;
}

int main(int argc, char **argv)
{
    _cleanup_(buf_done) struct buf set, in;
    struct err err;
    buf_init(&set, BYTES_MAX);
    buf_init(&in, BYTES_MAX);
    if (argc != 2 || read_file(argv[1], &set) < 0) {
        (void) fprintf(stderr, "usage: testee DESCRIPTOR_SET\n");
        return 2;
    }
    struct proto_pool *pool = proto_pool_new();
    int rc = proto_pool_add_set(pool, buf_str(&set), &err);
    if (rc < 0) {
        (void) fprintf(stderr, "testee: %s: %s\n", argv[1], err.msg);
    } else {
        while (read_frame(&in) && serve(pool, &in)) {
        }
    }
    proto_pool_free(pool);
    return rc < 0 ? 1 : 0;
}
