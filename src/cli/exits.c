/* The table of exit codes. */
#include "cli/exits.h"

const struct exit_row exit_table[] = {
    {EXIT_DONE, "done", "everything asked for is done and proved"},
    {EXIT_FAILED, "failed", "a definite no: a check, a change or a release failed"},
    {EXIT_USAGE, "usage", "wrong usage, or a wrong file"},
    {EXIT_UNREACHABLE, "unreachable", "cannot reach a router, a host or what lies behind them"},
    {EXIT_DEADLINE, "deadline", "a deadline or a budget ran out"},
    {EXIT_NOTHING, "nothing", "nothing was tested, or too little to say anything"},
    {EXIT_HELD, "held", "held, or waiting for a person"},
    {EXIT_LOCKED, "locked", "locked by another release"},
    {EXIT_INTERNAL, "internal", "a fault of pourover itself"},
    {EXIT_INTERRUPTED, "interrupted", "interrupted by a signal"},
};

const size_t exit_table_len = sizeof exit_table / sizeof exit_table[0];

enum exit_code exit_of(enum err_code code)
{
    switch (code) {
    case ERR_NONE:
        return EXIT_DONE;
    case ERR_INVALID:
    case ERR_NOT_FOUND:
        return EXIT_USAGE;
    case ERR_UNREACHABLE:
        return EXIT_UNREACHABLE;
    case ERR_TIMEOUT:
        return EXIT_DEADLINE;
    case ERR_CANCELLED:
        return EXIT_INTERRUPTED;
    case ERR_INTERNAL:
        return EXIT_INTERNAL;
    case ERR_CONFLICT:
    case ERR_IO:
    case ERR_REMOTE:
    case ERR_FULL:
    case ERR_DENIED:
        return EXIT_FAILED;
    }
    return EXIT_INTERNAL;
}
