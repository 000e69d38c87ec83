/* Where a client speaks to: see target.h. */
#include "rpc/target.h"

#include "base/buf.h"
#include "base/num.h"
#include "rpc/text_int.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define HINT "write HOST:PORT, grpcs://HOST:PORT for TLS, or unix:/path"

struct scheme {
    const char *name;
    bool tls;
    bool socket;   /* a unix socket's path follows */
    uint16_t port; /* when none is written; 0: it has to be */
};

static const struct scheme schemes[] = {
    {"grpc", false, false, 0},     {"grpcs", true, false, 0}, {"http", false, false, 80},
    {"https", true, false, 443},   {"unix", false, true, 0},  {"grpcs+unix", true, true, 0},
    {"https+unix", true, true, 0},
};
#define SCHEMES (sizeof schemes / sizeof schemes[0])

static const struct scheme *find_scheme(struct str name)
{
    for (size_t i = 0; i < SCHEMES; i++) {
        if (str_eq_nocase(name, str_of(schemes[i].name))) {
            return &schemes[i];
        }
    }
    return NULL;
}

/* The text in messages, cut so that the rest of the message has room. */
static struct str shown(struct str text)
{
    return rpc_shown(text, 160);
}

static int refuse(struct str text, struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID, "target \"" STR_FMT "\": %s", STR_ARG(shown(text)), why);
}

static int refuse_scheme(struct str text, struct str name, struct err *err)
{
    const char *names[SCHEMES];
    for (size_t i = 0; i < SCHEMES; i++) {
        names[i] = schemes[i].name;
    }
    const char *near = str_nearest(name, names, SCHEMES);
    if (near != NULL) {
        return err_set(err, ERR_INVALID,
                       "target \"" STR_FMT "\": there is no scheme \"" STR_FMT
                       "\", did you mean \"%s\"",
                       STR_ARG(shown(text)), STR_ARG(shown(name)), near);
    }
    return err_set(err, ERR_INVALID,
                   "target \"" STR_FMT "\": there is no scheme \"" STR_FMT "\"; there are grpc, "
                   "grpcs, http, https, unix, grpcs+unix and https+unix",
                   STR_ARG(shown(text)), STR_ARG(shown(name)));
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Labels of 1 to 63 characters with single dots between; a dot at the end is fine. */
static bool is_name(struct str host)
{
    struct str label, rest = host;
    if (host.len == 0 || host.len > 253) {
        return false;
    }
    while (str_cut(&rest, '.', &label)) {
        if (label.len == 0 ? rest.ptr != NULL || host.len == 1 : label.len > 63) {
            return false;
        }
        for (size_t i = 0; i < label.len; i++) {
            if (!is_name_char(label.ptr[i])) {
                return false;
            }
        }
    }
    return true;
}

/* Whether getaddrinfo would take it for a number ("127.1", "0x7f.1"): the last label is one. */
static bool looks_like_ipv4(struct str host)
{
    struct str label = {NULL, 0}, rest = host;
    while (str_cut(&rest, '.', &label)) {
    }
    size_t i = str_starts_with(label, STR("0x")) || str_starts_with(label, STR("0X")) ? 2 : 0;
    bool hex = i > 0;
    for (; i < label.len; i++) {
        char c = label.ptr[i];
        if (!((c >= '0' && c <= '9') ||
              (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))))) {
            return false;
        }
    }
    return label.len > 0;
}

static int check_ipv6(struct str text, struct str host, struct err *err)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr in6;
    size_t zone = str_find_char(host, '%');
    bool fits = zone < sizeof address;
    if (fits) {
        memcpy(address, host.ptr, zone);
        address[zone] = '\0';
    }
    struct str name = {host.ptr + zone + 1, zone < host.len ? host.len - zone - 1 : 0};
    if (!fits || inet_pton(AF_INET6, address, &in6) != 1 || (zone < host.len && !is_name(name))) {
        return err_set(err, ERR_INVALID,
                       "target \"" STR_FMT "\": \"" STR_FMT "\" in brackets is no IPv6 address",
                       STR_ARG(shown(text)), STR_ARG(shown(host)));
    }
    return 0;
}

