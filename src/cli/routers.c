/* The routers of a command; see routers.h. */
#include "cli/routers.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/out.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_MAX 4096

typedef VEC(struct router) router_list;

static int add_router(router_list *list, struct str text, struct err *err)
{
    struct router r;
    int code = router_parse(text, &r, err);
    if (code != 0) {
        return code;
    }
    for (size_t i = 0; i < list->len; i++) {
        if (strcmp(list->ptr[i].name, r.name) == 0) {
            code = err_set(err, ERR_INVALID,
                           "two routers are called \"%s\": put different names in front, such as "
                           "east=http://...",
                           r.name);
            router_done(&r);
            return code;
        }
    }
    vec_push(list, r);
    return 0;
}

static int add_from_environment(router_list *list, struct err *err)
{
    const char *text = secure_getenv("POUROVER_ROUTERS");
    if (text == NULL || text[0] == '\0') {
        return err_set(err, ERR_INVALID,
                       "no router is named: use --router URL, or put the URLs into "
                       "POUROVER_ROUTERS, separated by spaces");
    }
    for (const char *at = text; *at != '\0';) {
        size_t skip = strspn(at, " \t\n");
        size_t len = strcspn(at + skip, " \t\n");
        if (len > 0 && add_router(list, (struct str){at + skip, len}, err) != 0) {
            return err_wrap(err, "POUROVER_ROUTERS (URLs separated by spaces)");
        }
        at += skip + len;
    }
    return list->len > 0 ? 0 : err_set(err, ERR_INVALID, "POUROVER_ROUTERS names no router");
}

static int collect(const struct cli *cli, router_list *list, struct err *err)
{
    for (size_t i = 0; i < cli->routers.len; i++) {
        if (add_router(list, str_of(cli->routers.ptr[i]), err) != 0) {
            return err_wrap(err, "--router");
        }
    }
    int code = cli->routers.len == 0 ? add_from_environment(list, err) : 0;
    if (code == 0 && list->len > FLEET_MAX) {
        code = err_set(err, ERR_INVALID, "%zu routers are named: at most %d can be", list->len,
                       FLEET_MAX);
    }
    return code;
}

static void list_done(router_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        router_done(&list->ptr[i]);
    }
    vec_done(list);
}

/* A token that can stand in a header; the message never shows it. */
static int check_token(struct str token, const char *from, struct err *err)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] <= ' ' || token.ptr[i] == 0x7f) {
            return err_set(err, ERR_INVALID, "%s holds a token with a space or a control character",
                           from);
        }
    }
    if (token.len == 0) {
        return err_set(err, ERR_INVALID, "%s holds no token", from);
    }
    return 0;
}

static int read_token_file(const char *path, char **ret, struct err *err)
{
    char text[TOKEN_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        (void) err_errno(err, errno, "--token-file %s", path);
        return err->code = ERR_INVALID;
    }
    ssize_t n = read(fd, text, sizeof text);
    int reason = errno;
    (void) close(fd);
    if (n < 0) {
        (void) err_errno(err, reason, "--token-file %s", path);
        return err->code = ERR_INVALID;
    }
    if (n > TOKEN_MAX) {
        return err_set(err, ERR_INVALID, "--token-file %s is longer than %d bytes", path,
                       TOKEN_MAX);
    }
    struct str token = str_trim((struct str){text, (size_t) n});
    int code = check_token(token, "--token-file", err);
    if (code == 0) {
        *ret = mem_strdup_str(token);
    }
    return code;
}

static int read_token(struct cli *cli, struct err *err)
{
    const char *text = secure_getenv("POUROVER_TOKEN");
    if (cli->token_file != NULL) {
        return read_token_file(cli->token_file, &cli->bearer, err);
    }
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    int code = check_token(str_of(text), "POUROVER_TOKEN", err);
    if (code == 0) {
        cli->bearer = mem_strdup(text);
    }
    return code;
}

int routers_prepare(struct cli *cli, struct err *err)
{
    router_list list = {0};
    int code = collect(cli, &list, err);
    if (code == 0) {
        code = read_token(cli, err);
    }
    if (code != 0) {
        list_done(&list);
        return code;
    }
    struct io_loop *loop = io_loop_new();
    code = http_client_new(loop, &cli->http, err);
    if (code != 0) {
        io_loop_free(loop);
        list_done(&list);
        return code;
    }
    cli->loop = loop;
    fleet_init(&cli->fleet, cli->loop, cli->http, list.ptr, list.len);
    cli->fleet.bearer = cli->bearer;
    cli->fleet.call_ms = cli->timeout_ms < 5000 ? cli->timeout_ms : 5000;
    vec_done(&list);
    return 0;
}

int routers_open(struct cli *cli, struct err *err)
{
    int code = routers_prepare(cli, err);
    if (code == 0) {
        fleet_read_status(&cli->fleet);
        code = fleet_choose_service(&cli->fleet, cli->service, err);
    }
    return code;
}

void routers_close(struct cli *cli)
{
    if (cli->loop != NULL) {
        http_client_free(cli->http);
        fleet_done(&cli->fleet);
        io_loop_free(cli->loop);
        cli->http = NULL;
        cli->loop = NULL;
    }
    mem_free(cli->bearer);
    cli->bearer = NULL;
}

static void interrupt(void *ctx)
{
    struct cli *cli = ctx;
    atomic_store(&cli->interrupted, true);
}

void routers_catch_signals(struct cli *cli)
{
    io_signal_watch(cli->loop, SIGINT, interrupt, cli);
    io_signal_watch(cli->loop, SIGTERM, interrupt, cli);
    io_signal_watch(cli->loop, SIGHUP, interrupt, cli);
    cli->fleet.interrupted = &cli->interrupted;
}

uint64_t routers_deadline(const struct cli *cli)
{
    return clock_mono_ms() + cli->timeout_ms;
}

enum exit_code cli_fail(const struct cli *cli, const struct err *err)
{
    return cli_fail_as(cli, err, exit_of(err->code));
}

enum exit_code cli_fail_as(const struct cli *cli, const struct err *err, enum exit_code code)
{
    if (cli->json) {
        struct buf b;
        struct json_writer w;
        buf_init(&b, OUT_MAX);
        json_writer_init(&w, &b);
        json_obj_begin(&w);
        json_kv_cstr(&w, "error", err->msg);
        json_kv_u64(&w, "exit", code);
        json_obj_end(&w);
        buf_add_char(&b, '\n');
        out_write(buf_str(&b));
        buf_done(&b);
    } else {
        out_complain("%s", err->msg);
    }
    return code;
}

void json_kv_split(struct json_writer *w, const char *name, const struct router_split *split)
{
    json_key(w, name);
    json_obj_begin(w);
    json_kv_u64(w, "share_ppm", split->share_ppm);
    json_kv_cstr(w, "salt", split->salt);
    json_kv_bool(w, "enabled", split->enabled);
    json_kv_u64(w, "revision", split->revision);
    json_obj_end(w);
}

void json_kv_maintenance(struct json_writer *w, const struct router_maintenance *m)
{
    json_key(w, "maintenance");
    json_obj_begin(w);
    json_kv_bool(w, "on", m->on);
    json_kv_cstr(w, "by", m->by);
    json_kv_cstr(w, "message", m->message);
    json_kv_u64(w, "since_ms", m->since_ms);
    json_obj_end(w);
}
