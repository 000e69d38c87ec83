/*
 * HTTP/1.1 answers: see h1_parse.h.
 *
 * STATUS --(status line)--> HEADER --(empty line)--> what the headers say:
 *   1xx: STATUS again;  no body: DONE;  content-length: LENGTH;  neither: UNTIL_CLOSE
 *   chunked: CHUNK_SIZE --> CHUNK_DATA --> CHUNK_END --> CHUNK_SIZE; size 0: TRAILER --> DONE
 * Lines are collected in p->line, bodies are handed out as views of the input.
 */
#include "rpc/h1_parse.h"

#include "base/num.h"
#include "rpc/text_int.h"

#include <inttypes.h>
#include <string.h>

#define MAX_INTERIMS   16
#define MAX_CHUNK_LINE 4096
#define SHOWN_BYTES    60

enum state {
    STATUS = 0,
    HEADER,
    LENGTH,
    UNTIL_CLOSE,
    CHUNK_SIZE,
    CHUNK_DATA,
    CHUNK_END,
    TRAILER,
    END, /* END was not given yet */
    DONE,
};

void h1_parser_init(struct h1_parser *p, bool head, size_t max_header_bytes)
{
    *p = (struct h1_parser){.head = head, .max_header_bytes = max_header_bytes};
    buf_init(&p->line, max_header_bytes > MAX_CHUNK_LINE ? max_header_bytes : MAX_CHUNK_LINE);
    buf_init(&p->name, max_header_bytes);
}

void h1_parser_done(struct h1_parser *p)
{
    if (p != NULL) {
        buf_done(&p->line);
        buf_done(&p->name);
    }
}

bool h1_ended(const struct h1_parser *p)
{
    return p->state == DONE;
}

static struct str tail(struct str s, size_t from)
{
    return (struct str){s.ptr + from, s.len - from};
}

static int refuse_start(struct str line, struct err *err)
{
    if (line.ptr[0] == '\0') {
        return err_set(err, ERR_INVALID,
                       "the answer is not HTTP/1.1 but looks like HTTP/2: the server speaks it "
                       "without being asked");
    }
    struct str shown = rpc_shown(line, SHOWN_BYTES);
    return err_set(err, ERR_INVALID, "the answer is not HTTP/1.1: it begins with \"" STR_FMT "\"%s",
                   STR_ARG(shown), shown.len < line.len ? " and other bytes" : "");
}

/* What is there of a status line: false when it cannot become one. */
static bool may_be_status(struct str line)
{
    static const char start[] = "HTTP/1.";
    size_t n = line.len < sizeof start - 1 ? line.len : sizeof start - 1;
    return memcmp(line.ptr, start, n) == 0;
}

/* What lines may have: headers and trailers together, or one line of a chunk. */
static size_t line_max(const struct h1_parser *p)
{
    return p->state == CHUNK_SIZE || p->state == CHUNK_END ? MAX_CHUNK_LINE : p->max_header_bytes;
}

static int refuse_length(const struct h1_parser *p, struct err *err)
{
    const char *what = p->state == TRAILER                               ? "trailers"
                       : p->state == CHUNK_SIZE || p->state == CHUNK_END ? "chunk lines"
                                                                         : "headers";
    return err_set(err, ERR_FULL, "the %s of the answer are longer than %zu bytes", what,
                   line_max(p));
}

/* 1: *ret is a whole line without its CR LF, valid until the next call; 0: more bytes are needed.
 */