static int check_host(struct str text, struct str host, struct err *err)
{
    char address[RPC_HOST_MAX];
    struct in_addr in4;
    if (host.len == 0) {
        return refuse(text, err, "the host is missing: " HINT);
    }
    if (str_find_char(host, ':') < host.len) {
        return refuse(text, err,
                      "more than one \":\": an IPv6 address stands in brackets, [::1]:PORT; a "
                      "scheme is followed by \"://\"");
    }
    if (str_find_char(host, '@') < host.len) {
        return refuse(text, err, "a user or password does not belong here");
    }
    if (!is_name(host)) {
        return err_set(err, ERR_INVALID, "target \"" STR_FMT "\": \"" STR_FMT "\" is no host name",
                       STR_ARG(shown(text)), STR_ARG(shown(host)));
    }
    memcpy(address, host.ptr, host.len);
    address[host.len] = '\0';
    if (looks_like_ipv4(host) && inet_pton(AF_INET, address, &in4) != 1) {
        return err_set(err, ERR_INVALID,
                       "target \"" STR_FMT "\": \"" STR_FMT
                       "\" is no IPv4 address: write four numbers up to 255",
                       STR_ARG(shown(text)), STR_ARG(shown(host)));
    }
    return 0;
}

/* Splits "HOST:PORT" or "[HOST]:PORT" before the checks.  ret_port has ptr NULL: no ":" there. */
static int split_host(struct str text, struct str rest, struct str *ret_host, struct str *ret_port,
                      bool *ret_brackets, struct err *err)
{
    size_t colon = rest.len;
    *ret_brackets = rest.len > 0 && rest.ptr[0] == '[';
    if (*ret_brackets) {
        size_t end = str_find_char(rest, ']');
        if (end == rest.len) {
            return refuse(text, err, "the \"]\" behind the IPv6 address is missing");
        }
        *ret_host = (struct str){rest.ptr + 1, end - 1};
        colon = end + 1;
        if (colon < rest.len && rest.ptr[colon] != ':') {
            return refuse(text, err, "behind the \"]\" stands something else than \":PORT\"");
        }
    } else {
        while (colon > 0 && rest.ptr[colon - 1] != ':') {
            colon--;
        }
        colon = colon > 0 ? colon - 1 : rest.len;
        *ret_host = (struct str){rest.ptr, colon};
    }
    *ret_port = colon < rest.len ? (struct str){rest.ptr + colon + 1, rest.len - colon - 1}
                                 : (struct str){NULL, 0};
    return 0;
}

static int parse_port(struct str text, struct str port, const struct scheme *scheme,
                      uint16_t *ret_port, struct err *err)
{
    uint64_t number;
    if (port.ptr == NULL) {
        if (scheme->port == 0) {
            return refuse(text, err, "the port is missing: " HINT);
        }
        *ret_port = scheme->port;
        return 0;
    }
    if (num_u64(port, 1, UINT16_MAX, &number) < 0) {
        return err_set(err, ERR_INVALID,
                       "target \"" STR_FMT "\": port \"" STR_FMT "\" is no number from 1 to 65535",
                       STR_ARG(shown(text)), STR_ARG(shown(port)));
    }
    *ret_port = (uint16_t) number;
    return 0;
}

static int parse_host_port(struct str text, struct str rest, const struct scheme *scheme,
                           struct rpc_target *target, struct err *err)
{
    struct str host = STR(""), port = STR("");
    bool brackets = false;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == '/' || rest.ptr[i] == '?' || rest.ptr[i] == '#') {
            return refuse(text, err,
                          "a target ends with its port: leave out \"/\" and what follows");
        }
    }
    int rc = split_host(text, rest, &host, &port, &brackets, err);
    if (rc == 0) {
        rc = brackets ? check_ipv6(text, host, err) : check_host(text, host, err);
    }
    if (rc == 0) {
        rc = parse_port(text, port, scheme, &target->port, err);
    }
    if (rc == 0 && host.len < sizeof target->host) {
        memcpy(target->host, host.ptr, host.len);
    }
    return rc;
}

static int parse_socket(struct str text, struct str path, struct rpc_target *target,
                        struct err *err)
{
    if (str_starts_with(path, STR("//"))) {
        path = (struct str){path.ptr + 2, path.len - 2};
    }
    if (path.len < 2 || path.ptr[0] != '/') {
        return refuse(text, err, "a unix socket has an absolute path: unix:/run/app.sock");
    }
    if (path.len >= sizeof target->path) {
        return err_set(err, ERR_INVALID,
                       "target \"" STR_FMT "\": the path of a unix socket has at most %zu bytes, "
                       "this one has %zu",
                       STR_ARG(shown(text)), sizeof target->path - 1, path.len);
    }
    memcpy(target->path, path.ptr, path.len);
    return 0;
}

