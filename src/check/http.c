/*
 * The http dialogue: one request, and the answer read byte by byte.
 *
 *   HEAD --empty line--> HEAD            behind an interim (1xx) answer
 *   HEAD --empty line--> verdict         status or header is wrong, or no body is asked for
 *   HEAD --empty line--> CHUNK_SIZE, or BODY with a length or until the end
 *   CHUNK_SIZE --> CHUNK_EXTENSION --> BODY --> CHUNK_END --> CHUNK_SIZE, until a chunk of size 0
 *   any  --> verdict                     the text is found, the answer's end, a fault, told
 *
 * A line of the head is looked at as soon as it is there, so that only the present one is kept.
 */
#include <string.h>

#include "base/num.h"
#include "check/talk_int.h"

#define CHUNK_DIGITS_MAX 15 /* so that a size fits 60 bits */

void http_talk_start(struct check_talk *talk)
{
    const struct check_plan *plan = talk->plan;
    struct buf out;

    buf_init_fixed(&out, talk->out, sizeof(talk->out));
    buf_add_cstr(&out, plan->head ? "HEAD " : "GET ");
    buf_add_str(&out, plan->uri);
    buf_add_cstr(&out, " HTTP/1.1\r\nHost: ");
    buf_add_str(&out, plan->host);
    buf_add_cstr(&out, "\r\nUser-Agent: pourover-check\r\nAccept: */*\r\n"
                       "Connection: close\r\n\r\n");
    talk->out_len = out.len;
}

static void bad_protocol(struct check_talk *talk, const char *what, struct str seen)
{
    char shown[40];

    talk_end(talk, CHECK_PROTOCOL, "%s: \"%s\"", what, talk_show(seen, shown, sizeof(shown)));
}

/* "HTTP/1.1 200 OK" */
static void read_status_line(struct check_talk *talk, struct str line)
{
    struct str version, status = {NULL, 0}, rest = line;
    uint64_t number;

    bool whole = str_cut(&rest, ' ', &version) && str_cut(&rest, ' ', &status);
    if (!whole || version.len != sizeof("HTTP/1.1") - 1 ||
        num_u64(status, 100, 999, &number) != 0) {
        bad_protocol(talk, "no status line", line);
        return;
    }
    talk->http.status = (unsigned) number;
}

static void read_length(struct check_talk *talk, struct str value)
{
    struct http_talk *http = &talk->http;
    uint64_t length;

    bool bad = num_u64(value, 0, INT64_MAX, &length) != 0;
    if (bad || (http->has_length && length != http->left)) {
        bad_protocol(talk, "no Content-Length", value);
        return;
    }
    http->has_length = true;
    http->left = length;
}

static void read_wanted_header(struct check_talk *talk, struct str value)
{
    struct http_talk *http = &talk->http;
    struct str wanted = talk->plan->header_text;

    http->header_seen = true;
    http->header_found =
        http->header_found || memmem(value.ptr, value.len, wanted.ptr, wanted.len) != NULL;
    talk_show(value, http->shown, sizeof(http->shown));
}

static void read_header(struct check_talk *talk, struct str line)
{
    size_t colon = str_find_char(line, ':');
    struct str name = {line.ptr, colon};

    if (colon == line.len) {
        bad_protocol(talk, "no header", line);
        return;
    }
    struct str value = str_trim((struct str){line.ptr + colon + 1, line.len - colon - 1});
    if (talk_told(talk, name, value)) {
        return;
    }
    if (str_eq_nocase(name, STR("content-length"))) {
        read_length(talk, value);
    } else if (str_eq_nocase(name, STR("transfer-encoding"))) {
        talk->http.chunked =
            value.len >= 7 &&
            str_eq_nocase((struct str){value.ptr + value.len - 7, 7}, STR("chunked"));
    }
    if (talk->plan->header_name.ptr != NULL && str_eq_nocase(name, talk->plan->header_name)) {
        read_wanted_header(talk, value);
    }
}

static void passes(struct check_talk *talk)
{
    talk_end(talk, CHECK_OK, "status %u", talk->http.status);
}

static void body_lacks_it(struct check_talk *talk)
{
    char shown[40];

    talk_show(talk->plan->body, shown, sizeof(shown));
    if (talk->http.window == CHECK_LOOK_MAX) {
        talk_end(talk, CHECK_BODY, "the body has no \"%s\" in its first %u bytes", shown,
                 CHECK_LOOK_MAX);
    } else {
        talk_end(talk, CHECK_BODY, "the body of %zu bytes has no \"%s\"", talk->http.window, shown);
    }
}

