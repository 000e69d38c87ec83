/* Every key of release.yaml and of fleet.yaml: what the loader accepts, what the reference says. */
#include "release/config.h"

#define END                                \
    {                                      \
        NULL, CONF_WANT_ANY, 0, NULL, NULL \
    }

static const struct conf_key secret_keys[] = {
    {"env", CONF_WANT_TEXT, CONF_NOT_EMPTY, "the variable of pourover's environment that has it",
     NULL},
    {"file", CONF_WANT_TEXT, CONF_NOT_EMPTY, "path of the file that has it", NULL},
    {"command", CONF_WANT_TEXTS, CONF_NOT_EMPTY, "the words of a command that prints it", NULL},
    END,
};

static const struct conf_key host_keys[] = {
    {"at", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "where it is: process:FOLDER for a folder of this machine, local, ssh://USER@HOST:PORT", NULL},
    {"datacenter", CONF_WANT_TEXT, CONF_NOT_EMPTY, "its data center; needed when there are several",
     NULL},
    {"address", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "under which routers and tests reach it; 127.0.0.1, or the host of at: ssh://", NULL},
    {"ports", CONF_WANT_MAP, 0,
     "its ports by name: a number, or [A, B] where two copies can live side by side (slots a and "
     "b)",
     NULL},
    {"weight", CONF_WANT_INTEGER, 0, "its part of the capacity, 1 to 1000", NULL},
    {"direct", CONF_WANT_BOOL, 0, "it is reached without ssh", NULL},
    END,
};

static const struct conf_key router_keys[] = {
    {"nginx", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "its API: http://127.0.0.1:9900/pourover or unix:/run/pourover.sock:/pourover", NULL},
    {"envoy", CONF_WANT_TEXT, CONF_NOT_EMPTY, "the admin interface of an Envoy", NULL},
    {"at", CONF_WANT_TEXT, CONF_NOT_EMPTY, "ssh://...: the API is reached through this machine",
     NULL},
    {"token", CONF_WANT_TEXT, CONF_NOT_EMPTY, "path of the file that has the API's token", NULL},
    {"visit", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "where visitors reach it, such as https://shop.example/: each share is then verified by "
     "sampled "
     "visitors",
     NULL},
    {"direct", CONF_WANT_BOOL, 0, "the API is reached without ssh, whatever at says", NULL},
    END,
};

const struct conf_key fleet_keys[] = {
    {"schema", CONF_WANT_INTEGER, 0, "1, the version of this format", NULL},
    {"datacenters", CONF_WANT_TEXTS, CONF_NOT_EMPTY, "data centers in the order of releasing",
     NULL},
    {"hosts", CONF_WANT_NAMES, CONF_NOT_EMPTY, "hosts by name, in the order of releasing",
     host_keys},
    {"routers", CONF_WANT_NAMES, 0, "routers by name", router_keys},
    END,
};

static const struct conf_key image_keys[] = {
    {"image", CONF_WANT_TEXT, CONF_REQUIRED | CONF_NOT_EMPTY, "registry/name:tag", NULL},
    {"pinned", CONF_WANT_BOOL, 0, "it does not move with the version", NULL},
    END,
};

static const struct conf_key registry_choices[] = {
    {"host", CONF_WANT_ANY, 0, "the host is logged in already", NULL},
    END,
};

static const struct conf_key transfer_choices[] = {
    {"ssh", CONF_WANT_ANY, 0, "images are sent over ssh, without a registry", NULL},
    END,
};

static const struct conf_key registry_keys[] = {
    {"server", CONF_WANT_TEXT, CONF_NOT_EMPTY, "the registry", NULL},
    {"username", CONF_WANT_TEXT, CONF_NOT_EMPTY, "who logs in", NULL},
    {"password", CONF_WANT_MAP, CONF_NOT_EMPTY, "the password, one of:", secret_keys},
    {"login", CONF_WANT_CHOICE, 0, "who is logged in", registry_choices},
    {"transfer", CONF_WANT_CHOICE, 0, "another way for images", transfer_choices},
    END,
};

