/* Commands for whoever runs the release now, in this or another process, here or elsewhere. */
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "controller/controller_int.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NEAR_MS 3000  /* for a controller that reads the same journal */
#define FAR_MS  10000 /* for one that looks at the hosts */
#define POLL_MS 20

static void nap(void)
{
    const struct timespec t = {0, (long) POLL_MS * 1000000};
    (void) nanosleep(&t, NULL);
}

/* "ID by WHO on MACHINE, pid N": of a process of this machine that is gone nothing is awaited. */
bool controller_owner_is_dead(const char *owner)
{
    char machine[65] = "", here[80];
    const char *pid = strstr(owner, ", pid ");
    uint64_t number;
    (void) gethostname(machine, sizeof machine - 1);
    buf_print(here, sizeof here, " on %s, pid ", machine);
    return pid != NULL && strstr(owner, here) != NULL &&
           num_u64(str_of(pid + strlen(", pid ")), 1, INT32_MAX, &number) == 0 &&
           kill((pid_t) number, 0) != 0 && errno == ESRCH;
}

/* A host whose lease somebody has who may be alive; -1. */
static int held_host(struct controller *c)
{
    for (int h = 0; h < (int) c->config->hosts; h++) {
        struct err err = {0};
        struct buf told;
        char owner[256];
        uint64_t left_ms;
        buf_init(&told, TOLD_BYTES);
        struct driver_place place =
            controller_place_of(c, h, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
        int rc = c->driver->lease_read(&place, owner, &left_ms, &err);
        buf_done(&told);
        if (rc == 0 && owner[0] != '\0' && left_ms > 0 && !controller_owner_is_dead(owner)) {
            return h;
        }
    }
    return -1;
}

int controller_wait_free(struct controller *c, uint64_t timeout_ms, struct err *err)
{
    uint64_t until_ms = clock_mono_ms() + timeout_ms;
    while (held_host(c) >= 0) {
        if (clock_mono_ms() >= until_ms) {
            return err_set(err, ERR_TIMEOUT, "%s did not let go of its lease", c->header.id);
        }
        nap();
    }
    return 0;
}

static void write_request(const char *text, const char *by, const char *why, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    struct str word, rest = str_of(text);
    (void) str_cut(&rest, ' ', &word);
    json_kv_str(&w, "do", word);
    while (rest.len > 0 && str_cut(&rest, ' ', &word)) {
        if (str_eq_cstr(word, "--force")) {
            json_kv_bool(&w, "force", true);
        } else if (str_eq_cstr(word, "done") || str_eq_cstr(word, "again")) {
            json_kv_str(&w, "migration", word);
        }
    }
    json_kv_cstr(&w, "by", by == NULL ? "" : by);
    json_kv_cstr(&w, "why", why == NULL ? "" : why);
    json_obj_end(&w);
}

/* 0: taken; ERR_DENIED; ERR_TIMEOUT: nobody answered, and the request is withdrawn. */
static int ask_near(struct controller *c, struct str text, struct err *err)
{
    uint64_t request, until_ms = clock_mono_ms() + NEAR_MS;
    int rc = journal_request(c->options.journal, c->header.id, text, &request, err);
    while (rc == 0) {
        char *answer = NULL;
        rc = journal_read_answer(c->options.journal, request, &answer, err);
        if (rc == 0 && answer != NULL) {
            rc = answer[0] == '\0' ? 0 : err_set(err, ERR_DENIED, "%s", answer);
            mem_free(answer);
            return rc;
        }
        if (rc == 0 && clock_mono_ms() >= until_ms) {
            rc = journal_withdraw(c->options.journal, request, err);
            if (rc == ERR_CONFLICT) {
                until_ms = clock_mono_ms() + NEAR_MS; /* it was taken just now */
                rc = 0;
                continue;
            }
            return rc < 0 ? rc
                          : err_set(err, ERR_TIMEOUT, "the controller of %s does not answer",
                                    c->header.id);
        }
        nap();
    }
    return rc;
}

static size_t record_bytes(struct controller *c, int host)
{
    struct err err = {0};
    struct buf told, record;
    buf_init(&told, TOLD_BYTES);
    buf_init(&record, (size_t) 64 * 1024 * 1024);
    struct driver_place place =
        controller_place_of(c, host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    (void) c->driver->record_read(&place, &record, &err);
    size_t len = record.len;
    buf_done(&told);
    buf_done(&record);
    return len;
}

/* Whoever takes it writes a line of it to the hosts. */
static int ask_far(struct controller *c, int host, struct str text, struct err *err)
{
    struct buf told;
    size_t before = record_bytes(c, host);
    uint64_t until_ms = clock_mono_ms() + FAR_MS;
    buf_init(&told, TOLD_BYTES);
    struct driver_place place =
        controller_place_of(c, host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    int rc = c->driver->request_put(&place, text, err);
    buf_done(&told);
    while (rc == 0 && clock_mono_ms() < until_ms) {
        if (record_bytes(c, host) != before) {
            return 0;
        }
        nap();
    }
    return rc < 0 ? rc
                  : err_set(err, ERR_NOT_FOUND,
                            "nobody runs %s, although its lease is not free yet", c->header.id);
}

int controller_ask(struct controller *c, const char *text, const char *by, const char *why,
                   struct err *err)
{
    struct buf request;
    int host = held_host(c);
    if (host < 0) {
        return err_set(err, ERR_NOT_FOUND, "nobody runs %s", c->header.id);
    }
    buf_init(&request, 8192);
    write_request(text, by, why, &request);
    int rc = ask_near(c, buf_str(&request), err);
    if (rc == ERR_TIMEOUT) {
        rc = ask_far(c, host, buf_str(&request), err);
    }
    buf_done(&request);
    return rc;
}
