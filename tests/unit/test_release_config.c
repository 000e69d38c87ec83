/* Release files that are right: what they become, merged, typed, expanded, printed and read again.
 */
#include "release/config.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "release/plan.h"
#include "support/t.h"

#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX ((size_t) 1024 * 1024)
#define EXAMPLE  "examples/release/two-datacenters/release.yaml"

#define SERVICE                                                                 \
    "service: shop\n"                                                           \
    "process: {source: \"dist/${version}\", services: {web: {command: [./web, " \
    "\"${port.web}\"]}}}\n"                                                     \
    "routers: {front: {nginx: \"http://127.0.0.1:9900/p\"}}\n"
#define HOSTS                                                                     \
    "hosts: {a: {at: process:a, ports: {web: [9101, 9201]}}, b: {at: process:b, " \
    "ports: {web: [9102, 9202], admin: 9302}}}\n"

static char root[4096];
static char folder[] = "/tmp/pourover-config-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *out = path[next++ % 4];
    (void) snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "we");
    t_check(file != NULL, "%s", name);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* Fails with what is wrong. */
static void load(const char *path, const char *env, struct release_config *ret)
{
    struct conf_diags diags = {.errors = 0};
    struct buf b;
    buf_init(&b, TEXT_MAX);
    int rc = release_config_load(path, env, &diags, ret);
    conf_diags_print(&diags, (const struct conf_file *const *) ret->file, ret->files, false, &b);
    t_check(rc == 0, "%s", b.ptr);
    buf_done(&b);
    conf_diags_done(&diags);
}

static void load_text(const char *text, struct release_config *ret)
{
    write_file("release.yaml", text);
    load(in_folder("release.yaml"), NULL, ret);
}

static void add_texts(struct buf *b, const char *name, struct release_texts texts)
{
    buf_addf(b, "%s", name);
    for (size_t i = 0; i < texts.len; i++) {
        buf_addf(b, " [%s]", texts.ptr[i]);
    }
    buf_add_char(b, '\n');
}

static const char *shown(const char *text)
{
    return text == NULL ? "-" : text;
}

static void dump_fleet(struct buf *b, const struct release_config *c)
{
    for (size_t i = 0; i < c->dcs; i++) {
        buf_addf(b, "dc %s\n", c->dc[i]);
    }
    for (size_t i = 0; i < c->hosts; i++) {
        const struct release_host *h = &c->host[i];
        buf_addf(b, "host %s dc %u at %s folder %s address %s weight %u", h->name, h->dc, h->at,
                 shown(h->folder), h->address, (unsigned) h->weight);
        for (size_t p = 0; p < h->ports; p++) {
            buf_addf(b, " %s %u %u", h->port[p].name, (unsigned) h->port[p].number[0],
                     (unsigned) h->port[p].number[1]);
        }
        buf_add_char(b, '\n');
    }
    for (size_t i = 0; i < c->routers; i++) {
        const struct release_router *r = &c->router[i];
        buf_addf(b, "router %s %s %s %s\n", r->name, shown(r->nginx), shown(r->at),
                 shown(r->token_file));
    }
}

