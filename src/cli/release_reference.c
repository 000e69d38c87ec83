/* docs/reference/release.md and fleet.md: tables of keys, with the rules that no table can say. */
#include "cli/release_reference.h"

#include "release/config.h"

#include <stdio.h>
#include <string.h>

enum { KEYS_MAX = 64, LINK_MAX = 400 };

/* Sections of release.yaml in the order of the reference; the key whose table it is. */
static const struct section {
    const char *key, *title, *anchor, *text;
} sections[] = {
    {"hosts", "Hosts", "hosts",
     "Also of a fleet file. A release file may add to a host of the fleet, such as its ports; "
     "`NAME: null` leaves a host out.\n\n"
     "`at: process:FOLDER` is a host of the process driver: a folder of this machine, relative to "
     "the file that names it. A port with one number is there for slot a only; `[A, B]` lets two "
     "copies live side by side. No number may be used twice at the same address."},
    {"routers", "Routers", "routers", "Also of a fleet file."},
    {"process", "Process driver", "process-driver",
     "`process: {source: \"dist/${version}\", services: {web: {command: [./web, "
     "\"${port.web}\"]}}}`: "
     "step `pull` copies the folder of the version to `FOLDER/versions/VERSION` of each host, step "
     "`start` begins the programs there. A command is a list of words; no shell sees it."},
    {"compose", "Docker Compose", "docker-compose",
     "Read and checked; carried out by a later version."},
    {"images", "Images", "images", "`NAME: IMAGE`, or a map."},
    {"registry", "Registry", "registry", "Read and checked; carried out by a later version."},
    {"secrets", "Secrets", "secrets",
     "They become files of mode 0600 and variables of the programs, and are in no command line."},
    {"roles", "Roles", "roles",
     "Workers are stopped before applications, and started with them. Without `roles`, all "
     "programs "
     "are of role `app`, in the order of the file. A program has to be in exactly one role."},
    {"migrate", "Migration", "migration", "It never runs twice in a release."},
    {"rolling", "Rolling", "rolling",
     "`keep_up` is about hosts of the stable track: a batch that would leave less is refused when "
     "the file is read. The only copy of all is never taken out.\n\n"
     "While a canary walks, `keep_up.total` holds for each track's part of the visitors. "
     "`keep_up.per_datacenter` counts the hosts that are of use to visitors: at share 0 those of "
     "stable, so the pool has to leave that many in each data center; above 0 and below 100% "
     "those of both tracks together, so a data center may be left with hosts of one track only; "
     "at 100% those of the canary. Visitors of a track that has no host in a data center are "
     "served from another: where routers do not reach one, keep hosts of both tracks in each, by "
     "a pool that takes a part of each data center, and without `grow`."},
    {"disk", "Disk", "disk", "Looked at before a host leaves."},
    {"connect", "Connect", "connect",
     "Each item speaks exactly one protocol. A bare TCP connection is refused without `bare: "
     "true`, "
     "as a proxy accepts it whatever is behind."},
    {"tests", "Tests", "tests",
     "`target: NAME` and `target: \"${port.NAME}\"` are short for "
     "`${host.address}:${port.NAME}`. A file or pattern that finds nothing is an error."},
    {"canary", "Canary", "canary",
     "Needed with `strategy: canary`. `stages` begin with 0, rise, and end with 100%. A share "
     "needs "
     "its unit: a bare `1` could be 1% or 1ppm. At least one host stays out of the pool."},
    {"hooks", "Hooks", "hooks",
     "They run on the machine that controls the release, with POUROVER_ variables."},
    {"notify", "Notify", "notify", "Read and checked; carried out by a later version."},
    {"windows", "Windows", "windows", "Read and checked; carried out by a later version."},
};
enum { SECTIONS = sizeof sections / sizeof sections[0] };

static const struct section *section_of(const char *key)
{
    for (size_t i = 0; i < SECTIONS; i++) {
        if (strcmp(sections[i].key, key) == 0) {
            return &sections[i];
        }
    }
    return NULL;
}

/* A table whose keys with a section of their own point there. */
static void add_table(struct buf *b, const struct conf_key *key)
{
    struct conf_key row[KEYS_MAX + 1] = {{NULL, CONF_WANT_ANY, 0, NULL, NULL}};
    char help[KEYS_MAX][LINK_MAX];
    for (size_t i = 0; i < KEYS_MAX && key[i].name != NULL; i++) {
        const struct section *section = section_of(key[i].name);
        row[i] = key[i];
        if (section != NULL) {
            (void) snprintf(help[i], LINK_MAX, "%s; see [%s](#%s)", row[i].help, section->title,
                            section->anchor);
            row[i].help = help[i];
            row[i].inner = NULL;
        }
    }
    conf_schema_markdown(row, b);
}

