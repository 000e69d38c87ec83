/* Random bytes of the kernel: see rand.h. */
#include "base/rand.h"

#include "base/err.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

int rand_bytes(void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return ERR_IO;
        }
        p += n;
        len -= (size_t) n;
    }
    return 0;
}
