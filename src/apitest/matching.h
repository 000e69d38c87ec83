#pragma once
/* Maximum matching in a bipartite graph (Hopcroft and Karp 1973). */
#include <stddef.h>
#include <stdint.h>

#define APITEST_MATCHING_EDGES_MAX ((size_t) 4 * 1024 * 1024)
#define APITEST_UNMATCHED          SIZE_MAX

/*
 * edge: edge[l * n_right + r] is not 0 when l and r may be together; n_left * n_right of them, at
 * most APITEST_MATCHING_EDGES_MAX.  ret_of_left: n_left places, gets r or APITEST_UNMATCHED;
 * ret_of_right: n_right places, the same in the other direction.  Returns how many pairs there are:
 * no other assignment has more.  O(edges * sqrt(nodes)); no recursion.
 */
size_t apitest_matching(const uint8_t *edge, size_t n_left, size_t n_right, size_t *ret_of_left,
                        size_t *ret_of_right);
