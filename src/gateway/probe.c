/* Test visitors of one router; see probe.h. */
#include "gateway/probe.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "io/http.h"
#include "traffic/cut.h"
#include "traffic/id.h"

#include <stdarg.h>
#include <string.h>

#define GIVE_UP_AFTER 32 /* visits without an answer, when none has had one */

const char *const probe_fault_text[PROBE_FAULTS] = {
    [PROBE_NO_ANSWER] = "visits had no answer",
    [PROBE_NO_VERDICT] = "answers did not come from this router",
    [PROBE_WRONG_SPLIT] = "visits were cut by another split than the API shows",
    [PROBE_NO_ID] = "fresh visitors were given no id",
    [PROBE_WRONG_BUCKET] = "buckets are not the ones of id and salt",
    [PROBE_WRONG_TRACK] = "tracks are not the ones of bucket and share",
    [PROBE_OTHER_REASON] = "visits were not decided by the split",
    [PROBE_MOVED] = "returning visitors changed the track",
    [PROBE_NEW_ID] = "returning visitors were given another id",
    [PROBE_WRONG_PEER] = "visits were answered by a peer of the other track",
    [PROBE_SERVER_ERROR] = "visits were answered with an error",
};

/* Who comes back: the id as it is sent, and where the visitor was before. */
struct visitor {
    char *sent; /* "NAME=VALUE" of the cookie, or the header's value; NULL: has no id */
    enum track track;
};

struct probe {
    const struct probe_plan *plan;
    struct io_loop *loop;
    struct http_client *http;
    struct probe_facts *facts;
    struct cut_key key;
    struct visitor *visitor;
    enum probe_pass pass;
    bool returning;
    uint64_t next, open; /* of the present round: visitors started, visits under way */
    bool answered_once, gave_up;
    struct err no_answer;
};

struct visit {
    struct probe *probe;
    uint64_t index;
};

