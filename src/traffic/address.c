/* Addresses of peers as text; see address.h. */
#include "traffic/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/num.h"

#define UNIX "unix:"

static int read_unix(struct str path, struct address *address, struct err *err)
{
    struct sockaddr_un *un = &address->sa.un;

    if (path.len == 0 || path.len >= sizeof(un->sun_path) || path.ptr[0] != '/' ||
        !str_is_utf8(path) || memchr(path.ptr, 0, path.len) != NULL) {
        return err_set(err, ERR_INVALID,
                       "the address \"unix:" STR_FMT "\" is none; right is unix: and a path that "
                       "begins with / and has at most %zu bytes of UTF-8",
                       STR_ARG(path), sizeof(un->sun_path) - 1);
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.ptr, path.len);
    address->len = sizeof(*un);
    return 0;
}

/* host: without brackets. */
static bool read_host(struct str host, bool brackets, uint16_t port, struct address *address)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (host.len == 0 || host.len >= sizeof(text) || memchr(host.ptr, 0, host.len) != NULL) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = 0;
    if (brackets) {
        address->len = sizeof(in6);
        bool right = inet_pton(AF_INET6, text, &in6.sin6_addr) == 1;
        memcpy(&address->sa, &in6, sizeof(in6));
        return right;
    }
    address->len = sizeof(in);
    bool right = inet_pton(AF_INET, text, &in.sin_addr) == 1;
    memcpy(&address->sa, &in, sizeof(in));
    return right;
}

int address_read(struct str text, struct address *ret_address, struct err *err)
{
    struct address address = {.len = 0};
    size_t colon = text.len;
    uint64_t port;

    if (str_starts_with(text, STR(UNIX))) {
        struct str path = {text.ptr + strlen(UNIX), text.len - strlen(UNIX)};
        if (read_unix(path, &address, err) != 0) {
            return ERR_INVALID;
        }
        *ret_address = address;
        return 0;
    }
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    struct str digits = {text.ptr + colon, text.len - colon};
    struct str host = {text.ptr, colon > 0 ? colon - 1 : 0};
    bool brackets = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (brackets) {
        host = (struct str){host.ptr + 1, host.len - 2};
    }
    if (num_u64(digits, 1, 65535, &port) != 0 ||
        !read_host(host, brackets, (uint16_t) port, &address)) {
        return err_set(err, ERR_INVALID,
                       "\"%.*s\" is no address; right is an IP address with a port, such as "
                       "10.0.1.11:8080 or [::1]:8080, or unix:PATH",
                       (int) (text.len < 128 ? text.len : 128), text.ptr);
    }
    *ret_address = address;
    return 0;
}
