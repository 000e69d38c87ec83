/* What steps and their outcomes mean for people; the first row that fits counts. */
#include "cli/halt_int.h"

#include "base/mem.h"

#include <string.h>

#define ANY     HALT_ANY_OUTCOME

#define AGAIN   "%H begins its runbook anew, then the others follow"
#define NO_HOST "no host has left the routers for it"

static const struct halt_row lost = {
    .what = "another release took the lease: this one writes and does nothing any more",
    .done = "what was begun was left as it was",
    .mend = "",
    .ways = HALT_LOST,
};
static const struct halt_row by_people = {
    .what = "people paused it; hosts on their way were seen through",
    .mend = "goes on where it was",
};
static const struct halt_row held_for_people = {
    .what = "the walk is at its end and waits for a person",
    .mend = "%V for all, then the share goes down and the canary is retired",
    .ways = HALT_BY_PEOPLE,
};

static const struct halt_row table[] = {
    {STEP_PREFLIGHT, RELEASE_AWAY, NULL, "%H%D or one of its routers cannot be reached",
     "when all that is named above answers again; asks once more and goes on", NULL,
     HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_PREFLIGHT, RELEASE_LATE, NULL, "%H%D did not answer in time",
     "when it does; asks once more and goes on", NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_PREFLIGHT, ANY, NULL, "%H%D is not ready for a release",
     "when what is named above is mended; asks once more and goes on", NULL, HALT_VISITORS_NONE,
     HALT_BOTH},
    {STEP_ROOM, ANY, NULL, "%H%D has too little free space for %V",
     "when there is space, or disk.free asks for less; " AGAIN, NULL, HALT_VISITORS_NONE,
     HALT_BOTH},
    {STEP_PULL, RELEASE_LATE, NULL, "%V did not come to %H%D in time",
     "tries again, then goes on; rolling.deadline is how long a step may take", NULL,
     HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_PULL, RELEASE_AWAY, NULL, "%H%D, or where %V comes from, cannot be reached",
     "when it answers again; tries again, then goes on", NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_PULL, ANY, NULL, "what %V needs could not be brought to %H%D",
     "when it is there; tries again, then goes on", NULL, HALT_VISITORS_NONE, HALT_BOTH},

    {STEP_LEAVE, ANY, "keep_up", "without %H%D too little of the service would be left",
     "when enough of the others are ready again, or keep_up asks for less; " AGAIN, NULL,
     HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_LEAVE, RELEASE_AWAY, NULL,
     "that %H%D gets no more requests could not be proved: a router does not answer",
     "when every router answers again; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_LEAVE, RELEASE_LATE, NULL, "requests at %H%D did not end in time, so it was not stopped",
     "when they have ended, or with other limits (rolling.drain); " AGAIN, NULL, HALT_VISITORS_NONE,
     HALT_BOTH},
    {STEP_LEAVE, ANY, NULL, "%H%D could not leave the routers",
     "when what is named above is mended; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_STOP, ANY, "keep_up", "%H%D was not stopped: too little of the service would be left",
     "when enough of the others are ready again; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_STOP, ANY, NULL, "what runs at %H%D could not be stopped",
     "when it can be, or is; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_PROXY, ANY, NULL, "the proxy of %H%D is not up, or does not fail by command",
     "when it is mended; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_CONNECT, ANY, NULL, "from %H%D something that %V needs does not answer",
     "when it answers from there, or is another in release.yaml (connect); " AGAIN, NULL,
     HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_START, RELEASE_LATE, NULL, "%V did not get ready at %H%D in time",
     "with a %V that does, or a longer ready.within; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_START, ANY, "to be ready", "%V did not get ready at %H%D in time",
     "with a %V that does, or a longer ready.within; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_START, ANY, "stay up", "%V does not stay up at %H%D", "with a %V that does; " AGAIN, NULL,
     HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_START, ANY, NULL, "%V did not start at %H%D", "with a %V that does; " AGAIN, NULL,
     HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_TEST, RELEASE_NOTHING, NULL, "no API test ran against %V at %H%D: nothing is proved",
     "when tests.files and tests.tags choose some; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_TEST, RELEASE_LATE, NULL, "the API tests of %V at %H%D did not end in time",
     "with a %V that answers, or a longer tests.budget; " AGAIN, NULL, HALT_VISITORS_NONE,
     HALT_BOTH},
    {STEP_TEST, RELEASE_AWAY, NULL, "the API tests could not reach %V at %H%D",
     "when tests.target answers; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_TEST, ANY, NULL, "the API tests of %V failed at %H%D",
     "with a %V, or tests, that are mended; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_JOIN, RELEASE_AWAY, NULL,
     "that %H%D is back could not be proved: a router does not answer",
     "when every router answers again; " AGAIN, NULL, HALT_VISITORS_AT_HOST, HALT_BOTH},
    {STEP_JOIN, ANY, NULL, "%H%D does not pass the routers' check with %V",
     "when the check passes there; " AGAIN, NULL, HALT_VISITORS_AT_HOST, HALT_BOTH},
    {STEP_SOAK, ANY, NULL, "%V at %H%D did not stay up under visitors",
     "with a %V that does; " AGAIN, NULL, HALT_VISITORS_AT_HOST, HALT_BOTH},

    {STEP_SWITCH, ANY, NULL, "visitors could not be brought from the old to the new copy at %H%D",
     "when what is named above is mended; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_KEEP_OLD, ANY, NULL, "the time for which the old copy stays warm at %H%D was cut short",
     "waits once more, then goes on", NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_STOP_OLD, ANY, NULL, "the old copy at %H%D could not be stopped",
     "when it can be, or is; goes on", "%H serves %V", HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_PUT_BACK, ANY, NULL, "%H%D could not be put back into the routers",
     "when the routers and the host answer; " AGAIN, NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_SHUT, ANY, NULL, "%H%D could not be shut", "when the routers and the host answer; " AGAIN,
     NULL, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_TRACK, ANY, NULL, "%H%D could not be moved to the other track at every router",
     "when every router answers; tries again and goes on", "%H stays where it is",
     HALT_VISITORS_NONE, HALT_BOTH},

    {STEP_LOCK, RELEASE_AWAY, NULL, "not every host can be reached, so not every lease is held",
     "when all that is named above answers again", NO_HOST, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_LOCK, ANY, NULL, "a host's lease could not be taken",
     "when nobody else holds it; with --force it is broken", NO_HOST, HALT_VISITORS_NONE,
     HALT_BOTH},
    {STEP_HOOK_BEFORE, RELEASE_LATE, NULL, "a hook did not end in time",
     "runs it again, then goes on", NO_HOST, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_HOOK_BEFORE, ANY, NULL, "a hook said no", "runs it again; goes on when it says yes",
     NO_HOST, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_HOOK_AFTER, ANY, NULL, "%V serves; a hook behind the release failed",
     "runs it again, then the release is done", "all hosts stay as they are", HALT_VISITORS_NONE,
     HALT_BOTH},
    {STEP_MIGRATE, RELEASE_UNKNOWN, NULL,
     "the migration was begun, and nobody knows how it ended: look at the data first", "",
     "it is not run again unasked", HALT_VISITORS_NONE, HALT_MIGRATION_UNKNOWN},
    {STEP_MIGRATE, RELEASE_LATE, NULL, "the migration did not end in time (migrate.timeout)",
     "runs it once more, then goes on", NO_HOST, HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_MIGRATE, RELEASE_AWAY, NULL, "the host of the migration cannot be reached",
     "when it answers: waits for the migration that was begun, or runs it", NO_HOST,
     HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_MIGRATE, ANY, NULL, "the migration of %V failed",
     "runs it once more, then goes on; mend it first", NO_HOST, HALT_VISITORS_NONE, HALT_BOTH},

    {STEP_SHARE, ANY, "capacity", "the hosts that are ready now cannot bear a share of %S",
     "when enough of them are ready, or with a larger pool (canary.pool)", "the share was not set",
     HALT_VISITORS_NONE, HALT_BOTH},
    {STEP_SHARE, RELEASE_AWAY, NULL, "a share of %S could not be proved: a router does not answer",
     "when every router answers again; sets it again and proves it", "no share was raised after it",
     HALT_VISITORS_AT_RISK, HALT_BOTH},
    {STEP_SHARE, ANY, NULL, "a share of %S did not show at every router, or not in what is sampled",
     "when the routers agree; sets it again and proves it", "no share was raised after it",
     HALT_VISITORS_AT_RISK, HALT_BOTH},
    {STEP_DWELL, RELEASE_NOTHING, NULL, "too few requests came at %S to say anything of %V",
     "%S is enough for you: on to the next stage", NULL, HALT_VISITORS_NONE, HALT_BY_PEOPLE},
    {STEP_DWELL, RELEASE_EXCEEDED, NULL, "%V exceeded a limit at %S",
     "at %S once more, with a %V that is mended", "the share was not raised",
     HALT_VISITORS_OF_SHARE, HALT_BOTH},
    {STEP_DWELL, RELEASE_FAILED, NULL, "the hosts that are ready now cannot bear a share of %S",
     "when enough of them are ready", "the share was not raised", HALT_VISITORS_OF_SHARE,
     HALT_BOTH},
    {STEP_DWELL, ANY, NULL, "nothing can be said of %V at %S: a router does not answer",
     "%S is enough for you: on to the next stage", NULL, HALT_VISITORS_AT_RISK, HALT_BY_PEOPLE},
};

static bool fits(const struct halt_row *row, const struct halt *h)
{
    return row->kind == (int) h->kind &&
           (row->outcome == HALT_ANY_OUTCOME || row->outcome == (int) h->outcome) &&
           (row->hint == NULL || (h->text != NULL && strstr(h->text, row->hint) != NULL));
}

const struct halt_row *halt_row_of(const struct halt *h)
{
    if (!h->has_step) {
        return &by_people;
    }
    if (h->outcome == RELEASE_FENCED) {
        return &lost;
    }
    if (h->hold) {
        return &held_for_people;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (fits(&table[i], h)) {
            return &table[i];
        }
    }
    BUG("no row for step %d", (int) h->kind);
}
