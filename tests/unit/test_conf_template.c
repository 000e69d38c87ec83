/* Texts with variables: their parts, their errors, and what becomes of them. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "conf/template.h"
#include "support/t.h"

/* The parts as text: a letter for the kind, the offset, the text, a bar. */
static void add_parts(struct buf *b, const struct conf_template *tpl)
{
    static const char kind[] = {'t', 'v', 'e', 's'};
    for (size_t i = 0; i < tpl->len; i++) {
        buf_addf(b, "%s%c%zu:" STR_FMT, i == 0 ? "" : "|", kind[tpl->part[i].kind],
                 tpl->part[i].offset, STR_ARG(tpl->part[i].text));
    }
}

static void test_parts(void **state)
{
    (void) state;
    static const struct {
        const char *source, *parts;
        bool constant, whole;
    } rows[] = {
        {"", "t0:", true, false},
        {"text", "t0:text", true, false},
        {"${sku}", "v0:sku", false, true},
        {"Bearer ${secret.TOKEN}", "t0:Bearer |s7:TOKEN", false, false},
        {"${sku}-${env.REGION}", "v0:sku|t6:-|e7:REGION", false, false},
        {"${a}${b}", "v0:a|v4:b", false, false},
        {"$", "t0:$", true, false},
        {"$5 and $x$", "t0:$5 and $x$", true, false},
        {"$$", "t0:$$", true, false},
        {"$${", "t1:${", true, false},
        {"$${literal}", "t1:${literal}", true, false},
        {"a$${b$${c", "t0:a${b${c", true, false},
        {"$$${x}", "t0:$${x}", true, false},
        {"x$${y}${z}", "t0:x|t2:${y}|v6:z", false, false},
        {"${a}$", "v0:a|t4:$", false, false},
        {"{${a}}", "t0:{|v1:a|t5:}", false, false},
        {"${a.b-c_9}", "v0:a.b-c_9", false, true},
        {"${_}", "v0:_", false, true},
        {"${env.a.b}", "e0:a.b", false, true},
        {"${secret.env.X}", "s0:env.X", false, true},
        {"${environment}${secrets}${env}${ENV.x}", "v0:environment|v14:secrets|v24:env|v30:ENV.x",
         false, false},
        {"\xe6\x97\xa5${a}\xff", "t0:\xe6\x97\xa5|v3:a|t7:\xff", false, false},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(arena_done) struct arena arena;
        _cleanup_(buf_done) struct buf b;
        struct conf_template tpl;
        struct err err = {.code = ERR_NONE};
        arena_init(&arena, 4096);
        buf_init(&b, 4096);
        int rc = conf_template_parse(str_of(row->source), &arena, &tpl, &err);
        t_check(rc == 0, "\"%s\": %s", row->source, err.msg);
        add_parts(&b, &tpl);
        assert_string_equal(b.ptr, row->parts);
        assert_int_equal(tpl.constant, row->constant);
        assert_int_equal(tpl.whole, row->whole);
    }
}

static void test_errors_name_the_variable(void **state)
{
    (void) state;
    static const char open[] =
        ": no \"}\" closes the variable; write \"$${\" for the two characters \"${\"";
    static const char name[] =
        " is no variable: a name has letters, digits, \"_\", \".\" and \"-\" and begins with a "
        "letter or \"_\"; write \"$${\" for the two characters \"${\"";
    static const struct {
        const char *source, *seen, *rest;
    } rows[] = {
        {"a ${sku", "\"${sku\"", open},
        {"${", "\"${\"", open},
        {"${a${b}", "\"${a${b}\"", name},
        {"${}", "\"${}\" has no name: write ${NAME}, or \"$${\" for the two characters \"${\"", ""},
        {"x ${a b} y", "\"${a b}\"", name},
        {"${1}", "\"${1}\"", name},
        {"${ a}", "\"${ a}\"", name},
        {"${-a}", "\"${-a}\"", name},
        {"${\xc3\xa9}", "\"${\xc3\xa9}\"", name},
        {"${a\n}", "\"${a...\"", name},
        {"${env.}", "\"${env.}\" has no name behind the \".\"", ""},
        {"${secret.}", "\"${secret.}\" has no name behind the \".\"", ""},
        {"${a}${b", "\"${b\"", open},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(arena_done) struct arena arena;
        struct conf_template tpl = {.len = 77};
        struct err err;
        char message[400];
        arena_init(&arena, 4096);
        (void) snprintf(message, sizeof message, "%s%s", row->seen, row->rest);
        int rc = conf_template_parse(str_of(row->source), &arena, &tpl, &err);
        assert_err(rc, &err, ERR_INVALID, message);
        assert_int_equal(tpl.len, 77);
    }
}

/* Gives NAME in brackets, with a letter for its kind; "none" is not there. */
static int lookup(const struct conf_part *part, struct str *ret, struct err *err, void *ctx)
{
    struct buf *values = ctx;
    if (str_eq_cstr(part->text, "none")) {
        return err_set(err, ERR_NOT_FOUND, "no variable \"none\"");
    }
    buf_clear(values);
    buf_addf(values, "<%d " STR_FMT ">", (int) part->kind, STR_ARG(part->text));
    *ret = buf_str(values);
    return 0;
}

