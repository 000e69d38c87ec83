/* Trains: found, and told that they carry another version. */
#include "base/cleanup.h"
#include "base/json.h"
#include "controller/controller_int.h"

#include <string.h>

int controller_load_train(struct controller *c, struct err *err)
{
    const char *env = c->config->env == NULL ? "" : c->config->env;
    const struct journal_filter open = {
        .service = c->config->service, .environment = env, .kind = "train", .open = true};
    struct journal_releases list = {0};
    int rc = controller_import_newest(c, err);
    rc = rc < 0 ? rc : journal_select(c->options.journal, &open, 1, &list, err);
    if (rc == 0 && list.list.len == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "%s has no train on its way", c->config->service);
    }
    rc = rc < 0 ? rc : controller_load_found(c, &list.list.ptr[0], err);
    journal_releases_done(&list);
    return rc;
}

int controller_train_carries(struct controller *c, const char *version, struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    struct json_writer w;
    buf_init(&b, JOURNAL_FIELD_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "kind", "versions");
    json_kv_cstr(&w, "version", version);
    json_obj_end(&w);
    for (size_t h = 0; h < c->config->hosts; h++) {
        buf_print(c->header.old_version[h], sizeof c->header.old_version[h], "%s", version);
    }
    buf_print(c->header.version, sizeof c->header.version, "%s", version);
    return controller_write_line(c, -1, buf_str(&b), err);
}
