/* Random bytes: all of the memory is filled, none beside it, and a signal does not cut it short. */
#include "base/rand.h"
#include "support/t.h"

#include <signal.h>
#include <sys/time.h>

static void test_fills_each_byte_and_no_other(void **state)
{
    (void) state;
    for (size_t len = 0; len < 40; len++) {
        uint8_t memory[42], seen[42] = {0};
        memset(memory, 0, sizeof memory);
        /* A byte that stays 0 in 20 draws is not drawn (chance 256^-20 each). */
        for (int i = 0; i < 20; i++) {
            assert_int_equal(rand_bytes(memory + 1, len), 0);
            for (size_t j = 0; j < sizeof memory; j++) {
                seen[j] |= memory[j];
            }
        }
        for (size_t j = 0; j < sizeof memory; j++) {
            assert_int_equal(seen[j] != 0, j >= 1 && j <= len);
        }
    }
}

static void on_alarm(int number)
{
    (void) number;
}

static void test_signals_do_not_cut_it_short(void **state)
{
    (void) state;
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct itimerval timer = {{0, 200}, {0, 200}}, off = {{0, 0}, {0, 0}};
    const size_t len = 32u << 20;
    uint8_t *memory = calloc(1, len);
    assert_non_null(memory);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
    int rc = rand_bytes(memory, len);
    assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_int_equal(rc, 0);
    for (size_t i = 0; i + 16 <= len; i += 16) {
        static const uint8_t zero[16];
        assert_true(memcmp(memory + i, zero, sizeof zero) != 0);
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fills_each_byte_and_no_other),
        cmocka_unit_test(test_signals_do_not_cut_it_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
