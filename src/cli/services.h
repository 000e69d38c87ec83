#pragma once
/*
 * The services that one command acts on: those of the release files that were given, in the order
 * in which they need each other.  One is the usual case.
 */
#include "cli/room.h"
#include "release/needs.h"

struct service {
    struct room room;
    const char *file; /* NULL: release.yaml */
    const char *version;
    char now[128]; /* the version that serves, for restart */
};

struct services {
    struct cli *cli;
    struct service *given; /* in the order of the command line; owned */
    struct service *of[NEEDS_MAX];
    size_t opened, len;
};

/*
 * Reads all files; what is wrong with any of them, and a circle, is printed with its place.
 * has_versions: the operands are VERSION, SERVICE=VERSION or both, and each service has to get one.
 * Needs of services that nobody gave are told.  To be closed in any case.
 */
enum exit_code services_open(struct services *s, struct cli *cli, bool has_versions);
void services_close(struct services *s);

/*
 * "school-web, shop": the services from of[from] on.  Then the command that releases them, or with
 * kind "restart" restarts them, as far as options say what is done.
 */
void services_names(const struct services *s, size_t from, struct buf *b);
void services_command(const struct services *s, size_t from, const char *kind, struct buf *b);