static void dump_service(struct buf *b, const struct release_config *c)
{
    buf_addf(b,
             "service %s driver %d router_service %s peer %s source %s keep %u disk %" PRIu64 "\n",
             c->service, (int) c->driver, c->router_service, shown(c->peer), shown(c->source),
             c->keep, c->disk_free_bytes);
    add_texts(b, "needs", c->needs);
    add_texts(b, "untouched", c->untouched);
    for (size_t i = 0; i < c->programs; i++) {
        add_texts(b, c->program[i].name, c->program[i].command);
        for (size_t k = 0; k < c->program[i].env.len; k++) {
            buf_addf(b, "  %s=%s\n", c->program[i].env.ptr[k].name, c->program[i].env.ptr[k].value);
        }
    }
    for (size_t i = 0; i < c->images; i++) {
        buf_addf(b, "image %s %s %d\n", c->image[i].name, c->image[i].image, c->image[i].pinned);
    }
    for (size_t i = 0; i < c->secrets; i++) {
        buf_addf(b, "secret %s %s %s", c->secret[i].name, shown(c->secret[i].env),
                 shown(c->secret[i].file));
        add_texts(b, "", c->secret[i].command);
    }
    for (size_t r = 0; r < ROLES; r++) {
        const struct release_role *role = &c->role[r];
        add_texts(b, "role", role->services);
        buf_addf(b,
                 " %d %d %s %s %s %s %" PRIu64 " %" PRIu64 " %d %d %" PRIu64 " %u %" PRIu64
                 " %s %d\n",
                 role->given, role->shared, shown(role->fail), shown(role->ok), shown(role->flag),
                 shown(role->ready_http), role->ready_within_ms, role->up_for_ms, role->stop_signal,
                 role->then_signal, role->grace_ms, role->restarts_max, role->restarts_watch_ms,
                 shown(role->only_on), role->pause_during_release);
    }
}

static void dump_rules(struct buf *b, const struct release_config *c)
{
    for (size_t i = 0; i < c->connects; i++) {
        const struct release_connect *one = &c->connect[i];
        buf_addf(b, "connect %d %s %s %s %d %" PRIu64, (int) one->kind, shown(one->to),
                 shown(one->send), shown(one->expect), one->bare, one->retry_ms);
        add_texts(b, "", one->command);
    }
    add_texts(b, "migrate", c->migration.command);
    buf_addf(b, " %d %s %d %d %" PRIu64 "\n", c->migration.given, shown(c->migration.in),
             c->migration.after, c->migration.barrier, c->migration.timeout_ms);
    add_texts(b, "tests", c->tests.files);
    add_texts(b, "vars", c->tests.given_vars);
    add_texts(b, "tags", c->tests.tags);
    add_texts(b, "requires", c->tests.requires);
    buf_addf(b, "target %s coverage %u budget %" PRIu64 "\n", shown(c->tests.target),
             c->tests.coverage_ppm, c->tests.budget_ms);
    buf_addf(b, "limits %d %u %d %" PRIu64 " %" PRIu64 "\n", c->limits.has_errors,
             c->limits.errors_ppm, c->limits.has_p99, c->limits.p99_us, c->limits.min_requests);
    add_texts(b, "staff", c->staff);
    for (size_t t = 0; t < HOOK_TIMES; t++) {
        for (size_t i = 0; i < c->hooks[t]; i++) {
            buf_addf(b, "hook %zu %s %" PRIu64, t, c->hook[t][i].name, c->hook[t][i].timeout_ms);
            add_texts(b, "", c->hook[t][i].command);
        }
    }
}

static void dump_spec(struct buf *b, const struct release_spec *s)
{
    buf_addf(b, "spec %d %d hosts %u dcs %u order", (int) s->strategy, (int) s->swap,
             (unsigned) s->hosts, (unsigned) s->dcs);
    for (size_t i = 0; i < s->orders; i++) {
        buf_addf(b, " %s", release_step_name[s->order[i]]);
    }
    for (size_t i = 0; i < s->hosts; i++) {
        buf_addf(b, "\n %u %d %u %d", (unsigned) s->host[i].dc, s->host[i].pool,
                 (unsigned) s->host[i].weight, (int) s->host[i].track);
    }
    buf_addf(b,
             "\n%d %d %d batch %u keep_up %u %u %d times %" PRIu64 " %" PRIu64 " %" PRIu64
             " %" PRIu64 " %" PRIu64 "\n",
             s->has_proxy, s->has_connect, s->has_tests, (unsigned) s->batch, s->keep_up_total_ppm,
             (unsigned) s->keep_up_per_dc, s->with_downtime, s->soak_ms, s->keep_old_ms,
             s->requests_ms, s->streams_ms, s->step_ms);
    buf_addf(b, "canary %u %d %u %d %d %" PRIu64 " migrate %d %d %d %" PRIu64 " hooks %u %u\n",
             (unsigned) s->beside_per_dc, s->grow, s->headroom_ppm, s->retire_to_stable,
             s->hold_at_end, s->patience_ms, s->has_migration, s->migrate_after, s->barrier,
             s->migrate_ms, (unsigned) s->hooks_before, (unsigned) s->hooks_after);
    for (size_t i = 0; i < s->stages; i++) {
        buf_addf(b, "stage %u %d %" PRIu64 "\n", s->stage[i].share_ppm, s->stage[i].staff,
                 s->stage[i].dwell_ms);
    }
}