static const struct conf_key compose_at_choices[] = {
    {"controller", CONF_WANT_ANY, 0, "files are sent from here, which is the default", NULL},
    {"host", CONF_WANT_ANY, 0, "files are on the host; their hashes are recorded", NULL},
    END,
};

static const struct conf_key compose_keys[] = {
    {"file", CONF_WANT_TEXT, CONF_REQUIRED | CONF_NOT_EMPTY, "compose.yaml", NULL},
    {"at", CONF_WANT_CHOICE, 0, "where the files are", compose_at_choices},
    {"dir", CONF_WANT_TEXT, CONF_NOT_EMPTY, "folder on the host", NULL},
    {"files", CONF_WANT_TEXTS, 0, "further files that belong to a version", NULL},
    {"project", CONF_WANT_TEXT, CONF_NOT_EMPTY, "name of the project", NULL},
    {"profiles", CONF_WANT_TEXTS, 0, "profiles that are on", NULL},
    {"env", CONF_WANT_NAMES, 0, "variables of the compose file", NULL},
    {"secrets", CONF_WANT_NAMES, 0, "variables that are secret", secret_keys},
    {"keep", CONF_WANT_INTEGER, 0, "versions that stay on a host, 2 to 100", NULL},
    END,
};

static const struct conf_key program_keys[] = {
    {"command", CONF_WANT_TEXTS, CONF_REQUIRED | CONF_NOT_EMPTY,
     "the words of the command; the first is relative to the folder of the version", NULL},
    {"env", CONF_WANT_NAMES, 0, "its environment", NULL},
    END,
};

static const struct conf_key process_keys[] = {
    {"source", CONF_WANT_TEXT, CONF_REQUIRED | CONF_NOT_EMPTY,
     "the folder of a version, which is copied to each host: dist/${version}", NULL},
    {"services", CONF_WANT_NAMES, CONF_REQUIRED | CONF_NOT_EMPTY, "the programs by name",
     program_keys},
    {"keep", CONF_WANT_INTEGER, 0, "versions that stay on a host, 2 to 100", NULL},
    END,
};

static const struct conf_key ready_keys[] = {
    {"http", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "ready when this answers 2xx: http://${host.address}:${port.web}/healthz, or short :PORT/PATH",
     NULL},
    {"within", CONF_WANT_DURATION, 0, "how long that may take", NULL},
    {"up_for", CONF_WANT_DURATION, 0, "ready when it has been up for so long", NULL},
    END,
};

static const struct conf_key stop_keys[] = {
    {"signal", CONF_WANT_TEXT, CONF_NOT_EMPTY, "the first signal: TERM, INT, QUIT, TSTP, ...",
     NULL},
    {"then", CONF_WANT_TEXT, CONF_NOT_EMPTY, "a signal right behind it", NULL},
    {"grace", CONF_WANT_DURATION, 0, "how long until it is killed", NULL},
    END,
};

static const struct conf_key restarts_keys[] = {
    {"max", CONF_WANT_INTEGER, 0, "restarts that are borne", NULL},
    {"watch", CONF_WANT_DURATION, 0, "how long a start is watched for them", NULL},
    END,
};

static const struct conf_key health_keys[] = {
    {"fail", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "request that makes its health check fail: POST :9901/healthcheck/fail", NULL},
    {"ok", CONF_WANT_TEXT, CONF_NOT_EMPTY, "request that lifts that", NULL},
    {"flag", CONF_WANT_TEXT, CONF_NOT_EMPTY, "path of a file that makes it fail from its start on",
     NULL},
    END,
};

