/* The ring of events: thinning, overwriting, cursors, many writers, writers that are killed. */
#include "support/t.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traffic/event.h"
#include "traffic/sketch.h"

#define SIZE (4u << 20)

static const uint8_t TOKEN[16] = {1};
static uint8_t *memory; /* shared with children */
static struct zone *zone;
static struct service *service;

static struct event_ring *fresh(uint32_t capacity)
{
    if (memory == NULL) {
        memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(memory, MAP_FAILED);
    }
    memset(memory, 0, SIZE);
    assert_int_equal(zone_init(memory, SIZE, 7, TOKEN, 1000, NULL), 0);
    zone = (void *) memory;
    assert_int_equal(zone_service_add_locked(zone, STR("shop"), SERVICE_BALANCER, &service, NULL),
                     0);
    assert_null(event_ring_of(zone, service));
    assert_true(event_ring_make_locked(zone, service, capacity));
    return event_ring_of(zone, service);
}

/* An event whose fields follow from its unit, so that a torn one is known. */
static struct event event_of(uint64_t unit, enum event_kind kind)
{
    struct event event = {.unit = unit,
                          .start_us = sketch_mix(unit + 1),
                          .revision = 1,
                          .took_us = (uint32_t) sketch_mix(unit + 2),
                          .share_ppm = (uint32_t) sketch_mix(unit + 3),
                          .assigned = unit % 3 == 0 ? TRACK_CANARY : TRACK_STABLE,
                          .kind = (uint8_t) kind,
                          .has_unit = 1,
                          .grpc = -1};
    uint64_t route = sketch_mix(unit + 4);
    memcpy(event.route + sizeof(event.route) - sizeof(route), &route, sizeof(route));
    return event;
}

static void check_whole(const struct event *event)
{
    struct event wanted = event_of(event->unit, (enum event_kind) event->kind);
    assert_true(event->start_us == wanted.start_us && event->took_us == wanted.took_us &&
                event->share_ppm == wanted.share_ppm && event->assigned == wanted.assigned);
    assert_memory_equal(event->route, wanted.route, sizeof(wanted.route));
}

/* What a process does with an event. Returns the nth that was recorded, or 0. */
static unsigned note(struct event_ring *ring, struct event event)
{
    event.nth = (uint8_t) event_nth(ring, &event);
    return event.nth != 0 && event_add_locked(ring, &event) ? event.nth : 0;
}

static unsigned read_all(const struct event_ring *ring, struct event_cursor after,
                         struct event_reader *ret_reader)
{
    struct event event;
    event_reader_init(ret_reader, ring, &after);
    for (uint64_t seq = 0; event_reader_next(ret_reader, &event); seq = event.seq) {
        assert_true(seq == 0 || event.seq == seq + 1);
        assert_true(event.seq == ret_reader->at.seq);
        check_whole(&event);
    }
    return (unsigned) ret_reader->read;
}

static void test_a_unit_has_its_1st_5th_and_25th_event_of_a_kind_recorded(void **state)
{
    (void) state;
    struct event_ring *ring = fresh(1000);

    for (unsigned i = 1; i <= 600; i++) {
        bool kept = i == 1 || i == 5 || i == 25;
        assert_int_equal(note(ring, event_of(11, EVENT_APP)), kept ? i : 0);
        assert_int_equal(note(ring, event_of(11, EVENT_GRPC)), kept ? i : 0);
        assert_int_equal(note(ring, event_of(12, EVENT_APP)), kept ? i : 0);
        assert_int_equal(note(ring, event_of(11, EVENT_EXPOSURE)), i == 1);
    }
    struct event event = event_of(11, EVENT_APP);
    event.revision = 2;
    assert_int_equal(note(ring, event), 1); /* under another revision it begins anew */

    event = event_of(11, EVENT_SLOW); /* once for each threshold */
    for (uint16_t threshold = 0; threshold < WATCH_SLOW_MAX; threshold++) {
        event.status = threshold;
        assert_int_equal(note(ring, event), 1);
        assert_int_equal(note(ring, event), 0);
    }
    event.kind = EVENT_APP; /* its status tells nothing apart */
    event.status = 500;
    assert_int_equal(note(ring, event), 0);

    event.has_unit = 0;
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(note(ring, event), 1); /* a request without an id is its own unit */
    }
}