/* All that is typed. */
static void dump(struct buf *b, const struct release_config *c)
{
    dump_fleet(b, c);
    dump_service(b, c);
    dump_rules(b, c);
    dump_spec(b, &c->spec);
    assert_false(b->failed);
}

static void test_the_example_as_types(void **state)
{
    (void) state;
    struct release_config c;
    load(EXAMPLE, NULL, &c);
    assert_string_equal(c.service, "shop");
    assert_int_equal(c.driver, RELEASE_PROCESS);
    assert_int_equal(c.dcs, 2);
    assert_string_equal(c.dc[1], "east");
    assert_int_equal(c.hosts, 4);
    assert_int_equal(release_config_host(&c, "east-1"), 2);
    assert_int_equal(release_config_host(&c, "east-9"), -1);
    const struct release_host *host = &c.host[2];
    assert_int_equal(host->dc, 1);
    assert_string_equal(host->address, "127.0.0.1");
    assert_int_equal(host->ports, 2);
    assert_string_equal(host->port[0].name, "web");
    assert_int_equal(host->port[0].number[RELEASE_SLOT_A], 9103);
    assert_int_equal(host->port[0].number[RELEASE_SLOT_B], 9203);
    t_check(str_starts_with(str_of(host->folder), str_of(root)) &&
                str_ends_with(str_of(host->folder), STR("/two-datacenters/hosts/east-1")),
            "%s", host->folder);
    assert_string_equal(c.peer, "${host.address}:${port.web}");
    assert_string_equal(c.tests.target, "${host.address}:${port.web}");
    assert_int_equal(c.role[ROLE_WORKER].stop_signal, SIGTSTP);
    assert_int_equal(c.role[ROLE_WORKER].then_signal, SIGTERM);
    assert_int_equal(c.role[ROLE_APP].grace_ms, 45000);
    assert_int_equal(c.role[ROLE_APP].restarts_watch_ms, 30000);
    assert_false(c.role[ROLE_PROXY].given);
    assert_int_equal(c.secrets, 2);
    assert_string_equal(c.secret[0].env, "SHOP_DATABASE_URL");
    t_check(str_ends_with(str_of(c.secret[1].file), STR("/two-datacenters/secrets/signing.key")),
            "%s", c.secret[1].file);
    assert_true(c.limits.has_errors && c.limits.has_p99);
    assert_int_equal(c.limits.errors_ppm, 10000);
    assert_int_equal(c.limits.p99_us, 500000);
    assert_int_equal(c.disk_free_bytes, 1 << 30);
    assert_string_equal(c.migration.in, "web");
    assert_int_equal(strlen(c.hash), 16);
    release_config_done(&c);
}