#define ROLE_KEYS(of)                                                                              \
    {"services", CONF_WANT_TEXTS, CONF_REQUIRED | CONF_NOT_EMPTY,                                  \
     "its services, in the order of starting", NULL},                                              \
        {"ready", CONF_WANT_MAP, 0, "when " of " is ready", ready_keys},                           \
        {"stop", CONF_WANT_MAP, 0, "how " of " is stopped", stop_keys},                            \
    {                                                                                              \
        "restarts", CONF_WANT_MAP, 0, "how a loop of restarts is told from a start", restarts_keys \
    }

static const struct conf_key proxy_keys[] = {
    ROLE_KEYS("the proxy"),
    {"shared", CONF_WANT_BOOL, 0, "it is not part of the version: it stays over releases", NULL},
    {"health", CONF_WANT_MAP, 0, "how its health check is made to fail by command", health_keys},
    END,
};

static const struct conf_key app_keys[] = {
    ROLE_KEYS("an application"),
    END,
};

static const struct conf_key worker_keys[] = {
    ROLE_KEYS("a worker"),
    {"traffic", CONF_WANT_BOOL, 0, "false: a worker gets no requests", NULL},
    END,
};

static const struct conf_key pause_choices[] = {
    {"release", CONF_WANT_ANY, 0, "stopped from before the first host until the end", NULL},
    END,
};

static const struct conf_key cron_keys[] = {
    ROLE_KEYS("cron"),
    {"only_on", CONF_WANT_TEXT, CONF_NOT_EMPTY, "the one host that it runs on", NULL},
    {"pause_during", CONF_WANT_CHOICE, 0, "when it does not run", pause_choices},
    END,
};

static const struct conf_key roles_keys[] = {
    {"proxy", CONF_WANT_MAP, 0, "the sidecar that takes a host's requests", proxy_keys},
    {"app", CONF_WANT_MAP, 0, "applications, which get requests", app_keys},
    {"worker", CONF_WANT_MAP, 0, "workers, which take jobs; stopped before applications",
     worker_keys},
    {"cron", CONF_WANT_MAP, 0, "what may run once only", cron_keys},
    END,
};

static const struct conf_key when_choices[] = {
    {"before", CONF_WANT_ANY, 0, "before the first host leaves", NULL},
    {"after", CONF_WANT_ANY, 0, "after all hosts have the new version", NULL},
    END,
};

static const struct conf_key migrate_keys[] = {
    {"command", CONF_WANT_TEXTS, CONF_REQUIRED | CONF_NOT_EMPTY,
     "the words of the command; the first is relative to the folder of the version", NULL},
    {"in", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "the service whose image or environment it runs with; the first application", NULL},
    {"when", CONF_WANT_CHOICE, 0, "when it runs", when_choices},
    {"once", CONF_WANT_BOOL, 0, "true: it never runs twice in a release", NULL},
    {"timeout", CONF_WANT_DURATION, 0, "how long it may take", NULL},
    {"barrier", CONF_WANT_BOOL, 0, "the old version cannot run behind it: no rollback", NULL},
    END,
};

static const struct conf_key strategy_choices[] = {
    {"rolling", CONF_WANT_ANY, 0, "host by host", NULL},
    {"canary", CONF_WANT_ANY, 0, "a pool of hosts first, with a rising share of visitors", NULL},
    END,
};

static const struct conf_key swap_choices[] = {
    {"auto", CONF_WANT_ANY, 0,
     "beside with a pool beside, or when there is one host only and it has two slots; else "
     "in-place",
     NULL},
    {"in-place", CONF_WANT_ANY, 0, "leave, stop, start, test, join", NULL},
    {"beside", CONF_WANT_ANY, 0, "the new copy next to the old one, then visitors change over",
     NULL},
    END,
};

static const struct conf_key keep_up_keys[] = {
    {"total", CONF_WANT_SHARE, 0, "of the capacity, by weights, stays in the routers", NULL},
    {"per_datacenter", CONF_WANT_INTEGER, 0, "so many hosts of each data center stay", NULL},
    END,
};