static void test_units_beyond_the_cache_are_recorded_again_never_left_out(void **state)
{
    (void) state;
    struct event_ring *ring = fresh(EVENT_CAPACITY_MIN);
    uint64_t appended = 0;

    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t unit = 0; unit < 20000; unit++) {
            (void) note(ring, event_of(unit, EVENT_APP));
        }
        assert_true(event_ring_appended(ring) - appended > 19000);
        appended = event_ring_appended(ring);
    }
    /* what is new finds a place at once, also where all is full of other revisions */
    for (uint64_t unit = 0; unit < 20; unit++) {
        struct event event = event_of(unit, EVENT_APP);
        event.revision = 2;
        assert_int_equal(note(ring, event), 1);
        assert_int_equal(note(ring, event), 0);
    }
}

static void test_a_cursor_is_read_or_refused(void **state)
{
    (void) state;
    const struct {
        const char *text;
        struct event_cursor cursor;
    } good[] = {
        {"0", {0, 0, false}},
        {"0.0", {0, 0, true}},
        {"1042", {1042, 0, false}},
        {"1042.97", {1042, 97, true}},
        {"18446744073709551615.18446744073709551615", {UINT64_MAX, UINT64_MAX, true}},
    };
    T_TABLE(row, good)
    {
        struct event_cursor cursor;
        assert_int_equal(event_cursor_parse(str_of(row->text), &cursor, NULL), 0);
        assert_true(cursor.seq == row->cursor.seq && cursor.canaries == row->cursor.canaries &&
                    cursor.has_canaries == row->cursor.has_canaries);
    }
    const char *bad[] = {"",
                         ".",
                         "1.",
                         ".1",
                         "1.2",
                         "01",
                         "1 ",
                         "1.1.1",
                         "-1",
                         "1e3",
                         "x",
                         "5.05",
                         "18446744073709551616"};
    T_TABLE(text, bad)
    {
        struct event_cursor cursor;
        struct err err;
        assert_int_equal(event_cursor_parse(str_of(*text), &cursor, &err), ERR_INVALID);
        assert_non_null(strstr(err.msg, *text));
    }
}

static void test_a_reader_that_keeps_up_gets_each_record_once(void **state)
{
    (void) state;
    struct event_ring *ring = fresh(300);
    struct event_cursor at = {0};
    struct event_reader reader;
    struct t_random random = t_random_init();
    uint64_t appended = 0;

    for (unsigned round = 0; round < 300; round++) {
        unsigned n = (unsigned) t_random_below(&random, 301);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(note(ring, event_of(appended++, EVENT_APP)), 1);
        }
        assert_int_equal(read_all(ring, at, &reader), n);
        assert_true(reader.lost[TRACK_STABLE] == 0 && reader.lost[TRACK_CANARY] == 0);
        assert_true(reader.knows_lost == (round > 0 && at.has_canaries));
        at = reader.at;
        assert_true(at.seq == appended && at.has_canaries);
        assert_int_equal(at.canaries, (appended + 2) / 3);
    }
}

static void test_what_was_overwritten_is_counted_for_each_track(void **state)
{
    (void) state;
    struct event_ring *ring = fresh(EVENT_CAPACITY_MIN);
    struct event_cursor at = {0, 0, true};
    struct event_reader reader;
    struct t_random random = t_random_init();
    uint64_t unit = 0;

    for (unsigned round = 0; round < 200; round++) {
        uint64_t n = t_random_below(&random, 1000), canaries = 0;
        uint64_t lost = n > EVENT_CAPACITY_MIN ? n - EVENT_CAPACITY_MIN : 0;
        for (uint64_t i = 0; i < n; i++, unit++) {
            assert_int_equal(note(ring, event_of(unit, EVENT_APP)), 1);
            canaries += i < lost && unit % 3 == 0;
        }
        assert_int_equal(read_all(ring, at, &reader), n - lost);
        assert_true(reader.knows_lost);
        assert_int_equal(reader.lost[TRACK_CANARY], canaries);
        assert_int_equal(reader.lost[TRACK_STABLE], lost - canaries);
        at = reader.at;
    }
}

static void test_a_cursor_of_another_ring_begins_anew(void **state)
{
    (void) state;
    struct event_ring *ring = fresh(EVENT_CAPACITY_MIN);
    struct event_reader reader;

    assert_int_equal(read_all(ring, (struct event_cursor){0, 0, false}, &reader), 0);
    assert_true(reader.at.seq == 0 && reader.at.has_canaries && !reader.knows_lost);
    for (uint64_t unit = 0; unit < 10; unit++) {
        (void) note(ring, event_of(unit, EVENT_APP));
    }
    assert_int_equal(read_all(ring, (struct event_cursor){500, 20, true}, &reader), 10);
    assert_false(reader.knows_lost);
    /* one that says how many canaries it saw, and cannot have */
    assert_int_equal(read_all(ring, (struct event_cursor){6, 6, true}, &reader), 4);
    assert_false(reader.knows_lost);
    /* behind the last it stays where it is */
    assert_int_equal(read_all(ring, (struct event_cursor){10, 4, true}, &reader), 0);
    assert_true(reader.at.seq == 10 && reader.at.canaries == 4);
}