static void test_the_example_as_the_engine_gets_it(void **state)
{
    (void) state;
    static const uint8_t order[] = {STEP_PREFLIGHT, STEP_ROOM, STEP_PULL, STEP_LEAVE, STEP_STOP,
                                    STEP_START,     STEP_TEST, STEP_JOIN, STEP_SOAK};
    struct release_config c;
    load(EXAMPLE, NULL, &c);
    const struct release_spec *s = &c.spec;
    assert_int_equal(s->strategy, RELEASE_BY_CANARY);
    assert_int_equal(s->swap, RELEASE_IN_PLACE);
    assert_int_equal(s->orders, sizeof order);
    assert_memory_equal(s->order, order, sizeof order);
    assert_true(s->host[1].pool && s->host[3].pool && !s->host[0].pool);
    assert_int_equal(s->host[1].track, RELEASE_STABLE);
    assert_true(s->retire_to_stable && s->grow);
    assert_int_equal(s->headroom_ppm, 1200000);
    assert_int_equal(s->stages, 5);
    assert_int_equal(s->stage[1].share_ppm, 10000);
    assert_int_equal(s->stage[1].dwell_ms, 600000);
    assert_int_equal(s->patience_ms, 1800000);
    assert_true(s->has_tests && s->has_migration && !s->has_connect && !s->has_proxy);
    assert_int_equal(s->migrate_ms, 300000);
    assert_int_equal(s->soak_ms, 5000);
    assert_int_equal(s->step_ms, 300000);
    assert_int_equal(s->keep_up_total_ppm, 500000);
    release_config_done(&c);
}

static void test_an_environment_goes_over_it(void **state)
{
    (void) state;
    struct release_config base, c;
    load(EXAMPLE, NULL, &base);
    load(EXAMPLE, "staging", &c);
    assert_int_equal(c.spec.stages, 3); /* lists replace */
    assert_int_equal(c.spec.stage[1].share_ppm, 500000);
    assert_int_equal(c.spec.stage[1].dwell_ms, 30000);
    assert_int_equal(c.spec.soak_ms, 1000);
    assert_true(c.spec.host[1].pool); /* maps merge */
    assert_int_equal(c.limits.errors_ppm, 10000);
    assert_int_equal(c.spec.hooks_after, 1);
    assert_string_equal(c.hook[HOOK_AFTER][0].name, "bin/tell-qa");
    assert_int_equal(c.files, 3);
    assert_string_not_equal(base.hash, c.hash);
    release_config_done(&base);
    release_config_done(&c);
}

static void test_null_takes_away(void **state)
{
    (void) state;
    struct release_config c;
    write_file("release.x.yaml", "hosts: {b: null}\nmigrate: ~\nrolling: {batch: null}\n");
    write_file("release.yaml", SERVICE HOSTS "migrate: {command: [./m]}\nrolling: {batch: 1}\n");
    load(in_folder("release.yaml"), "x", &c);
    assert_int_equal(c.hosts, 1);
    assert_false(c.migration.given);
    assert_int_equal(c.spec.batch, 1);
    assert_int_equal(c.spec.swap, RELEASE_BESIDE); /* one host with two slots */
    release_config_done(&c);
}

static void test_a_fleet_of_another_folder(void **state)
{
    (void) state;
    struct release_config c;
    char want[512];
    (void) mkdir(in_folder("svc"), 0700);
    write_file("fleet.yaml", "datacenters: [w]\n"
                             "hosts: {a: {at: process:hosts/a, datacenter: w, ports: {web: 1}}}\n"
                             "routers: {r: {nginx: \"http://127.0.0.1:1/p\", token: r.token}}\n");
    write_file("svc/release.yaml",
               "service: s\nfleet: ../fleet.yaml\n"
               "process: {source: \"${version}\", services: {x: {command: [./x]}}}\n"
               "hosts: {a: {ports: {x: 7}}}\n");
    load(in_folder("svc/release.yaml"), NULL, &c);
    (void) snprintf(want, sizeof want, "%s/hosts/a", folder);
    assert_string_equal(c.host[0].folder, want);
    (void) snprintf(want, sizeof want, "%s/r.token", folder);
    assert_string_equal(c.router[0].token_file, want);
    assert_int_equal(c.host[0].ports, 2); /* what the release says is added */
    assert_string_equal(c.peer, "${host.address}:${port.x}");
    (void) snprintf(want, sizeof want, "%s/svc", folder);
    assert_string_equal(c.dir, want);
    release_config_done(&c);
}