static int take_line(struct h1_parser *p, struct str *input, struct str *ret, struct err *err)
{
    if (p->line_given) {
        buf_clear(&p->line);
        p->line_given = false;
    }
    /* Bytes up to the limit are looked at before it is told, so that the first fault counts in any
     * split. */
    size_t lf = str_find_char(*input, '\n'), room = line_max(p) - p->header_bytes;
    size_t n = lf < input->len ? lf + 1 : lf;
    bool full = n > room, whole = lf < input->len && !full;
    n = full ? room : n;
    if (n > 0) {
        buf_add(&p->line, input->ptr, n);
        p->header_bytes += n;
        *input = tail(*input, n);
    }
    struct str line = buf_str(&p->line);
    if (p->state == STATUS && line.len > 0 && !may_be_status(line)) {
        return refuse_start(line, err);
    }
    size_t cr = str_find_char(line, '\r');
    if (cr + 1 < line.len && line.ptr[cr + 1] != '\n') {
        return err_set(err, ERR_INVALID, "a line of the answer has a CR without LF");
    }
    if (full) {
        return refuse_length(p, err);
    }
    if (!whole) {
        return 0;
    }
    if (cr == line.len) {
        return err_set(err, ERR_INVALID, "a line of the answer ends with LF alone, not with CR LF");
    }
    p->line_given = true;
    *ret = (struct str){line.ptr, cr};
    return 1;
}

static bool is_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned c = (unsigned char) s.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* "HTTP/1.1 200 OK"; the blank before an empty reason may be missing, as many servers do. */
static int parse_status(struct h1_parser *p, struct str line, struct h1_item *item, struct err *err)
{
    const char *s = line.ptr;
    bool right = line.len >= 12 && (s[7] == '0' || s[7] == '1') && s[8] == ' ' && s[9] >= '1' &&
                 str_is_digit(s[9]) && str_is_digit(s[10]) && str_is_digit(s[11]) &&
                 (line.len == 12 || s[12] == ' ') && is_text(tail(line, 12));
    if (!right) {
        return err_set(err, ERR_INVALID,
                       "the status line is \"" STR_FMT "\", not like \"HTTP/1.1 200 OK\"",
                       STR_ARG(rpc_shown(line, SHOWN_BYTES)));
    }
    p->http10 = s[7] == '0';
    p->status =
        (unsigned) (s[9] - '0') * 100 + (unsigned) (s[10] - '0') * 10 + (unsigned) (s[11] - '0');
    p->says_close = p->says_keep_alive = p->chunked = p->has_length = false;
    p->state = HEADER;
    if (p->status == 101) {
        return err_set(err, ERR_INVALID,
                       "the answer is 101, another protocol, which nobody asked for");
    }
    if (p->status < 200) {
        return 0;
    }
    *item = (struct h1_item){.status = p->status,
                             .value = line.len > 13 ? tail(line, 13) : tail(line, line.len)};
    return H1_STATUS;
}

