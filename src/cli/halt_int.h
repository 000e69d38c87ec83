#pragma once
/* The table of what steps and their outcomes mean for people. */
#include "cli/halt.h"

enum halt_visitors {
    HALT_VISITORS_NONE,     /* did not notice */
    HALT_VISITORS_AT_HOST,  /* those at the host may have */
    HALT_VISITORS_OF_SHARE, /* those on the canary may have */
    HALT_VISITORS_AT_RISK,  /* routers may differ */
};

enum halt_ways {
    HALT_BOTH, /* resume and rollback */
    HALT_MIGRATION_UNKNOWN,
    HALT_BY_PEOPLE, /* promote and rollback */
    HALT_LOST,      /* another has the lease */
};

#define HALT_ANY_OUTCOME (-1)

struct halt_row {
    int kind, outcome;
    const char *hint; /* has to stand in what was seen; NULL: nothing has to */
    const char *what; /* what failed, one line */
    const char *mend; /* resume ...: when, and what it then does */
    const char *done; /* NULL: by halt.done */
    enum halt_visitors who;
    enum halt_ways ways;
};

/* The first row that fits; there is one for every step kind. */
const struct halt_row *halt_row_of(const struct halt *h);
