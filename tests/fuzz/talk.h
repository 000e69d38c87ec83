#pragma once
/* A dialogue is given the same answer in different pieces; it has to come to the same verdict. */
#include "support/talk.h"

/* seed chooses the pieces; its lowest bit says whether the peer closes behind the answer. */
static inline void fuzz_talk(const struct check_plan *plan, uint8_t seed, const uint8_t *data,
                             size_t size)
{
    struct t_answer answer = {{(const char *) data, size}, (seed & 1) != 0};
    const struct check_verdict whole = t_talk(plan, answer, size, 1);
    const struct {
        size_t first, step;
    } cuts[] = {{1, 1}, {seed, size + 1}, {seed % 16u, seed / 16u + 1}};

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct check_verdict other = t_talk(plan, answer, cuts[i].first, cuts[i].step);
        if (other.code != whole.code || strcmp(other.text, whole.text) != 0) {
            abort();
        }
    }
    if (whole.code < 0 || whole.code >= CHECK_CODES ||
        (answer.closed && whole.code == CHECK_NONE) ||
        memchr(whole.text, '\0', CHECK_TEXT_MAX) == NULL) {
        abort();
    }
    for (const char *c = whole.text; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            abort();
        }
    }
}