static const struct conf_key drain_keys[] = {
    {"requests", CONF_WANT_DURATION, 0, "requests that are in flight end within this time", NULL},
    {"streams", CONF_WANT_DURATION, 0, "the same of streams: gRPC, websockets, events", NULL},
    END,
};

static const struct conf_key rolling_keys[] = {
    {"batch", CONF_WANT_INTEGER, 0, "hosts of one data center that are out at once", NULL},
    {"keep_up", CONF_WANT_MAP, 0, "what has to stay in the routers", keep_up_keys},
    {"drain", CONF_WANT_MAP, 0, "limits of a drain", drain_keys},
    {"soak", CONF_WANT_DURATION, 0, "a host is watched so long after it joined", NULL},
    {"keep_old", CONF_WANT_DURATION, 0, "beside: the old copy stays warm for so long", NULL},
    {"deadline", CONF_WANT_DURATION, 0, "of a host's step that has none of its own", NULL},
    END,
};

static const struct conf_key disk_keys[] = {
    {"free", CONF_WANT_BYTES, 0, "space that has to be free on a host before it leaves", NULL},
    {"keep_images", CONF_WANT_INTEGER, 0, "images of each name that stay", NULL},
    {"prune", CONF_WANT_TEXTS, 0,
     "what may be removed to make room: images, build_cache, stopped_containers", NULL},
    END,
};

static const struct conf_key connect_keys[] = {
    {"http", CONF_WANT_TEXT, CONF_NOT_EMPTY, "URL that answers 2xx or 3xx", NULL},
    {"postgres", CONF_WANT_TEXT, CONF_NOT_EMPTY, "HOST:PORT of a PostgreSQL server", NULL},
    {"mysql", CONF_WANT_TEXT, CONF_NOT_EMPTY, "HOST:PORT of a MySQL server", NULL},
    {"redis", CONF_WANT_TEXT, CONF_NOT_EMPTY, "HOST:PORT of a Redis server", NULL},
    {"tls", CONF_WANT_TEXT, CONF_NOT_EMPTY, "HOST:PORT that shakes hands and has that name", NULL},
    {"grpc", CONF_WANT_TEXT, CONF_NOT_EMPTY, "HOST:PORT with gRPC's health service", NULL},
    {"command", CONF_WANT_TEXTS, CONF_NOT_EMPTY, "the words of a command that exits with 0", NULL},
    {"tcp", CONF_WANT_TEXT, CONF_NOT_EMPTY, "HOST:PORT, with expect, or with bare: true", NULL},
    {"send", CONF_WANT_TEXT, CONF_NOT_EMPTY, "tcp: text to send first", NULL},
    {"expect", CONF_WANT_TEXT, CONF_NOT_EMPTY, "tcp: text that has to come", NULL},
    {"bare", CONF_WANT_BOOL, 0,
     "tcp: an accepted connection is enough; through a proxy that proves nothing", NULL},
    {"retry", CONF_WANT_DURATION, 0, "how long to try again", NULL},
    END,
};

static const struct conf_key coverage_keys[] = {
    {"methods", CONF_WANT_SHARE, CONF_REQUIRED, "of the methods have to be called", NULL},
    END,
};

static const struct conf_key tests_keys[] = {
    {"files", CONF_WANT_TEXTS, CONF_REQUIRED | CONF_NOT_EMPTY,
     "files of API tests, or patterns such as tests/*.yaml", NULL},
    {"target", CONF_WANT_TEXT, CONF_NOT_EMPTY, "HOST:PORT of the copy under test; peer", NULL},
    {"vars", CONF_WANT_NAMES, 0, "variables for the tests", NULL},
    {"tags", CONF_WANT_TEXTS, 0, "only tests with one of these tags", NULL},
    {"requires", CONF_WANT_TEXTS, 0, "variables of the environment that have to be set", NULL},
    {"coverage", CONF_WANT_MAP, 0, "how much has to be tested", coverage_keys},
    {"budget", CONF_WANT_DURATION, 0, "how long all of them may take", NULL},
    END,
};

