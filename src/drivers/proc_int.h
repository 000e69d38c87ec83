#pragma once
/*
 * Processes as the kernel shows them in /proc.  A pid alone names nobody, as it is used again; a
 * pid with its start time does, until the machine is started again: hence the boot id.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
    pid_t pid;
    uint64_t start; /* ticks since the machine was started */
};

struct proc_stat {
    pid_t parent, session;
    uint64_t start;
    char state; /* 'Z': dead, not yet waited for */
};

/* false: no such process. */
bool proc_stat(pid_t pid, struct proc_stat *ret);
/* Whether this very process is there and no zombie. */
bool proc_lives(struct proc proc);
/* Sends a signal to this very process, never to one that has its pid later.  false: it is gone. */
bool proc_signal(struct proc proc, int signum);

/* Calls f for each process that is there, until it gives false. */
void proc_each(bool (*f)(pid_t pid, const struct proc_stat *stat, void *ctx), void *ctx);

/* Whether the environment with which the process was begun has this line "NAME=value". */
bool proc_has_env(pid_t pid, const char *line);
/* Whether the process works in this folder or below it. */
bool proc_works_in(pid_t pid, const char *folder);

/* Who listens on a port of TCP, any address. */
struct proc_listener {
    bool any;
    pid_t pid; /* 0: not to be seen for us */
    char name[64];
};
/* likely: processes that are looked at first, which saves looking at those of the whole machine. */
int proc_listener(uint16_t port, const pid_t *likely, size_t n, struct proc_listener *ret,
                  struct err *err);

/*
 * The id of this life of the machine: what FOLDER/boot-id has, which is there in tests only, else
 * the kernel's.
 */
int proc_boot_id(const char *folder, char out[64], struct err *err);
/* A number of it. */
uint64_t proc_hash(const void *data, size_t len);