/* The head is there: is it right, and where does the body end? */
static void end_head(struct check_talk *talk)
{
    struct http_talk *http = &talk->http;
    const struct check_plan *plan = talk->plan;

    if (http->status < 200 && http->status != 101) {
        size_t head_bytes = http->head_bytes;
        *http = (struct http_talk){.head_bytes = head_bytes};
        return;
    }
    if (!check_statuses_has(&plan->statuses, http->status)) {
        talk_end(talk, CHECK_STATUS, "status %u", http->status);
        return;
    }
    if (plan->header_name.ptr != NULL && !http->header_found) {
        char name[32];
        talk_show(plan->header_name, name, sizeof(name));
        if (http->header_seen) {
            talk_end(talk, CHECK_HEADER, "header %s is \"%s\"", name, http->shown);
        } else {
            talk_end(talk, CHECK_HEADER, "there is no header %s", name);
        }
        return;
    }
    if (plan->body.ptr == NULL) {
        passes(talk);
        return;
    }
    if (http->status < 200 || http->status == 204 || http->status == 304) {
        body_lacks_it(talk);
        return;
    }
    http->at = http->chunked ? HTTP_CHUNK_SIZE : HTTP_BODY;
    http->until_end = !http->chunked && !http->has_length;
    if (http->chunked) {
        http->left = 0; /* a length beside chunks does not count: RFC 9112, section 6.3 */
    } else if (http->has_length && http->left == 0) {
        body_lacks_it(talk);
    }
}

static void end_line(struct check_talk *talk)
{
    struct http_talk *http = &talk->http;
    struct str line = {http->room, http->window};

    http->window = 0;
    line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r';
    if (http->status == 0) {
        read_status_line(talk, line);
    } else if (line.len > 0) {
        read_header(talk, line);
    } else {
        end_head(talk);
    }
}

static void read_head_byte(struct check_talk *talk, char c)
{
    static const char start[] = "HTTP/1.";
    struct http_talk *http = &talk->http;

    if (http->head_bytes == CHECK_LOOK_MAX) {
        talk_end(talk, CHECK_PROTOCOL, "the head is longer than %u bytes", CHECK_LOOK_MAX);
        return;
    }
    http->head_bytes++;
    if (c == '\n') {
        end_line(talk);
        return;
    }
    if (http->status == 0 && http->window < sizeof(start) - 1 && c != start[http->window]) {
        talk_end(talk, CHECK_PROTOCOL, "the answer is no HTTP/1");
        return;
    }
    http->room[http->window++] = c;
}

static void read_chunk_size_byte(struct check_talk *talk, char c)
{
    struct http_talk *http = &talk->http;
    int digit = str_hex_digit(c);

    if (digit >= 0 && http->digits < CHUNK_DIGITS_MAX) {
        http->digits++;
        http->left = http->left * 16 + (unsigned) digit;
        return;
    }
    if (digit >= 0 || http->digits == 0 || strchr("; \t\r\n", c) == NULL || c == '\0') {
        bad_protocol(talk, "no size of a chunk", (struct str){&c, 1});
        return;
    }
    http->at = HTTP_CHUNK_EXTENSION;
}

static void end_chunk_size(struct check_talk *talk)
{
    if (talk->http.left == 0) {
        body_lacks_it(talk);
    }
    talk->http.at = HTTP_BODY;
}

static void read_chunk_end_byte(struct check_talk *talk, char c)
{
    if (c == '\n') {
        talk->http.at = HTTP_CHUNK_SIZE;
        talk->http.left = 0;
        talk->http.digits = 0;
    } else if (c != '\r') {
        bad_protocol(talk, "no end of a chunk", (struct str){&c, 1});
    }
}

/* Takes what belongs to the body from the front of *bytes. */
static void read_body(struct check_talk *talk, struct str *bytes)
{
    struct http_talk *http = &talk->http;
    struct str part = *bytes;

    if (!http->until_end && part.len > http->left) {
        part.len = (size_t) http->left;
    }
    size_t before = part.len;
    if (talk_look(http->room, &http->window, &part, talk->plan->body)) {
        passes(talk);
        return;
    }
    if (http->window == CHECK_LOOK_MAX) {
        body_lacks_it(talk);
        return;
    }
    bytes->ptr += before;
    bytes->len -= before;
    if (http->until_end) {
        return;
    }
    http->left -= before;
    if (http->left == 0 && http->chunked) {
        http->at = HTTP_CHUNK_END;
    } else if (http->left == 0) {
        body_lacks_it(talk);
    }
}

void http_talk_received(struct check_talk *talk, struct str bytes)
{
    struct http_talk *http = &talk->http;

    while (bytes.len > 0 && !talk_ended(talk)) {
        if (http->at == HTTP_BODY) {
            read_body(talk, &bytes);
            continue;
        }
        char c = *bytes.ptr;
        if (http->at == HTTP_HEAD) {
            read_head_byte(talk, c);
        } else if (http->at == HTTP_CHUNK_SIZE) {
            read_chunk_size_byte(talk, c);
        } else if (http->at == HTTP_CHUNK_END) {
            read_chunk_end_byte(talk, c);
        }
        if (http->at == HTTP_CHUNK_EXTENSION && c == '\n') {
            end_chunk_size(talk);
        }
        bytes.ptr++;
        bytes.len--;
    }
}

void http_talk_closed(struct check_talk *talk)
{
    const struct http_talk *http = &talk->http;

    if (http->at == HTTP_HEAD) {
        talk_end(talk, CHECK_CLOSED, "closed %s",
                 http->head_bytes == 0 ? "before an answer" : "within the head of the answer");
    } else if (http->until_end) {
        body_lacks_it(talk);
    } else {
        talk_end(talk, CHECK_CLOSED, "closed within the body of the answer");
    }
}
