/*
 * Addresses of peers as text: "10.0.1.11:8080", "[2001:db8::1]:8080", "unix:/run/app.sock". Pure: a
 * name is none, as nobody is asked for it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/str.h"

struct address {
    size_t len; /* bytes of the sockaddr */
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_storage room;
    } sa;
};

/* ERR_INVALID: it is no address with a port, nor unix:PATH. */
int address_read(struct str text, struct address *ret_address, struct err *err);
