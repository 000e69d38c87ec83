/* Compare and set: no request that is stale, and none that is a raise in disguise, gets through. */
#include "support/t.h"
#include "traffic/split_change.h"

static struct split split_of(uint32_t share_ppm, const char *salt, bool enabled, uint64_t revision)
{
    struct split split = {.share_ppm = share_ppm, .enabled = enabled, .revision = revision};
    split.salt_len = (uint8_t) strlen(salt);
    memcpy(split.salt, salt, split.salt_len);
    return split;
}

static struct split_request share(uint32_t share_ppm, uint64_t revision, uint64_t if_revision)
{
    return (struct split_request){.has_share = true,
                                  .share_ppm = share_ppm,
                                  .revision = revision,
                                  .if_revision = if_revision};
}

static void test_only_what_is_named_changes(void **state)
{
    (void) state;
    struct split now = split_of(1000, "r42", true, 41), next;
    struct split_request request = share(10000, 42, 41);
    const char *field;
    struct err err;

    assert_int_equal(split_change(&now, &request, &next, &field, &err), 0);
    assert_int_equal(next.share_ppm, 10000);
    assert_int_equal(next.revision, 42);
    assert_true(next.enabled);
    assert_str(((struct str){next.salt, next.salt_len}), "r42");

    request = (struct split_request){.has_enabled = true, .revision = 50, .if_revision = 41};
    assert_int_equal(split_change(&now, &request, &next, &field, &err), 0);
    assert_int_equal(next.share_ppm, 1000);
    assert_false(next.enabled);

    request = (struct split_request){
        .has_salt = true, .salt = "r9", .salt_len = 2, .revision = 50, .if_revision = 41};
    assert_int_equal(split_change(&now, &request, &next, &field, &err), 0);
    assert_str(((struct str){next.salt, next.salt_len}), "r9");
}

static void test_a_stale_request_is_refused(void **state)
{
    (void) state;
    struct split now = split_of(1000, "r42", true, 41), next = {.revision = 7};
    struct split_request request = share(0, 42, 40);
    const char *field;
    struct err err;

    assert_err(split_change(&now, &request, &next, &field, &err), &err, ERR_CONFLICT,
               "if_revision is 40, but the split is at revision 41; read it and decide anew");
    assert_string_equal(field, "if_revision");
    request = share(0, 41, 41);
    assert_err(split_change(&now, &request, &next, &field, &err), &err, ERR_CONFLICT,
               "revision is 41, but the split is at revision 41 already; a higher one is right");
    assert_string_equal(field, "revision");
    assert_int_equal(next.revision, 7); /* untouched */
}

static void test_any_is_for_what_moves_nobody_to_the_canary(void **state)
{
    (void) state;
    const struct {
        struct split now;
        struct split_request request;
        bool taken;
    } rows[] = {
        {split_of(1000, "r", true, 5), {.has_share = true, .share_ppm = 0}, true},
        {split_of(1000, "r", true, 5), {.has_share = true, .share_ppm = 1000}, true},
        {split_of(1000, "r", true, 5), {.has_share = true, .share_ppm = 1001}, false},
        {split_of(1000, "r", true, 5), {.has_enabled = true, .enabled = false}, true},
        {split_of(1000, "r", true, 5), {.has_enabled = true, .enabled = true}, true},
        {split_of(1000, "r", false, 5), {.has_enabled = true, .enabled = true}, false},
        {split_of(1000, "r", false, 5), {.has_share = true, .share_ppm = 2000}, false},
        {split_of(1000, "r", true, 5), {.has_salt = true, .salt = "r", .salt_len = 1}, true},
        {split_of(1000, "r", true, 5), {.has_salt = true, .salt = "s", .salt_len = 1}, false},
        {split_of(0, "r", true, 5), {.has_salt = true, .salt = "rr", .salt_len = 2}, false},
        {split_of(1000, "r", true, 5),
         {.has_share = true, .has_enabled = true, .share_ppm = 0, .enabled = true},
         true},
    };
    T_TABLE(row, rows)
    {
        struct split next;
        struct split_request request = row->request;
        const char *field;
        struct err err;

        request.revision = 6;
        request.if_any = true;
        int rc = split_change(&row->now, &request, &next, &field, &err);
        t_check(rc == (row->taken ? 0 : ERR_CONFLICT), "row %zu", (size_t) (row - rows));
        t_check(rc != 0 || !split_can_raise(&row->now, &next), "row %zu", (size_t) (row - rows));
    }
}

/* Whatever is sent: the revision rises on success, and a taken "any" moves nobody over. */
static void test_random_walk_keeps_the_rules(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    struct split now = split_of(0, "a", true, 0);
    unsigned taken = 0;

    for (unsigned i = 0; i < 100000; i++) {
        struct split_request request = {
            .has_share = t_random_below(&random, 2) != 0,
            .has_enabled = t_random_below(&random, 4) == 0,
            .has_salt = t_random_below(&random, 8) == 0,
            .if_any = t_random_below(&random, 3) == 0,
            .share_ppm = (uint32_t) t_random_below(&random, 11) * 100000,
            .enabled = t_random_below(&random, 2) != 0,
            .salt_len = 1,
            .salt = {(char) ('a' + t_random_below(&random, 3))},
            .revision = now.revision + t_random_below(&random, 4),
            .if_revision = now.revision + 1 - t_random_below(&random, 3) / 2,
        };
        struct split next;
        const char *field;
        struct err err;

        if (split_change(&now, &request, &next, &field, &err) != 0) {
            assert_true(strcmp(field, "revision") == 0 || strcmp(field, "if_revision") == 0);
            continue;
        }
        taken++;
        assert_true(next.revision > now.revision);
        assert_true(request.if_any || request.if_revision == now.revision);
        if (request.if_any) {
            assert_true(next.share_ppm <= now.share_ppm);
            assert_true(!next.enabled || now.enabled);
            assert_int_equal(next.salt[0], now.salt[0]);
        }
        now = next;
    }
    t_check(taken > 1000, "only %u of 100000 were taken", taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_is_named_changes),
        cmocka_unit_test(test_a_stale_request_is_refused),
        cmocka_unit_test(test_any_is_for_what_moves_nobody_to_the_canary),
        cmocka_unit_test(test_random_walk_keeps_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
