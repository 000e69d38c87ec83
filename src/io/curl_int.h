#pragma once
/*
 * libcurl, opened at its first use: the program has many commands that speak no HTTP, and mapping
 * curl with its 30 libraries would be most of their time and memory.  Its header gives the types,
 * nothing links against it.
 */
#include "base/err.h"

#include <curl/curl.h>
#include <stdbool.h>

/* What this room calls of it. */
#define CURL_FUNCTIONS(X)  \
    X(easy_cleanup)        \
    X(easy_getinfo)        \
    X(easy_init)           \
    X(easy_setopt)         \
    X(easy_strerror)       \
    X(free)                \
    X(global_cleanup)      \
    X(global_init)         \
    X(multi_add_handle)    \
    X(multi_assign)        \
    X(multi_cleanup)       \
    X(multi_info_read)     \
    X(multi_init)          \
    X(multi_remove_handle) \
    X(multi_setopt)        \
    X(multi_socket_action) \
    X(slist_append)        \
    X(slist_free_all)      \
    X(url)                 \
    X(url_cleanup)         \
    X(url_get)             \
    X(url_set)             \
    X(version_info)

/* NOLINTBEGIN(bugprone-macro-parentheses): a declared name takes none */
struct curl_functions {
#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};
/* NOLINTEND(bugprone-macro-parentheses) */

/*
 * Opens libcurl.so.4, once, whichever thread comes first.  ERR_INTERNAL: it is not there, or is too
 * old; that stays so.
 */
int curl_open(struct err *err) __attribute__((warn_unused_result));
/* From then on, for as long as the program lives. */
extern const struct curl_functions *const curl;

/* global_init and global_cleanup, from any thread.  False: libcurl cannot start. */
bool curl_begin(void) __attribute__((warn_unused_result));
void curl_end(void);
