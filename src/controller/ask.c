/* Commands for whoever runs the release now, in this or another process, here or elsewhere. */
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "controller/controller_int.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 10000 /* for whoever runs it, here or elsewhere */
#define POLL_MS   10
#define FAR_TURNS 5 /* hosts are looked at less often */

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

static void write_request(const struct controller *c, const char *id, const char *text,
                          const char *by, const char *why, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    struct str word, rest = str_of(text);
    (void) str_cut(&rest, ' ', &word);
    json_kv_cstr(&w, "id", id);
    json_kv_str(&w, "do", word);
    while (rest.len > 0 && str_cut(&rest, ' ', &word)) {
        if (str_eq_cstr(word, "--force")) {
            json_kv_bool(&w, "force", true);
        } else if (str_eq_cstr(word, "done") || str_eq_cstr(word, "again")) {
            json_kv_str(&w, "migration", word);
        }
    }
    json_kv_cstr(&w, "release", c->header.id);
    json_kv_cstr(&w, "by", by == NULL ? "" : by);
    json_kv_cstr(&w, "why", why == NULL ? "" : why);
    json_obj_end(&w);
}

/* A request that lies in two places: in the journal, and on a host for who reads another journal.
 */
struct question {
    char id[17];
    uint64_t number; /* in the journal */
    int host;
    struct buf answer;
    bool answered;
};

static int look_near(struct controller *c, struct question *q, struct err *err)
{
    char *answer = NULL;
    int rc = journal_read_answer(c->options.journal, q->number, &answer, err);
    if (rc == 0 && answer != NULL) {
        q->answered = true;
        buf_add_cstr(&q->answer, answer);
        mem_free(answer);
    }
    return rc;
}

/* Who takes a request writes down what it was and what became of it: {"kind":"request","id":...}.
 */
static void look_far(struct controller *c, struct question *q)
{
    struct buf record;
    char wanted[64];
    struct str line, rest;
    buf_init(&record, (size_t) 64 * 1024 * 1024);
    (void) controller_read_record(c, q->host, c->header.id, &record);
    buf_print(wanted, sizeof wanted, "\"request\",\"id\":\"%s\"", q->id);
    rest = buf_str(&record);
    while (!q->answered && rest.len > 0 && str_cut(&rest, '\n', &line)) {
        static const char member[] = "\"answer\":\"";
        const char *found = memmem(line.ptr, line.len, wanted, strlen(wanted));
        const char *end = line.ptr + line.len;
        const char *answer =
            found == NULL ? NULL : memmem(found, (size_t) (end - found), member, sizeof member - 1);
        if (answer != NULL) {
            struct str text = {answer + sizeof member - 1,
                               (size_t) (end - answer) - (sizeof member - 1)};
            q->answered = true;
            buf_add(&q->answer, text.ptr, str_find_char(text, '"'));
        }
    }
    buf_done(&record);
}

static int wait_for_answer(struct controller *c, struct question *q, struct err *err)
{
    const uint64_t until_ms = clock_mono_ms() + ANSWER_MS;
    for (unsigned turn = 0; clock_mono_ms() < until_ms; turn++) {
        int rc = look_near(c, q, err);
        if (rc < 0) {
            return rc;
        }
        if (!q->answered && turn % FAR_TURNS == FAR_TURNS - 1) {
            look_far(c, q);
        }
        if (q->answered) {
            return 0;
        }
        nap();
    }
    return ERR_TIMEOUT;
}

/* Nobody took it: from now on nobody does.  Of what lay on the host the rest is put back. */
static void withdraw(struct controller *c, const struct question *q)
{
    struct err ignored = {0};
    struct buf told, asked;
    struct str line, rest;
    buf_init(&told, TOLD_BYTES);
    buf_init(&asked, TOLD_BYTES);
    struct driver_place place =
        controller_place_of(c, q->host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    if (journal_withdraw(c->options.journal, q->number, &ignored) < 0) {
        controller_tell(c,
                        &(struct controller_event){.kind = CONTROLLER_TOLD, .text = ignored.msg});
    }
    (void) c->driver->request_take(&place, &asked, &ignored);
    rest = buf_str(&asked);
    while (rest.len > 0 && str_cut(&rest, '\n', &line)) {
        if (line.len > 0 && memmem(line.ptr, line.len, q->id, strlen(q->id)) == NULL) {
            (void) c->driver->request_put(&place, line, &ignored);
        }
    }
    buf_done(&told);
    buf_done(&asked);
}

static int silent(struct controller *c, const struct question *q, struct err *err)
{
    char owner[256] = "";
    uint64_t left_ms;
    struct err ignored = {0};
    struct buf told;
    if (held_host(c) < 0) {
        return err_set(err, ERR_NOT_FOUND, "nobody runs %s", c->header.id);
    }
    buf_init(&told, TOLD_BYTES);
    struct driver_place place =
        controller_place_of(c, q->host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    (void) c->driver->lease_read(&place, owner, &left_ms, &ignored);
    buf_done(&told);
    return err_set(
        err, ERR_TIMEOUT,
        "%.200s holds the lease of %s and does not answer: it is stopped, hangs, or does "
        "not reach the hosts; `pourover resume` and `pourover rollback` take the release "
        "from it",
        owner[0] == '\0' ? "somebody" : owner, c->config->host[q->host].name);
}

static int put_question(struct controller *c, struct question *q, struct str text, struct err *err)
{
    struct err away = {0};
    struct buf told;
    buf_init(&told, TOLD_BYTES);
    struct driver_place place =
        controller_place_of(c, q->host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    int rc = journal_request(c->options.journal, c->header.id, text, &q->number, err);
    if (rc == 0 && c->driver->request_put(&place, text, &away) < 0) {
        controller_tell(c, &(struct controller_event){.kind = CONTROLLER_TOLD, .text = away.msg});
    }
    buf_done(&told);
    return rc;
}

static int make_id(char out[17], struct err *err)
{
    uint64_t random;
    if (rand_bytes(&random, sizeof random) < 0) {
        return err_set(err, ERR_IO, "the kernel gives no random bytes");
    }
    num_hex64_text(random, out);
    return 0;
}

int controller_ask(struct controller *c, const char *text, const char *by, const char *why,
                   struct err *err)
{
    struct question q = {.host = held_host(c)};
    struct buf request;
    if (q.host < 0) {
        return err_set(err, ERR_NOT_FOUND, "nobody runs %s", c->header.id);
    }
    buf_init(&request, 8192);
    buf_init(&q.answer, 4096);
    int rc = make_id(q.id, err);
    write_request(c, q.id, text, by, why, &request);
    rc = rc < 0 ? rc : put_question(c, &q, buf_str(&request), err);
    rc = rc < 0 ? rc : wait_for_answer(c, &q, err);
    if (rc == ERR_TIMEOUT) {
        withdraw(c, &q);
        rc = silent(c, &q, err);
    }
    if (rc == 0 && q.answer.len > 0) {
        rc = err_set(err, ERR_DENIED, "%s", q.answer.ptr);
    }
    buf_done(&request);
    buf_done(&q.answer);
    return rc;
}