/* What stands before "://", or before the ":" of a unix scheme; empty when there is none. */
static struct str cut_scheme(struct str text, struct str *ret_rest)
{
    size_t colon = str_find_char(text, ':');
    struct str name = {text.ptr, colon};
    struct str rest = {text.ptr + colon + 1, colon < text.len ? text.len - colon - 1 : 0};
    if (colon == text.len) {
        *ret_rest = text;
        return (struct str){text.ptr, 0};
    }
    const struct scheme *scheme = find_scheme(name);
    bool plus = str_find_char(name, '+') < name.len;
    if (plus || (scheme != NULL && scheme->socket)) {
        *ret_rest = rest;
        return name;
    }
    if (str_starts_with(rest, STR("//"))) {
        *ret_rest = (struct str){rest.ptr + 2, rest.len - 2};
        return name;
    }
    *ret_rest = text;
    return (struct str){text.ptr, 0};
}

int rpc_target_parse(struct str text, struct rpc_target *ret, struct err *err)
{
    static const struct scheme bare = {"", false, false, 0};
    struct rpc_target target = {.tls = false};
    struct str rest;
    if (text.len == 0) {
        return err_set(err, ERR_INVALID, "the target is empty: " HINT);
    }
    if (!str_is_utf8(text)) {
        return err_set(err, ERR_INVALID, "the target is no UTF-8 text: " HINT);
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned c = (unsigned char) text.ptr[i];
        if (c <= ' ' || c == 0x7f) {
            return err_set(err, ERR_INVALID,
                           "the target has the byte 0x%02x at place %zu: blanks and control "
                           "characters do not belong there",
                           c, i + 1);
        }
    }
    struct str name = cut_scheme(text, &rest);
    const struct scheme *scheme = name.len > 0 ? find_scheme(name) : &bare;
    if (scheme == NULL) {
        return refuse_scheme(text, name, err);
    }
    target.tls = scheme->tls;
    int rc = scheme->socket ? parse_socket(text, rest, &target, err)
                            : parse_host_port(text, rest, scheme, &target, err);
    if (rc == 0) {
        *ret = target;
    }
    return rc;
}

void rpc_target_text(const struct rpc_target *target, char *out, size_t size)
{
    struct buf b;
    buf_init_fixed(&b, out, size);
    if (target->path[0] != '\0') {
        /* A path that begins with "//" would lose that when it is read. */
        bool doubled = str_starts_with(str_of(target->path), STR("//"));
        buf_addf(&b, "%s:%s%s", target->tls ? "grpcs+unix" : "unix", doubled ? "//" : "",
                 target->path);
        return;
    }
    bool brackets = strchr(target->host, ':') != NULL;
    buf_addf(&b, "%s://%s%s%s:%u", target->tls ? "grpcs" : "grpc", brackets ? "[" : "",
             target->host, brackets ? "]" : "", target->port);
}

static void resolve_socket(const struct rpc_target *target, struct rpc_address *address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, target->path, sizeof un.sun_path);
    memcpy(&address->sa, &un, sizeof un);
    address->sa_len = sizeof un;
    (void) snprintf(address->text, sizeof address->text, "unix:%s", target->path);
}

int rpc_target_resolve(const struct rpc_target *target, struct rpc_address *ret, struct err *err)
{
    struct rpc_address address = {.sa_len = 0};
    if (target->path[0] != '\0') {
        resolve_socket(target, &address);
        *ret = address;
        return 0;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    char port[8], host[80];
    (void) snprintf(port, sizeof port, "%u", target->port);
    int rc = getaddrinfo(target->host, port, &hints, &list);
    if (rc != 0) {
        return err_set(err, ERR_UNREACHABLE, "no address for \"%s\": %s", target->host,
                       gai_strerror(rc));
    }
    memcpy(&address.sa, list->ai_addr, list->ai_addrlen);
    address.sa_len = list->ai_addrlen;
    rc = getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    bool brackets = list->ai_family == AF_INET6;
    freeaddrinfo(list);
    if (rc != 0) {
        return err_set(err, ERR_UNREACHABLE, "the address of \"%s\" cannot be written: %s",
                       target->host, gai_strerror(rc));
    }
    (void) snprintf(address.text, sizeof address.text, "%s%s%s:%s", brackets ? "[" : "", host,
                    brackets ? "]" : "", port);
    *ret = address;
    return 0;
}
