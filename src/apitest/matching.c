/*
 * Maximum bipartite matching: see matching.h.
 *
 * Each round finds by breadth-first search how far every left node is from a free right one, along
 * alternating paths, and then takes as many shortest augmenting paths that share no node as a
 * depth-first search finds.  There are at most about 2 * sqrt(nodes) rounds.
 */
#include "apitest/matching.h"

#include "base/mem.h"

#include <stdbool.h>

struct work {
    const uint8_t *edge;
    size_t n_left, n_right;
    size_t *of_left, *of_right;
    size_t *distance; /* of left nodes; SIZE_MAX: not reached */
    size_t *queue;    /* of the breadth-first search; the stack of the depth-first one */
    size_t *next;     /* of left nodes: the right node to try next */
};

/* Whether there is an augmenting path. */
static bool measure(struct work *w)
{
    size_t head = 0, tail = 0;
    bool found = false;
    for (size_t l = 0; l < w->n_left; l++) {
        bool is_free = w->of_left[l] == APITEST_UNMATCHED;
        w->distance[l] = is_free ? 0 : SIZE_MAX;
        if (is_free) {
            w->queue[tail++] = l;
        }
    }
    while (head < tail) {
        size_t l = w->queue[head++];
        for (size_t r = 0; r < w->n_right; r++) {
            if (w->edge[l * w->n_right + r] == 0) {
                continue;
            }
            size_t other = w->of_right[r];
            if (other == APITEST_UNMATCHED) {
                found = true;
            } else if (w->distance[other] == SIZE_MAX) {
                w->distance[other] = w->distance[l] + 1;
                w->queue[tail++] = other;
            }
        }
    }
    return found;
}

/* Flips the path on the stack: each left node of it takes the right node that it tried last. */
static void flip(struct work *w, size_t depth)
{
    for (size_t i = depth; i-- > 0;) {
        size_t l = w->queue[i], r = w->next[l] - 1;
        w->of_left[l] = r;
        w->of_right[r] = l;
    }
}

/* Depth-first from one free left node, along nodes of rising distance. */
static bool augment(struct work *w, size_t from)
{
    size_t depth = 0;
    w->queue[depth++] = from;
    while (depth > 0) {
        size_t l = w->queue[depth - 1];
        bool down = false;
        while (!down && w->next[l] < w->n_right) {
            size_t r = w->next[l]++;
            if (w->edge[l * w->n_right + r] == 0) {
                continue;
            }
            size_t other = w->of_right[r];
            if (other == APITEST_UNMATCHED) {
                flip(w, depth);
                return true;
            }
            if (w->distance[other] == w->distance[l] + 1 && w->next[other] < w->n_right) {
                w->queue[depth++] = other;
                down = true;
            }
        }
        depth -= down ? 0 : 1;
    }
    return false;
}

size_t apitest_matching(const uint8_t *edge, size_t n_left, size_t n_right, size_t *ret_of_left,
                        size_t *ret_of_right)
{
    struct work w = {.edge = edge,
                     .n_left = n_left,
                     .n_right = n_right,
                     .of_left = ret_of_left,
                     .of_right = ret_of_right};
    size_t pairs = 0;
    for (size_t l = 0; l < n_left; l++) {
        ret_of_left[l] = APITEST_UNMATCHED;
    }
    for (size_t r = 0; r < n_right; r++) {
        ret_of_right[r] = APITEST_UNMATCHED;
    }
    if (n_left == 0 || n_right == 0) {
        return 0;
    }
    w.distance = mem_array(n_left, sizeof *w.distance);
    w.queue = mem_array(n_left, sizeof *w.queue);
    w.next = mem_array(n_left, sizeof *w.next);
    while (measure(&w)) {
        for (size_t l = 0; l < n_left; l++) {
            w.next[l] = 0;
        }
        for (size_t l = 0; l < n_left; l++) {
            pairs += ret_of_left[l] == APITEST_UNMATCHED && augment(&w, l) ? 1 : 0;
        }
    }
    mem_free(w.distance);
    mem_free(w.queue);
    mem_free(w.next);
    return pairs;
}
