#pragma once
/* release.yaml and fleet.yaml for commands: found, read, their messages printed. */
#include "cli/cmd.h"
#include "release/config.h"

enum release_kind {
    RELEASE_KIND_NONE,
    RELEASE_KIND_FILE,
    RELEASE_KIND_OVERLAY,
    RELEASE_KIND_FLEET
};

/*
 * What a file is by its keys: `service` or a driver, else hosts or routers.  An overlay is told by
 * its name, and that the file it goes over is of releases.  A file that cannot be read is none.
 */
enum release_kind release_kind_of(const char *path);

/* Checks one, prints what is wrong, and, when all is right, one line of what it is. */
enum exit_code release_check(const struct cli *cli, const char *path, enum release_kind kind);

/*
 * Reads what --file and --environment name (release.yaml) and prints what is wrong.  EXIT_DONE, or
 * an exit code; ret has to be released in both cases.  supported: what this version cannot carry
 * out is wrong, too.
 */
enum exit_code release_open(const struct cli *cli, bool supported, struct release_config *ret);
/* The same of a file, NULL: release.yaml. */
enum exit_code release_open_file(const struct cli *cli, const char *file, bool supported,
                                 struct release_config *ret);