static void add_section(struct buf *b, const struct section *section)
{
    struct conf_key row[2] = {{NULL, CONF_WANT_ANY, 0, NULL, NULL},
                              {NULL, CONF_WANT_ANY, 0, NULL, NULL}};
    for (const struct conf_key *key = release_keys; key->name != NULL; key++) {
        if (strcmp(key->name, section->key) == 0) {
            row[0] = *key;
        }
    }
    buf_addf(b, "\n### %s\n\n%s\n\n", section->title, section->text);
    conf_schema_markdown(row, b);
}

static void add_rules(struct buf *b)
{
    buf_add_cstr(
        b,
        "## Files\n\n"
        "`pourover config` reads `release.yaml` (or `-f FILE`). With `-e staging` the file "
        "`release.staging.yaml` beside it is put over it: maps merge, lists and scalars replace, "
        "`null` takes a key away. The file that `fleet` names, relative to the release file, is "
        "put "
        "under both. [Fleet files](fleet.md) have hosts, data centers and routers that services "
        "share. A message names the file that a value stands in.\n\n"
        "Hosts are released in the order of the file, data centers in the order of `datacenters`, "
        "or "
        "else in the order in which hosts name them.\n\n"
        "## Variables\n\n"
        "| variable | value |\n|---|---|\n"
        "| `${version}`, `${variant}`, `${service}` | the version, its variant, the service |\n"
        "| `${env.NAME}` | of the environment of pourover, read when it is used |\n"
        "| `${host}`, `${host.address}`, `${datacenter}` | of a host |\n"
        "| `${slot}` | `a` or `b` |\n"
        "| `${folder}` | the folder of the version on the host |\n"
        "| `${port.NAME}` | the port of the host, of this slot |\n\n"
        "Those of a host are not there in `source`, `images` and hooks. `$${` stands for `${`. "
        "Secrets are no variables.\n\n"
        "## Swap\n\n"
        "`swap: auto` is `beside` for a canary whose pool is `{beside: N}`, and when there is "
        "exactly "
        "one host, of the process driver, and every port that programs, readiness, `peer` and "
        "tests "
        "use has two numbers there; else it is `in-place`. `swap: beside`, and a pool `{beside: "
        "N}`, "
        "want the two numbers on every host.\n\n"
        "## Order\n\n"
        "`order: [leave, room, pull, stop, proxy, connect, start, test, join, soak]` is the order "
        "of a "
        "host's steps in place. `preflight` is always first and may be left out. Each step is "
        "there "
        "once; `leave` comes before `stop`, `stop` before `start`, `start` before `test`, `test` "
        "before `join`; `room` before `pull`, `pull` before `start`; `proxy` between `stop` and "
        "`start`; `connect` before `start`; `soak` after `join`. `leave`, `pull`, `stop`, `start`, "
        "`join` are needed, `proxy`, `connect` and `test` when there is something for them.\n\n"
        "## Needs\n\n"
        "`needs: [school-api]` orders services whose files are given to one `pourover release`, "
        "`plan` or `restart` by `-f` each: school-api goes first. What is needed and not given is "
        "told and not waited for. Services that need each other in a circle are refused, with the "
        "places; so is a service that needs itself, or whose file is given twice. Services without "
        "needs keep the order of the command line.\n\n"
        "## Times\n\n"
        "A warning says where times of one chain contradict one another: `drain.requests` is at "
        "most "
        "the `stop.grace` of applications and at most `drain.streams`; `ready.within`, "
        "`stop.grace`, "
        "`connect.retry` and `tests.budget` are below `rolling.deadline`.\n\n"
        "## Keys\n\n");
}

void release_reference(struct buf *b)
{
    buf_add_cstr(b, "# release.yaml\n\n"
                    "Made by `pourover schema release --markdown`; a test holds it current. "
                    "[Examples](../../examples/release/README.md) show whole files.\n\n");
    add_rules(b);
    add_table(b, release_keys);
    for (size_t i = 0; i < SECTIONS; i++) {
        add_section(b, &sections[i]);
    }
    buf_addf(b,
             "\n## Defaults\n\n"
             "`all` is for every file, the others for what has them; `pourover config` shows which "
             "ones hold.\n\n```yaml\n%s```\n",
             release_defaults);
}

void fleet_reference(struct buf *b)
{
    buf_add_cstr(
        b, "# fleet.yaml\n\n"
           "Made by `pourover schema fleet --markdown`; a test holds it current.\n\n"
           "Hosts, data centers and routers that services share; [a release file](release.md) "
           "names it by `fleet`. Paths are relative to this file. What the release file says of "
           "a host or router goes over it.\n\n");
    conf_schema_markdown(fleet_keys, b);
}
