/* pourover router who */
#include "base/buf.h"
#include "base/num.h"
#include "cli/out.h"
#include "cli/routers.h"
#include "traffic/cut.h"

#include <string.h>

struct answer {
    const char *router; /* NULL: computed with --salt */
    struct router_split split;
    uint64_t u;
    uint32_t bucket;
};

static const char *track_of(const struct answer *a)
{
    bool canary = a->split.enabled && cut_is_canary(a->bucket, a->split.share_ppm);
    return track_name[canary ? TRACK_CANARY : TRACK_STABLE];
}

static struct answer compute(struct str id, const char *router, const struct router_split *split)
{
    struct answer a = {.router = router, .split = *split};
    struct cut_key key = cut_key_of(str_of(split->salt));
    a.u = cut_u(&key, id);
    a.bucket = cut_bucket(a.u);
    return a;
}

static void write_text(const struct answer *a, struct buf *b)
{
    char share[16], first[16];
    num_share_text(a->split.share_ppm, share);
    num_share_text(a->bucket + 1, first);
    if (a->router == NULL) {
        buf_addf(b, "salt %s: u %016llx, bucket %u: on the canary from a share of %s on\n",
                 a->split.salt, (unsigned long long) a->u, a->bucket, first);
        return;
    }
    buf_addf(b,
             "%s: %s at %s%s; salt %s, u %016llx, bucket %u: on the canary from a share of %s on\n",
             a->router, track_of(a), share, a->split.enabled ? "" : " but disabled", a->split.salt,
             (unsigned long long) a->u, a->bucket, first);
}

static void write_json(const struct answer *a, struct json_writer *w)
{
    char u[17];
    num_hex64_text(a->u, u);
    json_obj_begin(w);
    json_kv_cstr(w, "router", a->router);
    json_kv_cstr(w, "salt", a->split.salt);
    json_kv_cstr(w, "u", u);
    json_kv_u64(w, "bucket", a->bucket);
    json_kv_u64(w, "canary_from_ppm", a->bucket + 1);
    if (a->router != NULL) {
        json_kv_u64(w, "share_ppm", a->split.share_ppm);
        json_kv_bool(w, "enabled", a->split.enabled);
        json_kv_cstr(w, "track", track_of(a));
    }
    json_obj_end(w);
}

static void print(const struct cli *cli, const struct answer *a, size_t n, enum exit_code code)
{
    struct json_writer w;
    struct buf b;
    buf_init(&b, OUT_MAX);
    json_writer_init(&w, &b);
    if (cli->json) {
        json_obj_begin(&w);
        json_kv_cstr(&w, "id", cli->operand[0]);
        json_kv_u64(&w, "exit", code);
        json_key(&w, "routers");
        json_arr_begin(&w);
    }
    for (size_t i = 0; i < n; i++) {
        if (cli->json) {
            write_json(&a[i], &w);
        } else {
            write_text(&a[i], &b);
        }
    }
    if (cli->json) {
        json_arr_end(&w);
        json_obj_end(&w);
        buf_add_char(&b, '\n');
    }
    out_write(buf_str(&b));
    buf_done(&b);
}

static enum exit_code run(struct cli *cli)
{
    struct str id = str_of(cli->operand[0]);
    struct err err = {0};
    if (id.len == 0 || id.len > CUT_ID_MAX) {
        (void) err_set(&err, ERR_INVALID, "an id has 1 to %d bytes, not %zu", CUT_ID_MAX, id.len);
        return cli_fail(cli, &err);
    }
    if (cli->salt != NULL) {
        struct router_split split = {.enabled = true};
        memcpy(split.salt, cli->salt, strlen(cli->salt) + 1);
        struct answer a = compute(id, NULL, &split);
        print(cli, &a, 1, EXIT_DONE);
        return EXIT_DONE;
    }
    if (routers_open(cli, &err) != 0) {
        return cli_fail(cli, &err);
    }
    fleet_read(&cli->fleet);
    struct answer answer[FLEET_MAX];
    size_t n = 0;
    enum exit_code code = EXIT_DONE;
    for (size_t i = 0; i < cli->fleet.len; i++) {
        const struct fleet_router *r = &cli->fleet.router[i];
        if (r->err.code == 0) {
            answer[n++] = compute(id, r->at.name, &r->service.split);
        } else {
            out_complain("router %s: %s", r->at.name, r->err.msg);
            code = EXIT_UNREACHABLE;
        }
    }
    print(cli, answer, n, code);
    return code;
}

static const struct opt *const options[] = {opt_who, opt_routers, NULL};

static const struct example examples[] = {
    {"pourover router who 8f3c01d2a4b5e697", "the visitor with this id in the cookie"},
    {"pourover router who anna@shop.example --salt r42", "without a router"},
    {NULL, NULL},
};

const struct cmd cmd_router_who = {
    .name = "router who",
    .summary = "say which track a visitor's id is on, and from which share on it is canary",
    .operand = "ID",
    .operands_min = 1,
    .operands_max = 1,
    .option = options,
    .details =
        "Computed here from the id and the salt (docs/reference/cut.md), not asked from the "
        "router: only salt and share are read there. The id is the text that the router sees: "
        "of a signed cookie the 16 digits before the dot.",
    .example = examples,
    .run = run,
};
