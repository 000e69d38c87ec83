/* Results of orders; see results.h. */
#include "cli/results.h"

#include "base/mem.h"
#include "cli/change.h"

enum exit_code result_exit(const struct fleet_result *r)
{
    if (r->outcome == FLEET_UNTOUCHED || r->why.code == ERR_CANCELLED) {
        return EXIT_INTERRUPTED;
    }
    if (r->outcome == FLEET_REFUSED || r->unsaved.code != 0) {
        return EXIT_FAILED;
    }
    if (r->outcome == FLEET_PROVED) {
        return EXIT_DONE;
    }
    return r->why.code == ERR_TIMEOUT       ? EXIT_DEADLINE
           : r->why.code == ERR_UNREACHABLE ? EXIT_UNREACHABLE
                                            : EXIT_FAILED;
}

static size_t rank(enum exit_code code)
{
    static const enum exit_code order[] = {EXIT_DONE, EXIT_DEADLINE, EXIT_UNREACHABLE, EXIT_FAILED,
                                           EXIT_INTERRUPTED};
    size_t i = 0;
    while (i < sizeof order / sizeof order[0] && order[i] != code) {
        i++;
    }
    return i;
}

bool result_worse(enum exit_code a, enum exit_code b)
{
    return rank(a) > rank(b);
}

void result_text(const struct fleet_result *r, const char *done, struct buf *b)
{
    if (r->outcome == FLEET_PROVED) {
        buf_add_cstr(b, done);
    } else {
        buf_addf(b, "%s%s%s", change_outcome[r->outcome], r->why.code != 0 ? ": " : "",
                 r->why.code != 0 ? r->why.msg : "");
    }
    if (r->unsaved.code != 0 && r->outcome != FLEET_REFUSED) {
        buf_addf(b, ", but not saved: %s", r->unsaved.msg);
    }
}

void result_json(const struct fleet_result *r, struct json_writer *w)
{
    const struct err *why = r->why.code != 0 ? &r->why : &r->unsaved;
    json_kv_cstr(w, "result", change_outcome[r->outcome]);
    json_kv_bool(w, "saved", r->unsaved.code == 0);
    json_kv_cstr(w, "error", why->code != 0 ? why->msg : NULL);
}

struct fleet_result *results_new(const struct fleet *fleet, bool changes)
{
    struct fleet_result *result = mem_array(fleet->len, sizeof *result);
    for (size_t i = 0; i < fleet->len; i++) {
        const struct err *seen = &fleet->router[i].err;
        result[i].why = *seen;
        result[i].outcome = seen->code != 0 ? FLEET_NOT_PROVED
                            : changes       ? FLEET_UNTOUCHED
                                            : FLEET_PROVED;
    }
    return result;
}

enum exit_code results_judge(const struct fleet *fleet, const struct fleet_result *result,
                             struct err *err)
{
    enum exit_code worst = EXIT_DONE;
    for (size_t i = 0; i < fleet->len; i++) {
        enum exit_code code = result_exit(&result[i]);
        if (result_worse(code, worst)) {
            worst = code;
            *err = result[i].why.code != 0 ? result[i].why : result[i].unsaved;
            (void) err_wrap(err, "router %s", fleet->router[i].at.name);
        }
    }
    if (worst == EXIT_INTERRUPTED) {
        (void) err_set(err, ERR_CANCELLED, "interrupted; what was changed stays as it is");
    }
    return worst;
}