static const struct conf_key rest_choices[] = {
    {"stable", CONF_WANT_ANY, 0, "its hosts serve with the others", NULL},
    {"canary", CONF_WANT_ANY, 0, "its hosts are there for canaries only; their copies are stopped",
     NULL},
    END,
};

static const struct conf_key pool_keys[] = {
    {"hosts", CONF_WANT_TEXTS, CONF_NOT_EMPTY, "hosts that get the new version first", NULL},
    {"beside", CONF_WANT_INTEGER, 0,
     "instead of hosts: copies in slot b of so many stable hosts of each data center", NULL},
    {"rest", CONF_WANT_CHOICE, 0, "where the pool is between releases", rest_choices},
    {"grow", CONF_WANT_BOOL, 0,
     "stable hosts come over when a stage needs more capacity than the pool has", NULL},
    END,
};

static const struct conf_key stage_keys[] = {
    {"share", CONF_WANT_SHARE, 0, "of visitors that come to the canary", NULL},
    {"staff", CONF_WANT_BOOL, 0, "true: only people of the staff; the share stays", NULL},
    {"dwell", CONF_WANT_DURATION, 0, "how long; dwell of canary", NULL},
    END,
};

static const struct conf_key staff_keys[] = {
    {"header", CONF_WANT_TEXT, CONF_NOT_EMPTY, "header that has who it is", NULL},
    {"list", CONF_WANT_TEXT, CONF_NOT_EMPTY, "path of a file, one of them a line", NULL},
    END,
};

static const struct conf_key limits_keys[] = {
    {"errors", CONF_WANT_SHARE, 0, "at most, of the canary's requests in a stage", NULL},
    {"p99", CONF_WANT_DURATION, 0, "99 of 100 requests take at most this time", NULL},
    {"min_requests", CONF_WANT_INTEGER, 0, "requests of the canary that make a verdict", NULL},
    END,
};

static const struct conf_key canary_keys[] = {
    {"pool", CONF_WANT_MAP, 0, "where the canary lives: hosts or beside", pool_keys},
    {"stages", CONF_WANT_LIST, CONF_NOT_EMPTY | CONF_OR_TEXT,
     "shares, rising from 0 to 100%; staff; or maps with a dwell of their own", stage_keys},
    {"staff", CONF_WANT_MAP, 0, "who is of the staff", staff_keys},
    {"dwell", CONF_WANT_DURATION, 0, "how long a stage lasts", NULL},
    {"limits", CONF_WANT_MAP, 0, "what ends the walk at once", limits_keys},
    {"grow", CONF_WANT_BOOL, 0, "the same as grow of pool", NULL},
    {"headroom", CONF_WANT_TEXT, 0, "capacity over the share that a track has to have, 1 to 10",
     NULL},
    {"patience", CONF_WANT_DURATION, 0,
     "after the dwell, how long to wait for min_requests; then the walk is held", NULL},
    {"judge", CONF_WANT_MAP, 0, "settings of the judge", NULL},
    END,
};

static const struct conf_key hook_keys[] = {
    {"name", CONF_WANT_TEXT, CONF_NOT_EMPTY, "what reports call it; the command's first word",
     NULL},
    {"command", CONF_WANT_TEXTS, CONF_REQUIRED | CONF_NOT_EMPTY,
     "the words of a command, run on this machine", NULL},
    {"timeout", CONF_WANT_DURATION, 0, "how long it may take", NULL},
    END,
};

static const struct conf_key hooks_keys[] = {
    {"before", CONF_WANT_LIST, 0, "before the first host", hook_keys},
    {"after", CONF_WANT_LIST, 0, "after the last", hook_keys},
    {"on_failure", CONF_WANT_LIST, 0, "when the release halts", hook_keys},
    END,
};

static const struct conf_key slack_keys[] = {
    {"url", CONF_WANT_MAP, CONF_REQUIRED, "the webhook, one of:", secret_keys},
    {"channel", CONF_WANT_TEXT, CONF_NOT_EMPTY, "the channel", NULL},
    END,
};