static void test_swap_and_order(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        enum release_swap swap;
        const char *order;
    } rows[] = {
        {SERVICE HOSTS, RELEASE_IN_PLACE, "preflight room pull leave stop start join soak "},
        {SERVICE HOSTS "swap: beside\n", RELEASE_BESIDE,
         "preflight room pull leave stop start join soak "},
        {SERVICE "hosts: {a: {at: process:a, ports: {web: [1, 2]}}}\n", RELEASE_BESIDE,
         "preflight room pull leave stop start join soak "},
        {SERVICE HOSTS "strategy: canary\ncanary: {pool: {beside: 1}}\n", RELEASE_BESIDE,
         "preflight room pull leave stop start join soak "},
        {SERVICE "hosts: {a: {at: process:a, ports: {web: 1}}}\n", RELEASE_IN_PLACE,
         "preflight room pull leave stop start join soak "},
        {SERVICE "hosts: {a: {at: process:a, ports: {web: [1, 2]}}}\nswap: in-place\n",
         RELEASE_IN_PLACE, "preflight room pull leave stop start join soak "},
        {SERVICE HOSTS "order: [leave, room, pull, stop, proxy, connect, start, test, join]\n"
                       "connect: [{redis: \"r:6379\"}]\n",
         RELEASE_IN_PLACE, "preflight leave room pull stop connect start join "},
    };
    T_TABLE(row, rows)
    {
        struct release_config c;
        char order[256] = "";
        struct buf b;
        load_text(row->text, &c);
        buf_init_fixed(&b, order, sizeof order);
        for (size_t i = 0; i < c.spec.orders; i++) {
            buf_addf(&b, "%s ", release_step_name[c.spec.order[i]]);
        }
        t_check(c.spec.swap == row->swap, "%s", row->text);
        assert_string_equal(order, row->order);
        release_config_done(&c);
    }
}

static void test_short_forms(void **state)
{
    (void) state;
    struct release_config c;
    write_file("t.yaml", "[]\n");
    load_text(SERVICE HOSTS
              "roles: {app: {services: [web], ready: {http: \":8080/healthz\"}, stop: {signal: "
              "SIGINT}}}\n"
              "tests: {files: t.yaml, target: \"${port.web}\", vars: {HOST: \"${host}\"}}\n"
              "disk: {free: 2GiB}\n"
              "canary: {pool: {hosts: b, rest: canary}, headroom: 2, stages: [0, {share: 5ppm, "
              "dwell: 1s}, 100%], grow: true}\n",
              &c);
    assert_string_equal(c.role[ROLE_APP].ready_http, "http://${host.address}:8080/healthz");
    assert_int_equal(c.role[ROLE_APP].stop_signal, SIGINT);
    assert_string_equal(c.tests.target, "${host.address}:${port.web}");
    assert_string_equal(c.tests.given_vars.ptr[0], "HOST=${host}");
    assert_int_equal(c.disk_free_bytes, UINT64_C(2) << 30);
    assert_int_equal(c.spec.host[1].track, RELEASE_CANARY);
    assert_false(c.spec.retire_to_stable);
    assert_true(c.spec.grow);
    assert_int_equal(c.spec.strategy, RELEASE_ROLLING);
    assert_int_equal(c.spec.headroom_ppm, 2000000);
    assert_int_equal(c.spec.stage[1].share_ppm, 5);
    assert_int_equal(c.spec.stage[1].dwell_ms, 1000);
    assert_int_equal(c.spec.stage[2].dwell_ms, 600000);
    release_config_done(&c);
}

