/* Heap memory, vectors, cleanup, and the two ways in which a program ends itself. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/vec.h"
#include "support/t.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a function in a child that must die by SIGABRT; the first bytes of its stderr go to out. */
static void assert_aborts(void (*function)(void), char *out, size_t size)
{
    int fds[2], status;
    size_t len = 0;
    ssize_t n;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void) dup2(fds[1], STDERR_FILENO);
        struct sigaction action = {.sa_handler = SIG_DFL};
        (void) sigaction(SIGABRT, &action, NULL);
        function();
        _exit(0);
    }
    (void) close(fds[1]);
    while (len < size - 1 && (n = read(fds[0], out + len, size - 1 - len)) > 0) {
        len += (size_t) n;
    }
    out[len] = '\0';
    (void) close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void break_an_invariant(void)
{
    BUG("state %d", 7);
}

static void ask_for_too_many(void)
{
    mem_free(mem_array(SIZE_MAX / 2, 3));
}

static void grow_to_too_many(void)
{
    mem_free(mem_realloc_array(NULL, SIZE_MAX / 2, 3));
}

static void test_bug_tells_the_place_and_aborts(void **state)
{
    (void) state;
    char out[200];
    assert_aborts(break_an_invariant, out, sizeof out);
    assert_non_null(strstr(out, "test_mem.c:"));
    assert_true(str_ends_with(str_of(out), STR(": bug: state 7\n")));
}

static void test_an_overflow_of_a_size_aborts(void **state)
{
    (void) state;
    char out[200];
    assert_aborts(ask_for_too_many, out, sizeof out);
    assert_true(str_starts_with(str_of(out), STR("out of memory")));
    assert_aborts(grow_to_too_many, out, sizeof out);
    assert_true(str_starts_with(str_of(out), STR("out of memory")));
}

static void test_memory_is_zeroed_where_promised(void **state)
{
    (void) state;
    static const char zero[64];
    _cleanup_(mem_freep) char *a = mem_zalloc(64);
    _cleanup_(mem_freep) char *b = mem_array(8, 8);
    assert_memory_equal(a, zero, 64);
    assert_memory_equal(b, zero, 64);
    mem_free(mem_alloc(0));
    mem_free(mem_zalloc(0));
    mem_free(mem_realloc(mem_alloc(1), 0));
    mem_free(NULL);
}

static void test_copies_of_strings(void **state)
{
    (void) state;
    _cleanup_(mem_freep) char *a = mem_strdup("shop");
    _cleanup_(mem_freep) char *b = mem_strdup_str((struct str){"a\0bc", 3});
    _cleanup_(mem_freep) char *c = mem_strdup_str((struct str){NULL, 0});
    assert_string_equal(a, "shop");
    assert_memory_equal(b, "a\0b", 4);
    assert_string_equal(c, "");
}

static void test_freep_clears_the_pointer(void **state)
{
    (void) state;
    char *text = mem_strdup("x");
    mem_freep(&text);
    assert_null(text);
    mem_freep(&text);
}

static void test_vector_keeps_what_is_pushed(void **state)
{
    (void) state;
    struct item {
        size_t number;
        char tag;
    };
    VEC(struct item) v = {0};
    for (size_t i = 0; i < 1000; i++) {
        vec_push(&v, ((struct item){i, 'x'}));
    }
    assert_int_equal(v.len, 1000);
    assert_true(v.cap >= v.len);
    for (size_t i = 0; i < v.len; i++) {
        assert_int_equal(v.ptr[i].number, i);
    }
    vec_done(&v);
    assert_null(v.ptr);
    assert_int_equal(v.len, 0);
    vec_push(&v, ((struct item){1, 'y'})); /* as new */
    assert_int_equal(v.ptr[0].tag, 'y');
    vec_done(&v);
    vec_done(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bug_tells_the_place_and_aborts),
        cmocka_unit_test(test_an_overflow_of_a_size_aborts),
        cmocka_unit_test(test_memory_is_zeroed_where_promised),
        cmocka_unit_test(test_copies_of_strings),
        cmocka_unit_test(test_freep_clears_the_pointer),
        cmocka_unit_test(test_vector_keeps_what_is_pushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
