#pragma once
/*
 * Calls f(&variable) when a local goes out of scope:
 *     _cleanup_(buf_done) struct buf b; buf_init(&b, 4096);
 *     _cleanup_(mem_freep) char *text = mem_strdup("x");
 * The variable must be initialized (zeroed will do) before any return.  Not for ngx/.
 */
#define _cleanup_(f) __attribute__((cleanup(f)))