static const struct conf_key notify_keys[] = {
    {"slack", CONF_WANT_MAP, 0, "a channel of Slack", slack_keys},
    {"about", CONF_WANT_TEXTS, CONF_NOT_EMPTY, "what is told: canary, release", NULL},
    END,
};

static const struct conf_key windows_keys[] = {
    {"promote", CONF_WANT_TEXTS, CONF_NOT_EMPTY,
     "when a stage may rise: Mon-Fri 09:00-18:00 Asia/Tokyo", NULL},
    END,
};

const struct conf_key release_keys[] = {
    {"schema", CONF_WANT_INTEGER, 0, "1, the version of this format", NULL},
    {"service", CONF_WANT_TEXT, CONF_REQUIRED | CONF_NOT_EMPTY, "the name of the service", NULL},
    {"fleet", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "path of a file with data centers, hosts and routers; what stands here goes over it", NULL},
    {"datacenters", CONF_WANT_TEXTS, CONF_NOT_EMPTY, "data centers in the order of releasing",
     NULL},
    {"hosts", CONF_WANT_NAMES, 0, "hosts by name, in the order of releasing", host_keys},
    {"routers", CONF_WANT_NAMES, 0, "routers by name", router_keys},
    {"router_service", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "what the routers call the service; the service's name", NULL},
    {"peer", CONF_WANT_TEXT, CONF_NOT_EMPTY,
     "HOST:PORT under which routers know a copy; ${host.address} with the port that has the name "
     "of "
     "the first application",
     NULL},
    {"needs", CONF_WANT_TEXTS, 0,
     "services that are released before it in one run, when their files are given, too", NULL},
    {"untouched", CONF_WANT_TEXTS, 0, "services beside it that a release leaves alone", NULL},
    {"process", CONF_WANT_MAP, 0, "programs in folders of this machine", process_keys},
    {"compose", CONF_WANT_MAP, 0, "Docker Compose on the hosts", compose_keys},
    {"kubernetes", CONF_WANT_MAP, 0, "Kubernetes", NULL},
    {"images", CONF_WANT_NAMES, CONF_OR_TEXT, "images that move with the version", image_keys},
    {"registry", CONF_WANT_MAP, 0, "where images come from", registry_keys},
    {"secrets", CONF_WANT_NAMES, 0,
     "variables of the programs that are secret, each one of:", secret_keys},
    {"roles", CONF_WANT_MAP, 0, "what is stopped and started together; all are app when left out",
     roles_keys},
    {"migrate", CONF_WANT_MAP, 0, "what runs once a release", migrate_keys},
    {"strategy", CONF_WANT_CHOICE, 0, "how a version goes out", strategy_choices},
    {"swap", CONF_WANT_CHOICE, 0, "how a host changes its copy", swap_choices},
    {"order", CONF_WANT_TEXTS, CONF_NOT_EMPTY,
     "default, or the steps of a host in place as a list: preflight, room, pull, leave, stop, "
     "proxy, connect, start, test, join, soak",
     NULL},
    {"rolling", CONF_WANT_MAP, 0, "how hosts take turns", rolling_keys},
    {"disk", CONF_WANT_MAP, 0, "room on the hosts", disk_keys},
    {"connect", CONF_WANT_LIST, 0, "outside components that have to answer from the host",
     connect_keys},
    {"tests", CONF_WANT_MAP, 0, "API tests that a copy has to pass before it joins", tests_keys},
    {"canary", CONF_WANT_MAP, 0, "the walk of a canary release", canary_keys},
    {"hooks", CONF_WANT_MAP, 0, "commands of yours", hooks_keys},
    {"notify", CONF_WANT_LIST, 0, "whom to tell", notify_keys},
    {"windows", CONF_WANT_MAP, 0, "when things may happen", windows_keys},
    END,
};
