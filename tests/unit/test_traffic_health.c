/* The health of a peer as one state; see traffic/health.h. */
#include "support/t.h"

#include "traffic/health.h"

static const struct health_rule RULE = {.rise = 2, .fall = 3};

/* One letter an event; the state after the last one. */
static struct health_state after(struct health_state state, const char *events)
{
    for (; *events != 0; events++) {
        enum health_event event = *events == 'P'   ? HEALTH_PASS
                                  : *events == 'F' ? HEALTH_FAIL
                                  : *events == 'T' ? HEALTH_TOLD
                                  : *events == 'E' ? HEALTH_EJECT
                                  : *events == 'O' ? HEALTH_EJECT_OVER
                                  : *events == 'W' ? HEALTH_WATCHED
                                                   : HEALTH_UNWATCHED;
        enum health before = state.health;
        bool changed = health_step(&state, event, &RULE);
        assert_int_equal(changed, state.health != before);
    }
    return state;
}

static void test_each_arrow(void **state)
{
    (void) state;
    static const struct row {
        const char *events;
        enum health health;
    } rows[] = {
        {"", HEALTH_UNCHECKED},  {"W", HEALTH_UNKNOWN},      {"WP", HEALTH_UP},
        {"WF", HEALTH_DOWN},     {"WPFF", HEALTH_UP},        {"WPFFPFF", HEALTH_UP},
        {"WPFFF", HEALTH_DOWN},  {"WPFFFP", HEALTH_DOWN},    {"WPFFFPFP", HEALTH_DOWN},
        {"WPFFFPP", HEALTH_UP},  {"WPT", HEALTH_DOWN},       {"WPTPP", HEALTH_UP},
        {"T", HEALTH_UNCHECKED}, {"E", HEALTH_DOWN},         {"EO", HEALTH_UNCHECKED},
        {"O", HEALTH_UNCHECKED}, {"WPE", HEALTH_DOWN},       {"WPEPPP", HEALTH_DOWN},
        {"WPEPPO", HEALTH_UP},   {"WPEPO", HEALTH_UP},       {"WPEFO", HEALTH_DOWN},
        {"WPEFOPP", HEALTH_UP},  {"WPU", HEALTH_UNCHECKED},  {"WFU", HEALTH_UNCHECKED},
        {"EW", HEALTH_DOWN},     {"EWO", HEALTH_DOWN},       {"EWPPO", HEALTH_UP},
        {"WEU", HEALTH_DOWN},    {"WEUO", HEALTH_UNCHECKED}, {"WPW", HEALTH_UP},
    };
    T_TABLE(row, rows)
    {
        struct health_state end =
            after((struct health_state){.health = HEALTH_UNCHECKED}, row->events);
        t_check(end.health == row->health, "%s: %s, not %s", row->events, health_name(end.health),
                health_name(row->health));
    }
}

/* Of any events: an ejected peer is down; an unchecked one is never up or unknown, a checked one
 * never unchecked; up means that not `fall` checks failed in a row. */
static void test_what_holds_after_any_events(void **state)
{
    (void) state;
    static const char letters[] = "PPPPFFFFTEOWU";
    struct t_random random = t_random_init();

    for (int round = 0; round < 2000; round++) {
        struct health_state s = {.health = HEALTH_UNCHECKED};
        for (int i = 0; i < 50; i++) {
            char event[2] = {letters[t_random_below(&random, sizeof(letters) - 1)], 0};
            s = after(s, event);
            t_check(!s.ejected || s.health == HEALTH_DOWN, "ejected but %s", health_name(s.health));
            t_check(s.ejected || s.checked == (s.health != HEALTH_UNCHECKED), "checked %d but %s",
                    s.checked, health_name(s.health));
            t_check(s.health != HEALTH_UP || s.passing || s.streak < RULE.fall, "up after %u",
                    s.streak);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_arrow),
        cmocka_unit_test(test_what_holds_after_any_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
