/* Commands for whoever runs the release now, in this or another process, here or elsewhere. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "controller/controller_int.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NEAR_MS 3000  /* for a controller that reads the same journal */
#define FAR_MS  10000 /* for one that looks at the hosts */
#define POLL_MS 20
#define LOOK_MS 100 /* for an answer in a host's record */

static void nap(unsigned ms)
{
    const struct timespec t = {0, (long) ms * 1000000};
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
        nap(POLL_MS);
    }
    return 0;
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
        nap(POLL_MS);
    }
    return rc;
}

/* The line of a host's record that has the request's id in it. */
static bool find_answer(struct str record, const char *id, struct str *ret)
{
    const char *at = record.len == 0 ? NULL : memmem(record.ptr, record.len, id, strlen(id));
    if (at == NULL) {
        return false;
    }
    const char *begin = at, *end = at;
    while (begin > record.ptr && begin[-1] != '\n') {
        begin--;
    }
    while (end < record.ptr + record.len && *end != '\n') {
        end++;
    }
    *ret = (struct str){begin, (size_t) (end - begin)};
    return true;
}

/* 1: not yet; 0: taken; ERR_DENIED. */
static int read_answer(struct controller *c, int host, const char *id, struct err *err)
{
    struct err none = {0};
    struct buf told, record;
    struct str line;
    int rc = 1;
    buf_init(&told, TOLD_BYTES);
    buf_init(&record, RECORD_BYTES);
    struct driver_place place =
        controller_place_of(c, host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    if (c->driver->record_read(&place, &record, &none) == 0 &&
        find_answer(buf_str(&record), id, &line)) {
        json_t *json = json_loadb(line.ptr, line.len, 0, NULL);
        const char *text =
            json_string_value(json_object_get(json_object_get(json, "note"), "text"));
        rc = text == NULL || text[0] == '\0' ? 0 : err_set(err, ERR_DENIED, "%s", text);
        json_decref(json);
    }
    buf_done(&told);
    buf_done(&record);
    return rc;
}

/* Whoever lets go of the lease has written its last line. */
static int wait_for_answer(struct controller *c, int host, const char *id, struct err *err)
{
    uint64_t until_ms = clock_mono_ms() + FAR_MS;
    bool held = held_host(c) >= 0;
    int rc = read_answer(c, host, id, err);
    while (rc > 0 && held && clock_mono_ms() < until_ms) {
        nap(LOOK_MS);
        held = held_host(c) >= 0;
        rc = read_answer(c, host, id, err);
    }
    return rc;
}

/* Whether it still lay there: from now on nobody takes it. */
static bool withdraw(struct controller *c, const struct driver_place *place, const char *id)
{
    struct err err = {0};
    struct buf asked;
    bool found = false;
    buf_init(&asked, TOLD_BYTES);
    (void) c->driver->request_take(place, &asked, &err);
    struct str line, rest = buf_str(&asked);
    while (rest.len > 0 && str_cut(&rest, '\n', &line)) {
        if (line.len > 0 && memmem(line.ptr, line.len, id, strlen(id)) != NULL) {
            found = true;
        } else if (line.len > 0) {
            (void) c->driver->request_put(place, line, &err); /* of somebody else */
        }
    }
    buf_done(&asked);
    return found;
}

/* Whoever takes it writes its answer to the hosts. */
static int ask_far(struct controller *c, int host, const char *id, struct str text, struct err *err)
{
    struct buf told;
    buf_init(&told, TOLD_BYTES);
    struct driver_place place =
        controller_place_of(c, host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    int rc = c->driver->request_put(&place, text, err);
    rc = rc < 0 ? rc : wait_for_answer(c, host, id, err);
    if (rc > 0 && !withdraw(c, &place, id)) {
        rc = wait_for_answer(c, host, id, err); /* it was taken just now */
    }
    if (rc > 0 && held_host(c) < 0) {
        rc = err_set(err, ERR_NOT_FOUND, "nobody runs %s", c->header.id);
    } else if (rc > 0) {
        char owner[256] = "";
        uint64_t left_ms = 0;
        (void) c->driver->lease_read(&place, owner, &left_ms, NULL);
        rc = err_set(err, ERR_TIMEOUT,
                     "%.200s holds the lease of %s and does not answer: it is stopped, hangs, or "
                     "does not reach the hosts; `pourover resume` and `pourover rollback` take the "
                     "release from it",
                     owner[0] == '\0' ? "somebody" : owner, c->config->host[host].name);
    }
    buf_done(&told);
    return rc;
}

static int make_request_id(char id[17], struct err *err)
{
    uint64_t random;
    if (rand_bytes(&random, sizeof random) < 0) {
        return err_set(err, ERR_IO, "the kernel gives no random bytes");
    }
    num_hex64_text(random, id);
    return 0;
}

int controller_ask(struct controller *c, const char *text, const char *by, const char *why,
                   struct err *err)
{
    struct buf request;
    char id[17];
    int host = held_host(c);
    if (host < 0) {
        return err_set(err, ERR_NOT_FOUND, "nobody runs %s", c->header.id);
    }
    int rc = make_request_id(id, err);
    if (rc < 0) {
        return rc;
    }
    buf_init(&request, 8192);
    controller_request_write(c, id, text, by, why, &request);
    rc = ask_near(c, buf_str(&request), err);
    if (rc == ERR_TIMEOUT) {
        rc = ask_far(c, host, id, buf_str(&request), err);
    }
    buf_done(&request);
    return rc;
}
