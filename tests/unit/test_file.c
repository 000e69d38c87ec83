/* Whole files into memory. */
#include "base/file.h"
#include "support/t.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A pipe that has text in it and is closed behind it. */
static int pipe_with(const char *text)
{
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(write(fd[1], text, strlen(text)), strlen(text));
    (void) close(fd[1]);
    return fd[0];
}

static void test_all_is_appended(void **state)
{
    (void) state;
    struct buf b;
    int fd = pipe_with("and more");
    buf_init(&b, 100);
    buf_add_cstr(&b, "some ");
    assert_int_equal(file_read_all(fd, &b), 0);
    assert_str(buf_str(&b), "some and more");
    (void) close(fd);
    buf_done(&b);
}

static void test_what_is_too_much_or_no_file_is_told(void **state)
{
    (void) state;
    struct buf b;
    int endless = open("/dev/zero", O_RDONLY), folder = open("/", O_RDONLY);
    buf_init(&b, 100000);
    assert_int_equal(file_read_all(folder, &b), EISDIR);
    assert_false(b.failed);
    assert_int_equal(file_read_all(endless, &b), EFBIG);
    assert_true(b.failed);
    (void) close(endless);
    (void) close(folder);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_appended),
        cmocka_unit_test(test_what_is_too_much_or_no_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
