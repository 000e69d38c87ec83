#pragma once
/*
 * Errors: a code for the program, a finished message for the reader.  No allocation.
 *
 * A function that can fail returns 0 or a negative enum err_code and takes `struct err *err` last.
 * The message is complete: lower case, no full stop, names the thing and the value that was seen,
 * and says what would be right.  Only the top of the program prints it.
 */

enum err_code {
    ERR_NONE = 0,         /* what a zeroed struct err says */
    ERR_INVALID = -1,     /* malformed or out of its domain */
    ERR_NOT_FOUND = -2,   /* no such thing */
    ERR_CONFLICT = -3,    /* the state is another than the caller thought */
    ERR_TIMEOUT = -4,     /* the deadline passed */
    ERR_IO = -5,          /* the operating system refused */
    ERR_REMOTE = -6,      /* the other side answered with an error */
    ERR_UNREACHABLE = -7, /* the other side did not answer */
    ERR_CANCELLED = -8,   /* cancelled by the caller */
    ERR_FULL = -9,        /* above a limit or a range */
    ERR_DENIED = -10,     /* not allowed */
    ERR_INTERNAL = -11,   /* should not happen */
};

/* A place in a text.  file NULL: no place.  line and col count from 1; 0: unknown. */
struct pos {
    const char *file;
    unsigned line, col;
};

struct err {
    enum err_code code;
    struct pos pos;
    char msg[512]; /* NUL terminated; ends in "..." when it had to be cut */
};

/*
 * Sets code and message and clears the place.  err may be NULL.
 * Returns (int) code, so that `return err_set(err, ERR_INVALID, "...")` is the whole error path.
 */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Puts a context in front of the message: "step 3" gives "step 3: <message>".
 * Returns err->code; ERR_INTERNAL when err is NULL (there the code is not known: pass a real err).
 */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Like err_set with ERR_IO; appends ": " and the text of errnum ("No such file or directory").
 * errnum: a positive errno value.  err may be NULL.  Returns ERR_IO.
 */
int err_errno(struct err *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
