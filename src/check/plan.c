/* Parameters of health checks; see plan.h. */
#include "check/plan.h"

#include "base/num.h"

#define STATUS_FIRST 100u
#define STATUS_LAST  599u

/* "200" or "300-399" */
static bool read_range(struct str piece, uint64_t *ret_first, uint64_t *ret_last)
{
    struct str first = {piece.ptr, str_find_char(piece, '-')};
    struct str last = first;

    if (first.len < piece.len) {
        last = (struct str){piece.ptr + first.len + 1, piece.len - first.len - 1};
    }
    return num_u64(first, STATUS_FIRST, STATUS_LAST, ret_first) == 0 &&
           num_u64(last, *ret_first, STATUS_LAST, ret_last) == 0;
}

int check_statuses_read(struct str text, struct check_statuses *ret_statuses, struct err *err)
{
    struct check_statuses statuses = {.count = 0};
    struct str piece, rest = text;

    while (str_cut(&rest, ',', &piece)) {
        uint64_t first, last;
        if (!read_range(piece, &first, &last)) {
            return err_set(err, ERR_INVALID,
                           "status has \"" STR_FMT "\"; statuses from %u to %u and ranges of them "
                           "are right, such as 200,204,300-399",
                           STR_ARG(piece), STATUS_FIRST, STATUS_LAST);
        }
        if (statuses.count == CHECK_STATUS_RANGES) {
            return err_set(err, ERR_INVALID, "status has more than %u items; that many are right",
                           CHECK_STATUS_RANGES);
        }
        statuses.range[statuses.count].first = (uint16_t) first;
        statuses.range[statuses.count].last = (uint16_t) last;
        statuses.count++;
    }
    *ret_statuses = statuses;
    return 0;
}

bool check_statuses_has(const struct check_statuses *statuses, unsigned status)
{
    for (size_t i = 0; i < statuses->count; i++) {
        if (status >= statuses->range[i].first && status <= statuses->range[i].last) {
            return true;
        }
    }
    return false;
}

static bool is_visible(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

int check_header_read(struct str text, struct str *ret_name, struct str *ret_text, struct err *err)
{
    size_t colon = str_find_char(text, ':');
    struct str name = str_trim((struct str){text.ptr, colon});

    if (colon == text.len || name.len == 0 || !is_visible(name)) {
        return err_set(err, ERR_INVALID,
                       "header is \"" STR_FMT "\"; \"NAME: TEXT\" is right, with the text that a "
                       "value of the header has to contain",
                       STR_ARG(text));
    }
    *ret_name = name;
    *ret_text = str_trim((struct str){text.ptr + colon + 1, text.len - colon - 1});
    return 0;
}

/* Bytes of the escape at the start of text, which begins with a backslash; 0: it is none. */
static size_t read_escape(struct str text, char *ret_c)
{
    if (text.len >= 4 && text.ptr[1] == 'x') {
        int high = str_hex_digit(text.ptr[2]), low = str_hex_digit(text.ptr[3]);
        if (high >= 0 && low >= 0) {
            *ret_c = (char) (high * 16 + low);
            return 4;
        }
    }
    static const char letter[] = "rnt\\", meaning[] = "\r\n\t\\";
    for (size_t i = 0; i < sizeof(letter) - 1 && text.len >= 2; i++) {
        if (text.ptr[1] == letter[i]) {
            *ret_c = meaning[i];
            return 2;
        }
    }
    return 0;
}

int check_escapes_read(struct str text, struct buf *buf, struct err *err)
{
    for (size_t at = 0; at < text.len;) {
        char c = text.ptr[at];
        size_t step = 1;
        if (c == '\\') {
            struct str rest = {text.ptr + at, text.len - at};
            step = read_escape(rest, &c);
            if (step == 0) {
                rest.len = rest.len < 4 ? rest.len : 4;
                return err_set(err, ERR_INVALID,
                               "\"" STR_FMT "\" is no escape; \\r, \\n, \\t, \\\\ and \\xHH with "
                               "two hex digits are right",
                               STR_ARG(rest));
            }
        }
        buf_add_char(buf, c);
        at += step;
    }
    if (buf->failed) {
        return err_set(err, ERR_FULL, "a text of %zu bytes is too long; at most %zu are right",
                       text.len, buf->max);
    }
    return 0;
}

static int valid_needle(const char *name, struct str text, struct err *err)
{
    if (text.ptr != NULL && (text.len == 0 || text.len > CHECK_NEEDLE_MAX)) {
        return err_set(err, ERR_INVALID, "%s is a text of %zu bytes; 1 to %u are right", name,
                       text.len, CHECK_NEEDLE_MAX);
    }
    return 0;
}

static int valid_host(struct str host, struct err *err)
{
    if (host.len == 0 || host.len > CHECK_HOST_MAX || !is_visible(host)) {
        return err_set(err, ERR_INVALID,
                       "host is \"" STR_FMT "\"; a name of 1 to %u visible ASCII characters is "
                       "right",
                       STR_ARG(host), CHECK_HOST_MAX);
    }
    return 0;
}

static int valid_http(const struct check_plan *plan, struct err *err)
{
    if (plan->uri.len == 0 || plan->uri.ptr[0] != '/') {
        return err_set(err, ERR_INVALID,
                       "uri is \"" STR_FMT "\"; a path that begins with \"/\" is right",
                       STR_ARG(plan->uri));
    }
    if (plan->uri.len > CHECK_URI_MAX || !is_visible(plan->uri)) {
        return err_set(err, ERR_INVALID,
                       "uri is \"" STR_FMT "\"; at most %u visible ASCII characters are right, "
                       "others as %%HH",
                       STR_ARG(plan->uri), CHECK_URI_MAX);
    }
    if (plan->head && plan->body.ptr != NULL) {
        return err_set(err, ERR_INVALID,
                       "body asks for \"" STR_FMT "\", but answers to HEAD have no body; "
                       "method=GET is right",
                       STR_ARG(plan->body));
    }
    int rc = valid_host(plan->host, err);
    if (rc == 0 && plan->header_name.ptr != NULL) {
        rc = valid_needle("the text of header", plan->header_text, err);
    }
    return rc != 0 ? rc : valid_needle("body", plan->body, err);
}

static int valid_grpc(const struct check_plan *plan, struct err *err)
{
    if (plan->service.len > CHECK_HOST_MAX || !is_visible(plan->service)) {
        return err_set(err, ERR_INVALID,
                       "service is \"" STR_FMT "\"; at most %u visible ASCII characters are right",
                       STR_ARG(plan->service), CHECK_HOST_MAX);
    }
    return valid_host(plan->host, err);
}

int check_plan_valid(const struct check_plan *plan, struct err *err)
{
    switch (plan->kind) {
    case CHECK_KIND_HTTP:
        return valid_http(plan, err);
    case CHECK_KIND_GRPC:
        return valid_grpc(plan, err);
    case CHECK_KIND_TCP:
    default:
        break;
    }
    int rc = valid_needle("send", plan->send, err);
    return rc != 0 ? rc : valid_needle("expect", plan->expect, err);
}
