/* Names and values of metadata: see call.h and metadata.h. */
#include "rpc/metadata.h"

#include "base/base64.h"
#include "rpc/call.h"
#include "rpc/text_int.h"

#include <stdint.h>
#include <string.h>

const struct rpc_header *rpc_headers_find(struct rpc_headers headers, const char *name)
{
    for (size_t i = 0; i < headers.len; i++) {
        if (str_eq_cstr(headers.item[i].name, name)) {
            return &headers.item[i];
        }
    }
    return NULL;
}

bool rpc_metadata_is_bin(struct str name)
{
    return str_ends_with(name, STR("-bin"));
}

static bool is_one_of(struct str name, const char *const *choice, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_cstr(name, choice[i])) {
            return true;
        }
    }
    return false;
}

/* The first byte that no name may have, or len. */
static size_t bad_in_name(struct str name)
{
    size_t i = 0;
    for (; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.')) {
            break;
        }
    }
    return i;
}

/* A name for a message. */
static struct str shown(struct str name)
{
    return rpc_shown(name, 64);
}

static int check_name(struct str name, struct err *err)
{
    /* What gRPC lets an application set of its own namespace. */
    static const char *const allowed[] = {"grpc-trace-bin", "grpc-tags-bin"};
    /* Set by us, or about one connection only, which HTTP/2 forbids. */
    static const char *const ours[] = {"te",
                                       "content-type",
                                       "content-length",
                                       "host",
                                       "connection",
                                       "keep-alive",
                                       "upgrade",
                                       "user-agent",
                                       "proxy-connection",
                                       "transfer-encoding"};
    if (name.len == 0) {
        return err_set(err, ERR_INVALID, "metadata: the name is empty");
    }
    if (name.ptr[0] == ':') {
        return err_set(err, ERR_INVALID,
                       "metadata \"" STR_FMT "\": a pseudo header cannot be set here",
                       STR_ARG(shown(name)));
    }
    size_t at = bad_in_name(name);
    if (at < name.len && name.ptr[at] >= 'A' && name.ptr[at] <= 'Z') {
        return err_set(err, ERR_INVALID,
                       "metadata \"" STR_FMT "\": names are written in lower case",
                       STR_ARG(shown(name)));
    }
    if (at < name.len) {
        return err_set(err, ERR_INVALID,
                       "metadata \"" STR_FMT "\": byte %zu of the name is 0x%02x; it may have a-z, "
                       "0-9, \"-\", \"_\" and \".\" only",
                       STR_ARG(shown(name)), at + 1, (unsigned) (uint8_t) name.ptr[at]);
    }
    if (str_starts_with(name, STR("grpc-")) &&
        !is_one_of(name, allowed, sizeof allowed / sizeof allowed[0])) {
        return err_set(err, ERR_INVALID,
                       "metadata \"" STR_FMT "\": names that begin with \"grpc-\" belong to gRPC",
                       STR_ARG(shown(name)));
    }
    if (is_one_of(name, ours, sizeof ours / sizeof ours[0])) {
        return err_set(err, ERR_INVALID,
                       "metadata \"" STR_FMT "\": the client sets it, or HTTP/2 forbids it",
                       STR_ARG(shown(name)));
    }
    return 0;
}

static int check_value(struct str name, struct str value, struct err *err)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < ' ' || value.ptr[i] > '~') {
            return err_set(err, ERR_INVALID,
                           "metadata \"" STR_FMT
                           "\": byte %zu of the value is 0x%02x, which is not "
                           "printable ASCII: name it \"...-bin\" to send any bytes",
                           STR_ARG(shown(name)), i + 1, (unsigned) (uint8_t) value.ptr[i]);
        }
    }
    if (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[value.len - 1] == ' ')) {
        return err_set(err, ERR_INVALID,
                       "metadata \"" STR_FMT "\": the value begins or ends with a blank, which "
                       "servers take away",
                       STR_ARG(shown(name)));
    }
    return 0;
}

int rpc_metadata_check(struct str name, struct str value, struct err *err)
{
    int rc = check_name(name, err);
    return rc < 0 || rpc_metadata_is_bin(name) ? rc : check_value(name, value, err);
}

void rpc_bin_encode(struct str bytes, struct buf *out)
{
    char chunk[1024];
    const size_t step = sizeof chunk / 4 * 3; /* whole groups: chunks are one text */
    for (size_t i = 0; i < bytes.len; i += step) {
        size_t n = bytes.len - i < step ? bytes.len - i : step;
        buf_add(out, chunk, base64_encode((struct str){bytes.ptr + i, n}, false, chunk));
    }
}