static void test_templates_are_expanded(void **state)
{
    (void) state;
    static const struct {
        const char *text, *want; /* or the message */
        int host;
        enum release_slot slot;
    } rows[] = {
        {"dist/${version}-${variant}", "dist/1.2-next", -1, RELEASE_SLOT_A},
        {"${service}.${host}.${datacenter}.${slot}", "shop.b.default.b", 1, RELEASE_SLOT_B},
        {"${host.address}:${port.web}", "127.0.0.1:9102", 1, RELEASE_SLOT_A},
        {"${host.address}:${port.web}", "127.0.0.1:9202", 1, RELEASE_SLOT_B},
        {"${folder}/x $${y}", "/v/1.2/x ${y}", 0, RELEASE_SLOT_A},
        {"${env.POUROVER_TEST_SET}", "yes", -1, RELEASE_SLOT_A},
        {"", "", -1, RELEASE_SLOT_A},
        {"${host}", "${host}: there is no host here", -1, RELEASE_SLOT_A},
        {"${port.x}", "${port.x}: host \"a\" has no port \"x\"", 0, RELEASE_SLOT_A},
        {"${port.admin}", "${port.admin}: port \"admin\" of host \"b\" has no slot b", 1,
         RELEASE_SLOT_B},
        {"${zebra}", "${zebra}: there is no such variable", 0, RELEASE_SLOT_A},
        {"${secret.X}", "${X}: secrets are not put into texts", 0, RELEASE_SLOT_A},
        {"${env.POUROVER_TEST_UNSET}",
         "${env.POUROVER_TEST_UNSET}: the environment has no variable POUROVER_TEST_UNSET", 0,
         RELEASE_SLOT_A},
    };
    struct release_config c;
    assert_int_equal(setenv("POUROVER_TEST_SET", "yes", 1), 0); /* NOLINT(concurrency-mt-unsafe) */
    load_text(SERVICE HOSTS, &c);
    T_TABLE(row, rows)
    {
        struct release_place place = {"1.2", "next", "/v/1.2", row->host, row->slot};
        struct err err = {.code = ERR_NONE};
        char out[256];
        struct buf b;
        buf_init_fixed(&b, out, sizeof out);
        buf_add_cstr(&b, "");
        int rc = release_expand(&c, &place, row->text, &b, &err);
        assert_string_equal(rc == 0 ? out : err.msg, row->want);
    }
    struct buf small;
    char two[3];
    struct err err = {.code = ERR_NONE};
    struct release_place place = {"1.2", "", "/v", -1, RELEASE_SLOT_A};
    buf_init_fixed(&small, two, sizeof two);
    assert_int_equal(release_expand(&c, &place, "${version}", &small, &err), ERR_FULL);
    release_config_done(&c);
}