static void fault(struct probe *p, enum probe_fault kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(struct probe *p, enum probe_fault kind, const char *fmt, ...)
{
    if (p->facts->fault[kind]++ == 0) {
        va_list args;
        va_start(args, fmt);
        (void) vsnprintf(p->facts->example[kind], sizeof p->facts->example[kind], fmt, args);
        va_end(args);
    }
}

static bool copy(struct str text, char *out, size_t size)
{
    if (text.len >= size) {
        return false;
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

/* Takes one KEY=VALUE of a verdict; false when the value is malformed.  Other keys are fine. */
static bool take_word(struct str key, struct str value, struct probe_verdict *v, unsigned *seen)
{
    uint64_t n = 0;
    if (str_eq_cstr(key, "service")) {
        *seen |= 1;
        return copy(value, v->service, sizeof v->service);
    }
    if (str_eq_cstr(key, "track")) {
        *seen |= 2;
        v->track = str_eq_cstr(value, "canary") ? TRACK_CANARY : TRACK_STABLE;
        return v->track == TRACK_CANARY || str_eq_cstr(value, "stable");
    }
    if (str_eq_cstr(key, "reason")) {
        *seen |= 4;
        return copy(value, v->reason, sizeof v->reason);
    }
    if (str_eq_cstr(key, "share_ppm")) {
        *seen |= 8;
        bool ok = num_u64(value, 0, NUM_PPM_MAX, &n) == 0;
        v->share_ppm = (uint32_t) n;
        return ok;
    }
    if (str_eq_cstr(key, "revision")) {
        *seen |= 16;
        return num_u64(value, 0, INT64_MAX, &v->revision) == 0;
    }
    if (str_eq_cstr(key, "bucket")) {
        v->has_bucket = num_u64(value, 0, CUT_BUCKETS - 1, &n) == 0;
        v->bucket = (uint32_t) n;
        return v->has_bucket || value.len == 0 || str_eq_cstr(value, "-");
    }
    if (str_eq_cstr(key, "peer")) {
        return str_eq_cstr(value, "-") || copy(value, v->peer, sizeof v->peer);
    }
    return true;
}

int probe_parse_verdict(struct str text, struct probe_verdict *ret, struct err *err)
{
    struct probe_verdict v = {0};
    unsigned seen = 0;
    struct str word, rest = text;
    while (str_cut(&rest, ' ', &word)) {
        size_t at = str_find_char(word, '=');
        if (at == word.len ||
            !take_word((struct str){word.ptr, at},
                       (struct str){word.ptr + at + 1, word.len - at - 1}, &v, &seen)) {
            return err_set(err, ERR_REMOTE, "the verdict has a malformed word \"" STR_FMT "\"",
                           STR_ARG(word));
        }
    }
    if (seen != 31) {
        return err_set(err, ERR_REMOTE,
                       "the verdict \"" STR_FMT "\" lacks service, track, reason, share_ppm or "
                       "revision",
                       STR_ARG(text));
    }
    *ret = v;
    return 0;
}

/* Whether the value of a cookie has the form of an id that a router issues, signed or not. */
static bool is_issued_id(struct str value)
{
    struct id_key none = {NULL, 0};
    bool signed_form = value.len == ID_SIGNED_LEN && value.ptr[ID_LEN] == '.';
    return (value.len == ID_LEN || signed_form) && id_valid((struct str){value.ptr, ID_LEN}, none);
}

/* The "NAME=VALUE" of the Set-Cookie that brings an id; false when there is none. */
static bool find_issued(struct str headers, struct str *ret)
{
    struct str value;
    while (http_header_next(&headers, "set-cookie", &value)) {
        struct str pair = {value.ptr, str_find_char(value, ';')};
        size_t at = str_find_char(pair, '=');
        if (at < pair.len && is_issued_id((struct str){pair.ptr + at + 1, pair.len - at - 1})) {
            *ret = pair;
            return true;
        }
    }
    return false;
}

/* The text that the cut hashes. */
static struct str id_of(const struct probe *p, const struct visitor *who)
{
    struct str sent = str_of(who->sent);
    if (p->plan->id_header != NULL) {
        return sent;
    }
    size_t at = str_find_char(sent, '=');
    return (struct str){sent.ptr + at + 1, ID_LEN};
}

static void count_peer(struct probe *p, const struct probe_verdict *v)
{
    struct probe_facts *facts = p->facts;
    size_t i = 0;
    while (i < facts->npeers && strcmp(facts->peer[i].address, v->peer) != 0) {
        i++;
    }
    if (i == PROBE_PEERS_MAX) {
        return;
    }
    if (i == facts->npeers) {
        memcpy(facts->peer[i].address, v->peer, sizeof v->peer);
        facts->peer[i].track = v->track;
        facts->npeers++;
    }
    facts->peer[i].visits++;
}

static void check_peer(struct probe *p, const struct probe_verdict *v)
{
    const struct router_service *s = p->plan->peers;
    if (v->peer[0] == '\0') {
        return;
    }
    count_peer(p, v);
    for (size_t i = 0; i < s->npeers; i++) {
        if (strcmp(s->peer[i].address, v->peer) == 0 && s->peer[i].track == v->track) {
            return;
        }
    }
    fault(p, PROBE_WRONG_PEER,
          "a visitor of the %s track was answered by %s: do the peers of the %s track answer?",
          track_name[v->track], v->peer, track_name[v->track]);
}

/* The cut itself, recomputed. */
static void check_cut(struct probe *p, const struct visitor *who, const struct probe_verdict *v)
{
    const struct router_split *split = &p->plan->split;
    struct str id = id_of(p, who);
    uint32_t bucket = cut_bucket(cut_u(&p->key, id));
    bool canary = split->enabled && cut_is_canary(bucket, split->share_ppm);
    if (!v->has_bucket || v->bucket != bucket) {
        const char *header = p->plan->id_header;
        fault(p, PROBE_WRONG_BUCKET, "id " STR_FMT " with salt %s is in bucket %u, not %u%s%s%s",
              STR_ARG(id), split->salt, bucket, v->bucket,
              header != NULL ? ": does pourover_visitor take ids from the header " : "",
              header != NULL ? header : "", header != NULL ? "?" : "");
    } else if (canary != (v->track == TRACK_CANARY)) {
        fault(p, PROBE_WRONG_TRACK,
              "id " STR_FMT " in bucket %u at a share of %u ppm was sent to %s", STR_ARG(id),
              bucket, split->share_ppm, track_name[v->track]);
    }
}

/* Checks that hold for every visit.  False when the visit says nothing about the split. */
static bool check_verdict(struct probe *p, const struct probe_verdict *v)
{
    const struct router_split *split = &p->plan->split;
    const char *reason = split->enabled ? "split" : "disabled";
    if (strcmp(v->service, p->plan->service) != 0 || v->revision != split->revision ||
        v->share_ppm != split->share_ppm) {
        fault(p, PROBE_WRONG_SPLIT,
              "service %s at %u ppm, revision %llu, instead of %s at %u ppm, "
              "revision %llu",
              v->service, v->share_ppm, (unsigned long long) v->revision, p->plan->service,
              split->share_ppm, (unsigned long long) split->revision);
        return false;
    }
    if (strcmp(v->reason, reason) != 0) {
        fault(p, PROBE_OTHER_REASON, "reason=%s instead of %s", v->reason, reason);
        return false;
    }
    return true;
}

static void check_fresh(struct probe *p, struct visitor *who, struct str headers,
                        const struct probe_verdict *v)
{
    struct str pair;
    if (p->plan->id_header == NULL) {
        if (!find_issued(headers, &pair)) {
            fault(p, PROBE_NO_ID,
                  "no Set-Cookie with an id: is %s under pourover_visitor with a "
                  "cookie: source, or do ids come in a header (--id-header)?",
                  p->plan->url);
            return;
        }
        mem_free(who->sent);
        who->sent = mem_strdup_str(pair);
    }
    who->track = v->track;
    p->facts->pass[p->pass].fresh++;
    p->facts->pass[p->pass].canary += v->track == TRACK_CANARY;
    check_cut(p, who, v);
}

static void check_returning(struct probe *p, const struct visitor *who, struct str headers,
                            const struct probe_verdict *v)
{
    struct str pair;
    check_cut(p, who, v);
    if (p->plan->id_header == NULL && find_issued(headers, &pair) &&
        !str_eq_cstr(pair, who->sent)) {
        size_t name = str_find_char(pair, '=');
        bool same_cookie = strncmp(who->sent, pair.ptr, name + 1) == 0;
        if (same_cookie) {
            fault(p, PROBE_NEW_ID, "%s was replaced by " STR_FMT, who->sent, STR_ARG(pair));
        }
    }
    if (who->track != v->track) {
        fault(p, PROBE_MOVED, "%s went to %s before and to %s now", who->sent,
              track_name[who->track], track_name[v->track]);
    } else {
        p->facts->pass[p->pass].returning++;
    }
}

static void check_answer(struct probe *p, struct visitor *who, const struct http_response *res)
{
    struct str text, headers = res->headers;
    struct probe_verdict v = {0};
    struct err err = {0};
    if (!http_header_next(&headers, "x-pourover-verdict", &text)) {
        fault(p, PROBE_NO_VERDICT,
              "HTTP %ld from %s without X-Pourover-Verdict: do its requests go to service %s?",
              res->status, p->plan->url, p->plan->service);
        return;
    }
    if (probe_parse_verdict(text, &v, &err) != 0) {
        fault(p, PROBE_NO_VERDICT, "%s", err.msg);
        return;
    }
    if (p->pass == PROBE_CUT ? res->status != 204 : res->status >= 500) {
        fault(p, PROBE_SERVER_ERROR, "HTTP %ld from the %s track%s%s", res->status,
              track_name[v.track], v.peer[0] != '\0' ? ", peer " : "", v.peer);
    }
    if (p->pass == PROBE_THROUGH) {
        check_peer(p, &v);
    }
    if (!check_verdict(p, &v)) {
        return;
    }
    if (p->returning) {
        check_returning(p, who, res->headers, &v);
    } else {
        check_fresh(p, who, res->headers, &v);
    }
}

static void start_visits(struct probe *p);

static void visited(const struct http_response *res, const struct err *err, void *ctx)
{
    struct visit *visit = ctx;
    struct probe *p = visit->probe;
    struct visitor *who = &p->visitor[visit->index];
    mem_free(visit);
    p->open--;
    if (err == NULL) {
        p->answered_once = true;
        check_answer(p, who, res);
    } else if (err->code != ERR_CANCELLED) {
        fault(p, PROBE_NO_ANSWER, "%s", err->msg);
        p->no_answer = *err;
        p->gave_up = !p->answered_once && p->facts->fault[PROBE_NO_ANSWER] >= GIVE_UP_AFTER;
    }
    start_visits(p);
}

static void start_visit(struct probe *p, uint64_t index)
{
    const struct probe_plan *plan = p->plan;
    struct visitor *who = &p->visitor[index];
    const char *header[4] = {NULL};
    struct buf verify, host, id;
    size_t n = 0;
    buf_init(&verify, 1024);
    buf_init(&host, 1024);
    buf_init(&id, 1024);
    buf_addf(&verify, "%s: %s%s", plan->token.header, plan->token.token,
             p->pass == PROBE_CUT ? " cut" : "");
    header[n++] = verify.ptr;
    if (plan->host != NULL) {
        buf_addf(&host, "Host: %s", plan->host);
        header[n++] = host.ptr;
    }
    if (who->sent != NULL) {
        buf_addf(&id, "%s: %s", plan->id_header != NULL ? plan->id_header : "Cookie", who->sent);
        header[n++] = id.ptr;
    }
    struct visit *visit = mem_alloc(sizeof *visit);
    visit->probe = p;
    visit->index = index;
    struct http_request req = {
        .method = "GET", .url = plan->url, .headers = header, .timeout_ms = plan->timeout_ms};
    p->open++;
    p->facts->visits++;
    (void) http_start(p->http, &req, visited, visit);
    buf_done(&verify);
    buf_done(&host);
    buf_done(&id);
}

static bool is_late(const struct probe *p)
{
    return p->plan->deadline_ms > 0 && clock_mono_ms() >= p->plan->deadline_ms;
}

static bool is_interrupted(const struct probe *p)
{
    return p->plan->interrupted != NULL && atomic_load(p->plan->interrupted);
}

static bool is_over(const struct probe *p)
{
    return p->gave_up || is_interrupted(p) || is_late(p);
}

static void start_visits(struct probe *p)
{
    while (p->open < PROBE_PARALLEL && p->next < p->plan->visitors && !is_over(p)) {
        uint64_t index = p->next++;
        if (!p->returning || p->visitor[index].sent != NULL) {
            start_visit(p, index);
        }
    }
}

static bool round_done(void *ctx)
{
    const struct probe *p = ctx;
    return p->open == 0 || is_over(p);
}

/* Ids of our own, for services that take them from a header. */
static void forget_visitors(struct probe *p)
{
    for (uint64_t i = 0; i < p->plan->visitors; i++) {
        mem_free(p->visitor[i].sent);
        p->visitor[i].sent = NULL;
        if (p->plan->id_header != NULL) {
            uint64_t id = 0;
            char text[17];
            if (rand_bytes(&id, sizeof id) != 0) {
                BUG("the kernel gives no random bytes");
            }
            num_hex64_text(id, text);
            p->visitor[i].sent = mem_strdup(text);
        }
    }
}

static void run_round(struct probe *p, enum probe_pass pass, bool returning)
{
    p->pass = pass;
    p->returning = returning;
    p->next = 0;
    if (!returning) {
        forget_visitors(p);
    }
    start_visits(p);
    while (!io_loop_wait(p->loop, p->plan->timeout_ms, round_done, p)) {
        /* every visit has its own deadline: the round ends */
    }
}

int probe_run(struct io_loop *loop, const struct probe_plan *plan, struct probe_facts *ret,
              struct err *err)
{
    struct http_client *http;
    int rc = http_client_new(loop, &http, err);
    if (rc < 0) {
        return rc;
    }
    struct probe_facts *facts = mem_zalloc(sizeof *facts);
    struct probe p = {.plan = plan, .loop = loop, .facts = facts, .http = http};
    p.key = cut_key_of(str_of(plan->split.salt));
    p.visitor = mem_array(plan->visitors, sizeof *p.visitor);
    int passes = plan->cut_only ? 1 : PROBE_PASSES;
    for (int pass = 0; pass < passes && !is_over(&p); pass++) {
        run_round(&p, (enum probe_pass) pass, false);
        run_round(&p, (enum probe_pass) pass, true);
    }
    http_client_free(p.http); /* an interruption leaves visits under way: cancelled here */
    for (uint64_t i = 0; i < plan->visitors; i++) {
        mem_free(p.visitor[i].sent);
    }
    mem_free(p.visitor);
    int code = 0;
    if (p.gave_up) {
        *err = p.no_answer;
        code = err_wrap(err, "no visit to %s was answered", plan->url);
    } else if (is_interrupted(&p)) {
        code = err_set(err, ERR_CANCELLED, "interrupted");
    } else if (is_late(&p)) {
        code = err_set(err, ERR_TIMEOUT, "the visits to %s were not over in time", plan->url);
    } else {
        *ret = *facts;
    }
    mem_free(facts);
    return code;
}
