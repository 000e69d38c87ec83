/* The order of services of one run, and circles in what they need. */
#include "release/needs.h"
#include "support/t.h"

#define NEED_MAX 8

/* "shop<api,db api db<api": services in the order given, with what they need. */
struct given {
    char text[256];
    struct needs_service service[NEEDS_MAX];
    const char *need[NEEDS_MAX][NEED_MAX];
    struct pos pos[NEEDS_MAX][NEED_MAX];
    size_t n;
};

static void give(struct given *g, const char *text)
{
    memset(g, 0, sizeof *g);
    (void) snprintf(g->text, sizeof g->text, "%s", text);
    for (char *save, *word = strtok_r(g->text, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        struct needs_service *s = &g->service[g->n];
        char *list = strchr(word, '<'), *more;
        if (list != NULL) {
            *list++ = '\0';
        }
        s->name = s->file = word;
        s->need = g->need[g->n];
        s->pos = g->pos[g->n];
        for (char *each = list == NULL ? NULL : strtok_r(list, ",", &more); each != NULL;
             each = strtok_r(NULL, ",", &more)) {
            g->need[g->n][s->needs++] = each;
        }
        g->n++;
    }
}

static void each_comes_behind_what_it_needs_else_as_given(void **state)
{
    (void) state;
    static const struct {
        const char *given, *order;
    } rows[] = {
        {"a", "a"},
        {"a b c", "a b c"},
        {"c b a", "c b a"},
        {"shop<api api", "api shop"},
        {"api shop<api", "api shop"},
        {"a<b b<c c", "c b a"},
        {"a<c b c", "b c a"}, /* b was free before c was */
        {"z shop<api,db api db<api", "z api db shop"},
        {"shop<elsewhere,api api", "api shop"}, /* who is not given is not waited for */
        {"top<l,r l<base r<base base", "base l r top"},
        {"top<r,l l<base r<base base", "base l r top"}, /* not the order of the list of needs */
        {"a<b,b b", "b a"},
    };
    T_TABLE(row, rows)
    {
        struct given g;
        size_t order[NEEDS_MAX], len = 0;
        struct needs_circle circle;
        struct err err = {0};
        char got[256] = "";
        give(&g, row->given);
        t_check(needs_order(g.service, g.n, order, &circle, &err) == 0, "%s: %s", row->given,
                err.msg);
        for (size_t i = 0; i < g.n; i++) {
            len += (size_t) snprintf(got + len, sizeof got - len, "%s%s", i > 0 ? " " : "",
                                     g.service[order[i]].name);
        }
        t_check(strcmp(got, row->order) == 0, "%s: %s", row->given, got);
        assert_int_equal(circle.len, 0);
    }
}

static void circles_are_told_as_a_chain(void **state)
{
    (void) state;
    static const struct {
        const char *given, *says;
        size_t len;
    } rows[] = {
        {"a<b b<a", "a needs b needs a", 2},
        {"x a<b b<c c<a", "a needs b needs c needs a", 3},
        {"in<a a<b b<a", "a needs b needs a", 2}, /* who only waits for it is not of it */
        {"a<x,b x b<x,a", "a needs b needs a", 2},
        {"a<a", "a needs a", 1},
    };
    T_TABLE(row, rows)
    {
        struct given g;
        size_t order[NEEDS_MAX];
        struct needs_circle circle;
        struct err err = {0};
        char want[256];
        give(&g, row->given);
        (void) snprintf(want, sizeof want, "%s: no order can hold that", row->says);
        assert_err(needs_order(g.service, g.n, order, &circle, &err), &err, ERR_INVALID, want);
        assert_int_equal(circle.len, row->len);
    }
}

static void a_service_is_there_once(void **state)
{
    (void) state;
    struct given g;
    size_t order[NEEDS_MAX];
    struct needs_circle circle;
    struct err err = {0};
    give(&g, "shop api shop");
    g.service[0].file = "a.yaml";
    g.service[2].file = "c.yaml";
    assert_err(needs_order(g.service, g.n, order, &circle, &err), &err, ERR_INVALID,
               "a.yaml and c.yaml are both of service \"shop\": a run has each service once");
    assert_int_equal(circle.len, 0);
    assert_err(needs_order(g.service, NEEDS_MAX + 1, order, &circle, &err), &err, ERR_INVALID,
               "33 services in one run; there may be 32");
}

/* Random graphs */

struct graph {
    bool needs[NEEDS_MAX][NEEDS_MAX];
    size_t n;
    char name[NEEDS_MAX][24];
    const char *need[NEEDS_MAX][NEEDS_MAX + 1];
    struct needs_service service[NEEDS_MAX];
};

static void draw(struct graph *g, struct t_random *random, unsigned permille)
{
    memset(g, 0, sizeof *g);
    g->n = 1 + (size_t) t_random_below(random, NEEDS_MAX);
    for (size_t i = 0; i < g->n; i++) {
        (void) snprintf(g->name[i], sizeof g->name[i], "s%zu", i);
        g->service[i] =
            (struct needs_service){.name = g->name[i], .file = g->name[i], .need = g->need[i]};
    }
    for (size_t i = 0; i < g->n; i++) {
        struct needs_service *s = &g->service[i];
        if (t_random_below(random, 4) == 0) {
            g->need[i][s->needs++] = "elsewhere";
        }
        for (size_t k = 0; k < g->n; k++) {
            g->needs[i][k] = i != k && t_random_below(random, 1000) < permille;
            if (g->needs[i][k]) {
                g->need[i][s->needs++] = g->name[k];
            }
        }
    }
}

/* By the closure: somebody needs itself in the end. */
static bool has_circle(const struct graph *g)
{
    bool reach[NEEDS_MAX][NEEDS_MAX];
    memcpy(reach, g->needs, sizeof reach);
    for (size_t via = 0; via < g->n; via++) {
        for (size_t i = 0; i < g->n; i++) {
            for (size_t k = 0; k < g->n; k++) {
                reach[i][k] = reach[i][k] || (reach[i][via] && reach[via][k]);
            }
        }
    }
    for (size_t i = 0; i < g->n; i++) {
        if (reach[i][i]) {
            return true;
        }
    }
    return false;
}

/* Each at its place was the first given of all whose needs were out. */
static void check_order(const struct graph *g, const size_t *order)
{
    bool out[NEEDS_MAX] = {false};
    for (size_t at = 0; at < g->n; at++) {
        size_t first = g->n;
        for (size_t i = g->n; i-- > 0;) {
            bool free = !out[i];
            for (size_t k = 0; k < g->n; k++) {
                free = free && (!g->needs[i][k] || out[k]);
            }
            first = free ? i : first;
        }
        assert_int_equal(order[at], first);
        out[first] = true;
    }
}

static void check_circle(const struct graph *g, const struct needs_circle *circle)
{
    bool seen[NEEDS_MAX] = {false};
    for (size_t i = 0; i < circle->len; i++) {
        size_t from = circle->service[i], to = circle->service[(i + 1) % circle->len];
        assert_false(seen[from]);
        seen[from] = true;
        assert_true(g->needs[from][to]);
        assert_string_equal(g->service[from].need[circle->need[i]], g->name[to]);
    }
}

static void random_graphs_have_an_order_or_a_circle(void **state)
{
    (void) state;
    static const unsigned permille[] = {5, 20, 50, 200};
    struct t_random random = t_random_init();
    size_t ordered = 0, circles = 0;
    for (size_t round = 0; round < 2000; round++) {
        struct graph g;
        struct needs_circle circle;
        struct err err = {0};
        size_t order[NEEDS_MAX];
        draw(&g, &random, permille[round % T_LEN(permille)]);
        int rc = needs_order(g.service, g.n, order, &circle, &err);
        assert_int_equal(rc, has_circle(&g) ? ERR_INVALID : 0);
        if (rc == 0) {
            ordered++;
            assert_int_equal(circle.len, 0);
            check_order(&g, order);
        } else {
            circles++;
            assert_true(circle.len >= 2);
            check_circle(&g, &circle);
        }
    }
    assert_true(ordered > 100 && circles > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comes_behind_what_it_needs_else_as_given),
        cmocka_unit_test(circles_are_told_as_a_chain),
        cmocka_unit_test(a_service_is_there_once),
        cmocka_unit_test(random_graphs_have_an_order_or_a_circle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