/* What config prints is a release file of the same meaning, in the folder of the release file. */
static void assert_prints(const char *path, const char *env, const char *again)
{
    struct release_config c, d;
    struct buf text, before, after;
    buf_init(&text, TEXT_MAX);
    buf_init(&before, TEXT_MAX);
    buf_init(&after, TEXT_MAX);
    load(path, env, &c);
    release_config_print(&c, &text);
    FILE *file = fopen(again, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
    load(again, NULL, &d);
    dump(&before, &c);
    dump(&after, &d);
    assert_string_equal(before.ptr, after.ptr);
    release_config_done(&c);
    release_config_done(&d);
    assert_int_equal(unlink(again), 0);
    buf_done(&text);
    buf_done(&before);
    buf_done(&after);
}

static void test_what_is_printed_means_the_same(void **state)
{
    (void) state;
    static const char *const rows[][3] = {
        {EXAMPLE, NULL, "examples/release/two-datacenters/.again.yaml"},
        {EXAMPLE, "staging", "examples/release/two-datacenters/.again.yaml"},
        {"examples/release/full/release.yaml", NULL, "examples/release/full/.again.yaml"},
        {"examples/release/smallest/release.yaml", NULL, "examples/release/smallest/.again.yaml"},
    };
    T_TABLE(row, rows)
    {
        assert_prints((*row)[0], (*row)[1], (*row)[2]);
    }
    (void) mkdir(in_folder("svc"), 0700);
    write_file("fleet.yaml", "hosts: {a: {at: process:hosts/a, ports: {x: 1}}}\n");
    write_file(
        "svc/release.yaml",
        "service: s\nfleet: ../fleet.yaml\n"
        "process: {source: \"${version}\", services: {x: {command: [./x, \"a: #b\", "
        "\"two\\nlines\", \"1.20\", 'null', \"\", \" x \", 0x10, \"{\", 'it''s', '# c']}}}\n");
    assert_prints(in_folder("svc/release.yaml"), NULL, in_folder("svc/again.yaml"));
}

static void test_each_value_has_its_origin(void **state)
{
    (void) state;
    static const char *const lines[] = {
        "service: shop                           # release.yaml:2\n",
        "  soak: 1s                              # release.staging.yaml:5\n",
        "    at: process:hosts/west-1            # fleet.yaml:4\n",
        "  batch: 1                              # default\n",
        "  - command: [bin/tell-qa, \"${version}\"]  # release.staging.yaml:6\n",
        "    timeout: 1m                         # default\n",
        "  stages: [0, 50%, 100%]                # release.staging.yaml:3\n",
    };
    struct release_config c;
    struct buf b;
    buf_init(&b, TEXT_MAX);
    load(EXAMPLE, "staging", &c);
    release_config_print(&c, &b);
    T_TABLE(line, lines)
    {
        t_check(strstr(b.ptr, *line) != NULL, "%s in\n%s", *line, b.ptr);
    }
    release_config_done(&c);
    buf_done(&b);
}

static void test_what_cannot_be_carried_out_is_told(void **state)
{
    (void) state;
    static const char *const messages[] = {
        "11:3: this version cannot carry out images",
        "14:11: this version cannot carry out logins to registries",
        "16:3: this version cannot carry out releases by Docker Compose",
        "5:16: this version cannot carry out releases to other hosts than folders of this machine",
        "12:60: this version cannot carry out calls through ssh",
        "57:33: this version cannot carry out keeping of images",
        "57:43: this version cannot carry out pruning of images",
        "74:15: this version cannot carry out a stage for the staff",
        "80:10: this version cannot carry out a judge",
        "85:9: this version cannot carry out notifications",
        "86:10: this version cannot carry out windows of time",
    };
    struct release_config c;
    struct conf_diags diags = {.errors = 0};
    struct buf b;
    buf_init(&b, TEXT_MAX);
    load("examples/release/full/release.yaml", NULL, &c);
    assert_int_equal(release_config_unsupported(&c, &diags), ERR_INVALID);
    for (size_t i = 0; i < diags.list.len; i++) {
        buf_addf(&b, "%u:%u: %s\n", diags.list.ptr[i].pos.line, diags.list.ptr[i].pos.col,
                 diags.list.ptr[i].msg);
    }
    T_TABLE(message, messages)
    {
        t_check(strstr(b.ptr, *message) != NULL, "%s in\n%s", *message, b.ptr);
    }
    conf_diags_done(&diags);
    release_config_done(&c);
    load_text(SERVICE HOSTS "connect: [{grpc: \"127.0.0.1:1\"}, {redis: \"127.0.0.1:2\"}]\n", &c);
    diags = (struct conf_diags){.errors = 0};
    assert_int_equal(release_config_unsupported(&c, &diags), ERR_INVALID);
    assert_int_equal(diags.errors, 1);
    assert_string_equal(diags.list.ptr[0].msg,
                        "this version cannot carry out grpc of \"connect\": use command");
    conf_diags_done(&diags);
    release_config_done(&c);
    diags = (struct conf_diags){.errors = 0};
    load(EXAMPLE, NULL, &c);
    assert_int_equal(release_config_unsupported(&c, &diags), 0);
    release_config_done(&c);
    buf_done(&b);
}

/* What the loader makes is what the engine takes. */
static void test_plans_are_made_of_it(void **state)
{
    (void) state;
    static const char *const texts[] = {
        SERVICE HOSTS,
        SERVICE HOSTS "swap: beside\n",
        SERVICE HOSTS "order: [pull, leave, stop, start, join]\nrolling: {soak: 0}\n",
        SERVICE HOSTS "strategy: canary\ncanary: {pool: {beside: 1, grow: true}}\nrolling: "
                      "{keep_up: {total: 0}}\n",
        SERVICE "hosts: {a: {at: process:a, ports: {web: [1, 2]}}}\n",
    };
    for (size_t i = 0; i < T_LEN(texts) + 2; i++) {
        struct release_config c;
        struct release_basis basis = {.share_ppm = 0};
        struct release_plan plan = {.len = 0};
        struct err err = {.code = ERR_NONE};
        if (i < T_LEN(texts)) {
            load_text(texts[i], &c);
        } else {
            load(EXAMPLE, i == T_LEN(texts) ? NULL : "staging", &c);
        }
        for (size_t h = 0; h < c.hosts; h++) {
            basis.host[h].serves = true;
            basis.host[h].track = c.spec.host[h].track;
        }
        int rc = release_plan_forward(&c.spec, &basis, &plan, &err);
        t_check(rc == 0 && plan.len > c.hosts, "%zu: %s", i, err.msg);
        release_plan_done(&plan);
        release_config_done(&c);
    }
}

static void test_names_of_overlays(void **state)
{
    (void) state;
    static const char *const rows[][3] = {
        {"release.staging.yaml", "release.yaml", "staging"},
        {"a.b/shop.eu-1.yml", "a.b/shop.yml", "eu-1"},
        {"release.yaml", NULL, NULL},
        {"a.b/release.yaml", NULL, NULL},
        {".staging.yaml", NULL, NULL},
        {"x/.staging.yaml", NULL, NULL},
        {"release..yaml", NULL, NULL},
        {"release.staging", NULL, NULL},
        {".yaml", NULL, NULL},
        {"", NULL, NULL},
    };
    T_TABLE(row, rows)
    {
        char *path = NULL, *env = NULL;
        bool is = release_overlay_name((*row)[0], &path, &env);
        t_check(is == ((*row)[1] != NULL), "%s", (*row)[0]);
        if (is) {
            assert_string_equal(path, (*row)[1]);
            assert_string_equal(env, (*row)[2]);
        }
        mem_free(path);
        mem_free(env);
    }
}

static void test_a_fleet_file_alone(void **state)
{
    (void) state;
    struct release_config c;
    struct conf_diags diags = {.errors = 0};
    assert_int_equal(release_fleet_load("examples/release/two-datacenters/fleet.yaml", &diags, &c),
                     0);
    assert_int_equal(c.hosts, 4);
    assert_int_equal(c.routers, 1);
    release_config_done(&c);
    write_file("fleet.yaml", "hosts: {a: {at: process:a, port: {}}}\nservice: x\n");
    assert_int_equal(release_fleet_load(in_folder("fleet.yaml"), &diags, &c), ERR_INVALID);
    assert_int_equal(diags.errors, 2);
    conf_diags_done(&diags);
    release_config_done(&c);
}

static int enter(void **state)
{
    (void) state;
    return mkdtemp(folder) == NULL || getcwd(root, sizeof root) == NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) st;
    (void) type;
    (void) ftw;
    return remove(path);
}

static int leave(void **state)
{
    (void) state;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example_as_types),
        cmocka_unit_test(test_the_example_as_the_engine_gets_it),
        cmocka_unit_test(test_an_environment_goes_over_it),
        cmocka_unit_test(test_null_takes_away),
        cmocka_unit_test(test_a_fleet_of_another_folder),
        cmocka_unit_test(test_swap_and_order),
        cmocka_unit_test(test_short_forms),
        cmocka_unit_test(test_templates_are_expanded),
        cmocka_unit_test(test_what_is_printed_means_the_same),
        cmocka_unit_test(test_each_value_has_its_origin),
        cmocka_unit_test(test_what_cannot_be_carried_out_is_told),
        cmocka_unit_test(test_plans_are_made_of_it),
        cmocka_unit_test(test_names_of_overlays),
        cmocka_unit_test(test_a_fleet_file_alone),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