static void test_a_ring_that_does_not_fit_is_not_made(void **state)
{
    (void) state;
    (void) fresh(EVENT_CAPACITY_MIN);
    struct service *other = NULL;

    assert_int_equal(zone_service_add_locked(zone, STR("other"), SERVICE_CUT, &other, NULL), 0);
    uint64_t left = zone_free(zone);
    assert_false(event_ring_make_locked(zone, other, EVENT_CAPACITY_MAX));
    assert_int_equal(zone_free(zone), left);
    assert_null(event_ring_of(zone, other));
    assert_true(event_ring_make_locked(zone, other, 5000));
    assert_int_equal(zone_free(zone), left - event_ring_bytes(5000));
    assert_int_equal(event_ring_capacity(event_ring_of(zone, other)), 5000);
}

/* Many writers. The lock holds the pid of who has it, as NGINX's does. */

struct shared {
    _Atomic int lock;
    _Atomic uint64_t recorded;
    _Atomic bool stop;
};

static struct shared *shared;

static void lock(int me)
{
    int none = 0;
    while (!atomic_compare_exchange_weak(&shared->lock, &none, me)) {
        none = 0;
        (void) usleep(1);
    }
}

static void note_locking(struct event_ring *ring, struct event event, int me)
{
    event.nth = (uint8_t) event_nth(ring, &event);
    if (event.nth == 0) {
        return;
    }
    lock(me);
    if (event_add_locked(ring, &event)) {
        atomic_fetch_add(&shared->recorded, 1);
    }
    atomic_store(&shared->lock, 0);
}

struct writer {
    pthread_t thread;
    struct event_ring *ring;
    int me;
};

#define UNITS  3000u
#define EVENTS 30u

static void *write_events(void *arg)
{
    struct writer *writer = arg;
    for (unsigned i = 0; i < EVENTS; i++) {
        for (uint64_t unit = 0; unit < UNITS; unit++) {
            note_locking(writer->ring, event_of(unit, EVENT_APP), writer->me);
        }
    }
    return NULL;
}

static void shared_init(void)
{
    if (shared == NULL) {
        shared =
            mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(shared, MAP_FAILED);
    }
    memset(shared, 0, sizeof(*shared));
}

static void test_many_writers_record_each_units_events_once_and_readers_see_them_whole(void **state)
{
    (void) state;
    struct event_ring *ring = fresh(16384); /* a cache that holds all units */
    struct event_cursor at = {0, 0, true};
    struct event_reader reader;
    struct writer writers[4];
    uint64_t got = 0;

    shared_init();
    for (unsigned i = 0; i < T_LEN(writers); i++) {
        writers[i] = (struct writer){.ring = ring, .me = (int) i + 1};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_events, &writers[i]), 0);
    }
    while (got < 3 * UNITS) {
        got += read_all(ring, at, &reader);
        assert_true(reader.lost[TRACK_STABLE] == 0 && reader.lost[TRACK_CANARY] == 0);
        at = reader.at;
    }
    for (unsigned i = 0; i < T_LEN(writers); i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    }
    /* 120 events of each unit: the 1st, 5th and 25th, whoever had them */
    assert_int_equal(event_ring_appended(ring), 3 * UNITS);
    assert_int_equal(atomic_load(&shared->recorded), 3 * UNITS);
    assert_int_equal(at.canaries, UNITS);
}

static void *overrun(void *arg)
{
    struct writer *writer = arg;
    for (uint64_t unit = 0; !atomic_load(&shared->stop); unit++) {
        note_locking(writer->ring, event_of(unit, EVENT_APP), writer->me);
    }
    return NULL;
}

static void test_a_reader_that_is_overrun_sees_whole_records_and_counts_what_it_lost(void **state)
{
    (void) state;
    struct event_ring *ring = fresh(EVENT_CAPACITY_MIN);
    struct event_cursor at = {0, 0, true};
    struct event_reader reader;
    struct writer writer = {.ring = ring, .me = 1};
    uint64_t got = 0, lost = 0;

    shared_init();
    assert_int_equal(pthread_create(&writer.thread, NULL, overrun, &writer), 0);
    while (got < 100000 || lost == 0) {
        got += read_all(ring, at, &reader);
        lost += reader.lost[TRACK_STABLE] + reader.lost[TRACK_CANARY];
        at = reader.at;
    }
    atomic_store(&shared->stop, true);
    assert_int_equal(pthread_join(writer.thread, NULL), 0);
    got += read_all(ring, at, &reader);
    lost += reader.lost[TRACK_STABLE] + reader.lost[TRACK_CANARY];
    assert_int_equal(got + lost, event_ring_appended(ring));
    assert_int_equal(reader.at.canaries, (event_ring_appended(ring) + 2) / 3);
}