static void test_values_take_the_places_of_variables(void **state)
{
    (void) state;
    static const struct {
        const char *source, *text;
    } rows[] = {
        {"", ""},
        {"a $${b} $5", "a ${b} $5"},
        {"${x}/${env.X}/${secret.X}", "<1 x>/<2 X>/<3 X>"},
        {"$${x}${x}$", "${x}<1 x>$"},
    };
    _cleanup_(buf_done) struct buf values, b;
    buf_init(&values, 100);
    buf_init(&b, 100);
    _cleanup_(arena_done) struct arena arena;
    arena_init(&arena, 1 << 20);
    struct conf_template tpl;
    struct err err = {.code = ERR_NONE};
    T_TABLE(row, rows)
    {
        buf_clear(&b);
        assert_int_equal(conf_template_parse(str_of(row->source), &arena, &tpl, &err), 0);
        assert_int_equal(conf_template_expand(&tpl, lookup, &values, &b, &err), 0);
        assert_str(buf_str(&b), row->text);
    }
    assert_int_equal(conf_template_parse(STR("${a} ${none}"), &arena, &tpl, &err), 0);
    assert_err(conf_template_expand(&tpl, lookup, &values, &b, &err), &err, ERR_NOT_FOUND,
               "no variable \"none\"");
    char mem[8];
    struct buf small;
    buf_init_fixed(&small, mem, sizeof mem);
    assert_err(conf_template_expand(&tpl, lookup, &values, &small, &err), &err, ERR_NOT_FOUND,
               "no variable \"none\"");
    assert_int_equal(conf_template_parse(STR("${a} ${b}"), &arena, &tpl, &err), 0);
    assert_err(conf_template_expand(&tpl, lookup, &values, &small, &err), &err, ERR_FULL,
               "a text with its variables is longer than 7 bytes");
}

static void test_parts_and_memory_are_bounded(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf source;
    buf_init(&source, 1 << 20);
    for (int i = 0; i < CONF_PARTS_MAX; i++) {
        buf_add_cstr(&source, "${a}");
    }
    _cleanup_(arena_done) struct arena arena;
    arena_init(&arena, 400000); /* parts have 32 bytes */
    struct conf_template tpl;
    struct err err;
    assert_int_equal(conf_template_parse(buf_str(&source), &arena, &tpl, &err), 0);
    assert_int_equal(tpl.len, CONF_PARTS_MAX);
    assert_err(conf_template_parse(buf_str(&source), &arena, &tpl, &err), &err, ERR_FULL,
               "the texts need too much memory");
    buf_add_char(&source, 'x');
    assert_err(conf_template_parse(buf_str(&source), &arena, &tpl, &err), &err, ERR_FULL,
               "a text has more than 10000 pieces and variables");
    for (int i = 0; i < 10 * CONF_PARTS_MAX; i++) {
        buf_add_cstr(&source, "$${");
    }
    assert_err(conf_template_parse(buf_str(&source), &arena, &tpl, &err), &err, ERR_FULL,
               "a text has more than 10000 pieces and variables");
}

/* Any text can be written: with `$${` for `${` it stays itself. */
static void test_escaped_texts_stay_themselves(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int round = 0; round < 2000; round++) {
        static const char alphabet[] = "$${{}ab.";
        char text[24];
        size_t len = t_random_below(&random, sizeof text);
        _cleanup_(buf_done) struct buf source, b;
        _cleanup_(arena_done) struct arena arena;
        arena_init(&arena, 4096);
        buf_init(&source, 100);
        buf_init(&b, 100);
        for (size_t i = 0; i < len; i++) {
            text[i] = alphabet[t_random_below(&random, sizeof alphabet - 1)];
        }
        for (size_t i = 0; i < len; i++) {
            bool opens = text[i] == '$' && i + 1 < len && text[i + 1] == '{';
            buf_add_cstr(&source, opens ? "$" : "");
            buf_add_char(&source, text[i]);
        }
        struct conf_template tpl;
        struct err err = {.code = ERR_NONE};
        int rc = conf_template_parse(buf_str(&source), &arena, &tpl, &err);
        t_check(rc == 0 && tpl.constant, "\"" STR_FMT "\": %s", STR_ARG(buf_str(&source)), err.msg);
        struct str wanted = {text, len};
        t_check(str_eq(tpl.part[0].text, wanted), "\"" STR_FMT "\" is not \"" STR_FMT "\"",
                STR_ARG(tpl.part[0].text), STR_ARG(wanted));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_errors_name_the_variable),
        cmocka_unit_test(test_values_take_the_places_of_variables),
        cmocka_unit_test(test_parts_and_memory_are_bounded),
        cmocka_unit_test(test_escaped_texts_stay_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
