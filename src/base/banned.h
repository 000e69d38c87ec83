#pragma once
/*
 * Functions that are not for src/: using one stops the compiler with a name that says what to take
 * instead.  Force-included by the build before each file, so the headers that declare them come
 * first.
 */
#include <alloca.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#undef alloca
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok

/* Unbounded, or easy to get wrong. */
#define strcpy(...)   banned_strcpy_use_buf_add
#define strcat(...)   banned_strcat_use_buf_add
#define strncpy(...)  banned_strncpy_use_buf_add
#define strncat(...)  banned_strncat_use_buf_add
#define sprintf(...)  banned_sprintf_use_buf_addf
#define vsprintf(...) banned_vsprintf_use_buf_addf
#define gets(...)     banned_gets
#define alloca(...)   banned_alloca_use_an_arena

/* Hidden state, or not safe with threads of libraries. */
#define strtok(...)    banned_strtok_use_str_cut
#define localtime(...) banned_localtime_use_clock_format_utc_ms
#define gmtime(...)    banned_gmtime_use_clock_format_utc_ms
#define ctime(...)     banned_ctime_use_clock_format_utc_ms
#define signal(...)    banned_signal_use_sigaction
#define rand(...)      banned_rand_use_rand_bytes

/* Take bad input without a word. */
#define atoi(...)     banned_atoi_use_num_u64
#define atol(...)     banned_atol_use_num_u64
#define strtol(...)   banned_strtol_use_num_i64
#define strtoul(...)  banned_strtoul_use_num_u64
#define strtoll(...)  banned_strtoll_use_num_i64
#define strtoull(...) banned_strtoull_use_num_u64

/* A shell in between, or a wait that nobody can cancel. */
#define system(...) banned_system_use_a_child_process
#define popen(...)  banned_popen_use_a_child_process
#define sleep(...)  banned_sleep_use_a_timer