static void test_a_writer_that_is_killed_leaves_no_torn_record_and_loses_none(void **state)
{
    (void) state;
    struct event_ring *ring = fresh(EVENT_CAPACITY_MIN);
    struct t_random random = t_random_init();
    unsigned in_lock = 0;

    shared_init();
    for (uint64_t round = 0; round < 200; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (uint64_t unit = round << 32;; unit++) {
                note_locking(ring, event_of(unit, EVENT_APP), getpid());
            }
        }
        uint64_t before = event_ring_appended(ring);
        while (event_ring_appended(ring) == before) {
            (void) usleep(20);
        }
        (void) usleep((useconds_t) t_random_below(&random, 200));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        /* what NGINX's master does for a worker that died */
        in_lock += atomic_compare_exchange_strong(&shared->lock, &(int){child}, 0);

        struct event_reader reader;
        uint64_t end = event_ring_appended(ring);
        uint64_t first = end > EVENT_CAPACITY_MIN ? end - EVENT_CAPACITY_MIN : 0;
        assert_int_equal(read_all(ring, (struct event_cursor){first, 0, false}, &reader),
                         end - first);
        /* at most the one that was under way had not been told yet */
        assert_true(end - atomic_load(&shared->recorded) <= 1);
        atomic_store(&shared->recorded, end);
    }
    print_message("# killed while it had the lock: %u of 200\n", in_lock);
    assert_true(in_lock > 0);
}

static void tick(unsigned worker, uint64_t oldest_ms, uint64_t now_ms)
{
    struct row *row = zone_row_find(zone, service, (int32_t) worker);
    atomic_store(&row->oldest_ms, oldest_ms);
    atomic_store(&zone->worker[worker].ticked_ms, now_ms);
}

static void test_the_watermark_is_the_oldest_of_all_living_workers(void **state)
{
    (void) state;
    (void) fresh(EVENT_CAPACITY_MIN);

    assert_int_equal(event_watermark_ms(zone, service), 0);
    for (int32_t slot = 0; slot < 3; slot++) {
        zone_worker_start_locked(zone, slot, 100 + slot, 1);
    }
    assert_int_equal(event_watermark_ms(zone, service), 0); /* nobody has ticked */
    (void) zone_row_get_locked(zone, service, 0, 100);
    (void) zone_row_get_locked(zone, service, 1, 101);
    tick(0, 0, 5000);
    tick(1, 4200, 5050);
    atomic_store(&zone->worker[2].ticked_ms, 5100); /* has had no request: no row */
    assert_int_equal(event_watermark_ms(zone, service), 4200);
    tick(1, 0, 5150);
    assert_int_equal(event_watermark_ms(zone, service), 5000);
    tick(0, 0, 5200);
    assert_int_equal(event_watermark_ms(zone, service), 5100);

    /* a worker that ended holds nothing back, nor does its row the next of its slot */
    tick(1, 4300, 5150);
    atomic_store(&zone->worker[1].pid, 0);
    assert_int_equal(event_watermark_ms(zone, service), 5100);
    zone_worker_start_locked(zone, 1, 201, 1);
    atomic_store(&zone->worker[1].ticked_ms, 5300);
    assert_int_equal(event_watermark_ms(zone, service), 5100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_unit_has_its_1st_5th_and_25th_event_of_a_kind_recorded),
        cmocka_unit_test(test_units_beyond_the_cache_are_recorded_again_never_left_out),
        cmocka_unit_test(test_a_cursor_is_read_or_refused),
        cmocka_unit_test(test_a_reader_that_keeps_up_gets_each_record_once),
        cmocka_unit_test(test_what_was_overwritten_is_counted_for_each_track),
        cmocka_unit_test(test_a_cursor_of_another_ring_begins_anew),
        cmocka_unit_test(test_a_ring_that_does_not_fit_is_not_made),
        cmocka_unit_test(
            test_many_writers_record_each_units_events_once_and_readers_see_them_whole),
        cmocka_unit_test(test_a_reader_that_is_overrun_sees_whole_records_and_counts_what_it_lost),
        cmocka_unit_test(test_a_writer_that_is_killed_leaves_no_torn_record_and_loses_none),
        cmocka_unit_test(test_the_watermark_is_the_oldest_of_all_living_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