static struct str trim_blanks(struct str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s = tail(s, 1);
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* Splits a line of headers; the name is made lower case in p->name. */
static int parse_field(struct h1_parser *p, struct str line, struct h1_item *item, struct err *err)
{
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        return err_set(err, ERR_INVALID,
                       "a header of the answer is folded: a line begins with a blank");
    }
    size_t colon = str_find_char(line, ':'), i = 0;
    buf_clear(&p->name);
    for (; i < colon && rpc_is_token_char(line.ptr[i]); i++) {
        char c = line.ptr[i];
        buf_add_char(&p->name, (char) (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    }
    if (colon == line.len || i == 0 || i < colon) {
        return err_set(err, ERR_INVALID,
                       "a header line of the answer is no \"name: value\": \"" STR_FMT "\"",
                       STR_ARG(rpc_shown(line, SHOWN_BYTES)));
    }
    item->name = buf_str(&p->name);
    item->value = trim_blanks(tail(line, colon + 1));
    if (!is_text(item->value)) {
        return err_set(err, ERR_INVALID,
                       "header \"" STR_FMT "\" of the answer has a control character",
                       STR_ARG(rpc_shown(item->name, SHOWN_BYTES)));
    }
    return 0;
}

static int note_length(struct h1_parser *p, struct str value, struct err *err)
{
    struct str digits = value;
    if (p->has_length) {
        return err_set(err, ERR_INVALID, "content-length stands twice in the answer");
    }
    while (digits.len > 1 && digits.ptr[0] == '0') {
        digits = tail(digits, 1);
    }
    if (num_u64(digits, 0, INT64_MAX, &p->length) < 0) {
        return err_set(err, ERR_INVALID, "content-length is \"" STR_FMT "\", no number of bytes",
                       STR_ARG(rpc_shown(value, SHOWN_BYTES)));
    }
    p->has_length = true;
    return 0;
}

static int note_coding(struct h1_parser *p, struct str value, struct err *err)
{
    if (p->chunked) {
        return err_set(err, ERR_INVALID, "transfer-encoding stands twice in the answer");
    }
    if (!str_eq_nocase(value, STR("chunked"))) {
        return err_set(err, ERR_INVALID,
                       "transfer-encoding is \"" STR_FMT "\"; only \"chunked\" is understood",
                       STR_ARG(rpc_shown(value, SHOWN_BYTES)));
    }
    if (p->http10) {
        return err_set(err, ERR_INVALID, "an answer of HTTP/1.0 has no transfer-encoding");
    }
    p->chunked = true;
    return 0;
}

/* Takes from a header what decides where the body ends. */
static int note_header(struct h1_parser *p, const struct h1_item *item, struct err *err)
{
    if (str_eq_cstr(item->name, "content-length")) {
        return note_length(p, item->value, err);
    }
    if (str_eq_cstr(item->name, "transfer-encoding")) {
        return note_coding(p, item->value, err);
    }
    if (str_eq_cstr(item->name, "connection")) {
        struct str option, rest = item->value;
        while (str_cut(&rest, ',', &option)) {
            option = trim_blanks(option);
            p->says_close |= str_eq_nocase(option, STR("close"));
            p->says_keep_alive |= str_eq_nocase(option, STR("keep-alive"));
        }
    }
    return 0;
}

/* The empty line behind the headers. */
static int headers_end(struct h1_parser *p, struct err *err)
{
    if (p->chunked && p->has_length) {
        return err_set(err, ERR_INVALID,
                       "the answer has both content-length and transfer-encoding: where its body "
                       "ends is a guess");
    }
    bool bodiless = p->status < 200 || p->status == 204 || p->status == 304;
    if (p->chunked && (p->status < 200 || p->status == 204)) {
        return err_set(err, ERR_INVALID, "an answer with status %u has no transfer-encoding",
                       p->status);
    }
    p->header_bytes = 0;
    if (p->status < 200) {
        if (++p->interims > MAX_INTERIMS) {
            return err_set(err, ERR_FULL, "more than %d interim answers (1xx)", MAX_INTERIMS);
        }
        p->state = STATUS;
        return 0;
    }
    p->keep_alive = p->http10 ? p->says_keep_alive && !p->says_close : !p->says_close;
    p->left = p->length;
    if (p->head || bodiless || (p->has_length && p->length == 0)) {
        p->state = END;
    } else if (p->chunked) {
        p->state = CHUNK_SIZE;
    } else if (p->has_length) {
        p->state = LENGTH;
    } else {
        p->keep_alive = false;
        p->state = UNTIL_CLOSE;
    }
    return H1_HEADERS_END;
}

static int header_line(struct h1_parser *p, struct str line, struct h1_item *item, struct err *err)
{
    if (line.len == 0) {
        return headers_end(p, err);
    }
    int rc = parse_field(p, line, item, err);
    rc = rc < 0 ? rc : note_header(p, item, err);
    if (rc < 0) {
        return rc;
    }
    return p->status < 200 ? 0 : H1_HEADER;
}

static int trailer_line(struct h1_parser *p, struct str line, struct h1_item *item, struct err *err)
{
    if (line.len == 0) {
        p->state = END;
        return 0;
    }
    int rc = parse_field(p, line, item, err);
    if (rc < 0) {
        return rc;
    }
    if (str_eq_cstr(item->name, "content-length") || str_eq_cstr(item->name, "transfer-encoding")) {
        return err_set(err, ERR_INVALID, "\"" STR_FMT "\" does not belong into trailers",
                       STR_ARG(item->name));
    }
    return H1_TRAILER;
}

/* "1f" or "1f;name=value"; extensions are skipped. */
static int chunk_line(struct h1_parser *p, struct str line, struct err *err)
{
    uint64_t size = 0;
    size_t i = 0, digits = 0;
    for (; i < line.len && str_hex_digit(line.ptr[i]) >= 0; i++) {
        digits += size > 0 || line.ptr[i] != '0';
        size = size * 16 + (uint64_t) str_hex_digit(line.ptr[i]);
        if (digits > 15) {
            break;
        }
    }
    struct str rest = trim_blanks(tail(line, i));
    if (i == 0 || digits > 15 || !is_text(rest) || (rest.len > 0 && rest.ptr[0] != ';') ||
        (rest.len == 0 && i < line.len)) {
        return err_set(err, ERR_INVALID,
                       "a chunk begins with \"" STR_FMT "\", not with its length in hex digits",
                       STR_ARG(rpc_shown(line, SHOWN_BYTES)));
    }
    p->header_bytes = 0;
    p->left = size;
    p->state = size > 0 ? CHUNK_DATA : TRAILER;
    return 0;
}

static int chunk_end(struct h1_parser *p, struct str line, struct err *err)
{
    if (line.len > 0) {
        return err_set(err, ERR_INVALID, "a chunk is longer than it said");
    }
    p->header_bytes = 0;
    p->state = CHUNK_SIZE;
    return 0;
}

static int line_event(struct h1_parser *p, struct str line, struct h1_item *item, struct err *err)
{
    switch ((enum state) p->state) {
    case STATUS:
        return parse_status(p, line, item, err);
    case HEADER:
        return header_line(p, line, item, err);
    case CHUNK_SIZE:
        return chunk_line(p, line, err);
    case CHUNK_END:
        return chunk_end(p, line, err);
    case TRAILER:
        return trailer_line(p, line, item, err);
    case LENGTH:
    case UNTIL_CLOSE:
    case CHUNK_DATA:
    case END:
    case DONE:
    default:
        return H1_MORE;
    }
}

/* A piece of the body, at most what is left of it. */
static int take_body(struct h1_parser *p, struct str *input, struct h1_item *item)
{
    size_t n = input->len;
    if (p->state != UNTIL_CLOSE) {
        n = p->left < n ? (size_t) p->left : n;
        p->left -= n;
        if (p->left == 0) {
            p->state = p->state == LENGTH ? END : CHUNK_END;
        }
    }
    item->value = (struct str){input->ptr, n};
    *input = tail(*input, n);
    return H1_BODY;
}

int h1_next(struct h1_parser *p, struct str *input, struct h1_item *ret, struct err *err)
{
    struct h1_item item = {.status = p->status};
    int rc = 0;
    while (rc == 0) {
        struct str line = STR("");
        if (p->state == DONE) {
            return H1_MORE;
        }
        if (p->state == END) {
            p->state = DONE;
            rc = H1_END;
        } else if (p->state == LENGTH || p->state == UNTIL_CLOSE || p->state == CHUNK_DATA) {
            if (input->len == 0) {
                return H1_MORE;
            }
            rc = take_body(p, input, &item);
        } else {
            rc = take_line(p, input, &line, err);
            if (rc <= 0) {
                return rc;
            }
            rc = line_event(p, line, &item, err);
        }
    }
    if (rc > 0) {
        *ret = item;
    }
    return rc;
}

int h1_eof(struct h1_parser *p, struct err *err)
{
    switch ((enum state) p->state) {
    case DONE:
        return H1_MORE;
    case END:
    case UNTIL_CLOSE:
        p->state = DONE;
        return H1_END;
    case STATUS:
        if (p->line.len == 0 || p->line_given) {
            return err_set(err, ERR_UNREACHABLE,
                           "the server closed the connection without an answer");
        }
        break;
    case LENGTH:
        return err_set(err, ERR_UNREACHABLE,
                       "the server closed the connection in the body: %" PRIu64 " of %" PRIu64
                       " bytes came",
                       p->length - p->left, p->length);
    case CHUNK_SIZE:
    case CHUNK_DATA:
    case CHUNK_END:
    case TRAILER:
        return err_set(err, ERR_UNREACHABLE,
                       "the server closed the connection before the last chunk of the body");
    case HEADER:
    default:
        break;
    }
    return err_set(err, ERR_UNREACHABLE, "the server closed the connection in the headers");
}
