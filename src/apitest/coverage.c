#include "apitest/coverage.h"

#include "base/mem.h"

#define MISSING_SHOWN 20

static bool is_excluded(const struct apitest_suite *suite, const struct proto_method_desc *method)
{
    for (size_t i = 0; i < suite->excludes; i++) {
        struct str name = suite->exclude[i], rest = name, service;
        size_t slash = str_find_char(name, '/');
        if (slash == name.len) {
            if (str_eq(name, method->name)) {
                return true;
            }
            continue;
        }
        (void) str_cut(&rest, '/', &service);
        bool same =
            str_eq(service, method->service->full_name) || str_eq(service, method->service->name);
        if (same && str_eq(rest, method->name)) {
            return true;
        }
    }
    return false;
}

static struct apitest_method_coverage *coverage_of(struct apitest_run *run,
                                                   const struct proto_method_desc *method)
{
    for (size_t i = 0; i < run->methods; i++) {
        /* The same service may be in two pools. */
        if (str_eq(run->method[i].method->full_name, method->full_name)) {
            return &run->method[i];
        }
    }
    return NULL;
}

static void list_methods(struct apitest_run *run, const struct apitest_suite *suite)
{
    for (size_t t = 0; t < suite->tests; t++) {
        const struct proto_service_desc *service = suite->test[t]->service;
        for (size_t m = 0; service != NULL && m < service->methods; m++) {
            const struct proto_method_desc *method = &service->method[m];
            if (coverage_of(run, method) == NULL) {
                run->method = mem_realloc_array(run->method, run->methods + 1, sizeof *run->method);
                run->method[run->methods++] = (struct apitest_method_coverage){
                    .method = method, .excluded = is_excluded(suite, method)};
            }
        }
    }
}

void apitest_coverage_count(struct apitest_run *run)
{
    for (size_t i = 0; i < run->suites; i++) {
        list_methods(run, run->suite[i]);
    }
    for (size_t i = 0; i < run->results; i++) {
        const struct apitest_case_result *result = &run->result[i];
        bool called = result->outcome == APITEST_PASSED || result->outcome == APITEST_FAILED;
        if (called && result->c->method != NULL) {
            for (size_t a = 0; a < result->attempts; a++) {
                coverage_of(run, result->c->method)->calls += result->attempt[a].reached;
            }
        }
    }
    for (size_t i = 0; i < run->methods; i++) {
        run->coverable += !run->method[i].excluded;
        run->covered += !run->method[i].excluded && run->method[i].calls > 0;
    }
}

static bool is_called_by(const struct apitest_run *run, const struct apitest_suite *suite,
                         const struct proto_method_desc *method)
{
    for (size_t i = 0; i < run->results; i++) {
        const struct apitest_case_result *result = &run->result[i];
        const struct apitest_case *c = result->c;
        bool ran = result->outcome == APITEST_PASSED || result->outcome == APITEST_FAILED;
        if (!ran || c->method == NULL || c->test->suite != suite ||
            !str_eq(c->method->full_name, method->full_name)) {
            continue;
        }
        for (size_t a = 0; a < result->attempts; a++) {
            if (result->attempt[a].reached) {
                return true;
            }
        }
    }
    return false;
}

/* Whether a test before this one has the same service. */
static bool is_listed(const struct apitest_suite *suite, size_t test)
{
    for (size_t t = 0; t < test; t++) {
        const struct proto_service_desc *service = suite->test[t]->service;
        if (service != NULL && str_eq(service->full_name, suite->test[test]->service->full_name)) {
            return true;
        }
    }
    return false;
}

void apitest_coverage_of_file(const struct apitest_run *run, const struct apitest_suite *suite,
                              size_t *ret_called, size_t *ret_all, struct buf *missing)
{
    size_t called = 0, all = 0;
    for (size_t t = 0; t < suite->tests; t++) {
        const struct proto_service_desc *service = suite->test[t]->service;
        for (size_t m = 0; service != NULL && !is_listed(suite, t) && m < service->methods; m++) {
            const struct proto_method_desc *method = &service->method[m];
            if (is_excluded(suite, method)) {
                continue;
            }
            all++;
            if (is_called_by(run, suite, method)) {
                called++;
            } else if (all - called <= MISSING_SHOWN) {
                buf_addf(missing, "  not called: %s\n", method->path + 1);
            }
        }
    }
    *ret_called = called;
    *ret_all = all;
}
