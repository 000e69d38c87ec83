#pragma once
/* The exit codes of the whole program, in one table. */
#include "base/err.h"

#include <stddef.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_DEADLINE = 4,
    EXIT_NOTHING = 5,
    EXIT_HELD = 6,
    EXIT_LOCKED = 7,
    EXIT_INTERNAL = 70,
    EXIT_INTERRUPTED = 130,
};

struct exit_row {
    enum exit_code code;
    const char *name, *meaning;
};

/* n rows, by code. */
extern const struct exit_row exit_table[];
extern const size_t exit_table_len;

/* The exit code that an error of a router or a file stands for. */
enum exit_code exit_of(enum err_code code);
