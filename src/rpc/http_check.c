/* What a user may ask for: see rpc_http_check in http.h. */
#include "rpc/http.h"
#include "rpc/text_int.h"

#include <string.h>

static size_t token_len(struct str s)
{
    size_t i = 0;
    while (i < s.len && rpc_is_token_char(s.ptr[i])) {
        i++;
    }
    return i;
}

static int check_method(struct str method, struct err *err)
{
    if (method.len == 0 || token_len(method) < method.len) {
        return err_set(err, ERR_INVALID,
                       "\"" STR_FMT "\" is no HTTP method: write one word such as GET",
                       STR_ARG(rpc_shown(method, 40)));
    }
    if (str_eq_cstr(method, "CONNECT")) {
        return err_set(err, ERR_INVALID, "the method CONNECT is not for requests of this kind");
    }
    return 0;
}

/* No blanks, no control characters, ASCII only. */
static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return s.len > 0;
}

static int check_path(struct str method, struct str path, struct err *err)
{
    bool star = str_eq_cstr(path, "*") && str_eq_cstr(method, "OPTIONS");
    if (!star && (path.len == 0 || path.ptr[0] != '/')) {
        return err_set(err, ERR_INVALID, "path \"" STR_FMT "\" does not begin with \"/\"",
                       STR_ARG(rpc_shown(path, 80)));
    }
    if (!is_visible(path) || str_find_char(path, '#') < path.len) {
        return err_set(err, ERR_INVALID,
                       "path \"" STR_FMT
                       "\" has a blank, a \"#\" or a character that is not ASCII: "
                       "write it as %%20 and the like",
                       STR_ARG(rpc_shown(path, 80)));
    }
    return 0;
}

static int check_name(struct str name, struct err *err)
{
    static const char *const ours[] = {"host",
                                       "connection",
                                       "content-length",
                                       "te",
                                       "keep-alive",
                                       "proxy-connection",
                                       "upgrade",
                                       "trailer",
                                       "transfer-encoding",
                                       "http2-settings"};
    if (name.len > 0 && name.ptr[0] == ':') {
        return err_set(err, ERR_INVALID, "header \"" STR_FMT "\": a pseudo header cannot be set",
                       STR_ARG(rpc_shown(name, 64)));
    }
    if (name.len == 0 || token_len(name) < name.len) {
        return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is no name of a header",
                       STR_ARG(rpc_shown(name, 64)));
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') {
            return err_set(err, ERR_INVALID, "header \"" STR_FMT "\": write it in lower case",
                           STR_ARG(rpc_shown(name, 64)));
        }
    }
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (str_eq_cstr(name, ours[i])) {
            return err_set(err, ERR_INVALID, "header \"%s\" is set by the client%s", ours[i],
                           i == 0 ? ": give the authority instead" : "");
        }
    }
    return 0;
}

static int check_value(const struct rpc_header *header, struct err *err)
{
    struct str value = header->value;
    for (size_t i = 0; i < value.len; i++) {
        unsigned c = (unsigned char) value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return err_set(err, ERR_INVALID,
                           "header \"" STR_FMT "\": byte %zu of the value is 0x%02x, a control "
                           "character",
                           STR_ARG(rpc_shown(header->name, 64)), i + 1, c);
        }
    }
    if (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t' ||
                          value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t')) {
        return err_set(err, ERR_INVALID,
                       "header \"" STR_FMT "\": the value begins or ends with a blank, which "
                       "servers take away",
                       STR_ARG(rpc_shown(header->name, 64)));
    }
    return 0;
}

int rpc_http_check(const struct rpc_http_request *request, struct err *err)
{
    struct str method = str_of(request->method), authority = str_of(request->authority);
    int rc = check_method(method, err);
    if (rc == 0) {
        rc = check_path(method, str_of(request->path), err);
    }
    if (rc == 0 && request->authority != NULL &&
        (!is_visible(authority) || strpbrk(request->authority, "/?#@\\") != NULL)) {
        rc = err_set(err, ERR_INVALID, "authority \"" STR_FMT "\" is no HOST or HOST:PORT",
                     STR_ARG(rpc_shown(authority, 80)));
    }
    for (size_t i = 0; i < request->headers.len && rc == 0; i++) {
        rc = check_name(request->headers.item[i].name, err);
        rc = rc < 0 ? rc : check_value(&request->headers.item[i], err);
    }
    return rc;
}
