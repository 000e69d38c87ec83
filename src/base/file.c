#include "base/file.h"

#include <errno.h>
#include <unistd.h>

int file_read_all(int fd, struct buf *b)
{
    char chunk[16384];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        buf_add(b, chunk, n < 0 ? 0 : (size_t) n);
        if (b->failed) {
            return EFBIG;
        }
    }
    return 0;
}
