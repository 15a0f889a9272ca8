/*
 * A stress of memory: threads of several processes map, touch, protect, unmap, move, advise, lock,
 * fork, truncate and revoke at random. Each worker (a thread) has memory of its own and knows what
 * each byte of it must be and which accesses must fault; others of its process look at it for the
 * worker, from their CPUs. Runs on Linux too, but for the devices.
 *
 *   main.c     the processes and threads, and the kernel's counts before and after
 *   memory.c   accesses that may fault, by oneself or by another; what must be where
 *   worker.c   what a worker does
 *   screen.c   the framebuffer, taken away by mode changes and by text in front
 */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE        4096ul
#define WORDS       (PAGE / sizeof(uint64_t))
#define SLOTS       10
#define SLOT_PAGES  16
#define SLOT_STRIDE (64ul << 12) /* bytes; a slot is in the lower half of one of two places */
#define FILE_PAGES  64
#define MAX_WORKERS 16

enum kind { NOTHING, ANON, SHARED, FILE_SHARED, FILE_PRIVATE, DEVICE, SCREEN, NKINDS };

/* A page of a slot. */
struct page {
	bool mapped, copied; /* copied: a private copy of a file's page */
	int prot; /* PROT_* */
	uint64_t pattern; /* what fill() made it of; 0: zeros */
};

struct slot {
	enum kind kind;
	char *addr;
	unsigned npages;
	unsigned first; /* page of the file or device */
	struct page pages[SLOT_PAGES];
};

/* What a worker does for another. The worker that asks fills it in and posts it. */
enum job { JOB_READ, JOB_WRITE, JOB_HAMMER };
enum { BOX_FREE, BOX_CLAIMED, BOX_POSTED, BOX_DONE };
struct box {
	int state; /* (atomic) BOX_* */
	enum job job;
	volatile uint64_t *addr;
	uint64_t value; /* to write, or what was read */
	int sig; /* that the access was answered with, or 0 */
	bool stop; /* (atomic) the hammer is to stop */
};

/* A worker's pages of a device. */
struct device {
	int fd; /* or -1: there is none */
	unsigned first; /* the first of them */
	uint64_t patterns[SLOTS * SLOT_PAGES]; /* slot i has SLOT_PAGES of them */
};

struct worker {
	unsigned process, number; /* of the process, and in it */
	uint64_t rng;
	uint64_t steps;
	uint64_t patterns; /* made so far */
	char *arena; /* where its slots are */
	struct slot slots[SLOTS];
	int fd; /* its file */
	unsigned file_pages; /* how long that is */
	uint64_t file[FILE_PAGES]; /* patterns */
	struct device testdev, screen;
	struct box box;
};

extern struct worker workers[MAX_WORKERS];
extern unsigned nworkers; /* of each process */
extern unsigned running; /* (atomic) of this process, not at their end */
extern uint64_t seed;

/* Say what is wrong, and end the process. */
void fail(struct worker *w, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));
uint64_t rnd(struct worker *w, uint64_t n); /* 0 .. n - 1 */
/* As fail(): the call gave that result, which may not be negative. */
void must(struct worker *w, const char *call, long result);

/* --- memory.c --- */

void memory_init(void);
/* 0, SIGSEGV or SIGBUS. */
int try_read(volatile uint64_t *p, uint64_t *value);
int try_write(volatile uint64_t *p, uint64_t value);
/* The word i of a page of that pattern. */
uint64_t word_of(uint64_t pattern, unsigned i);
/* Do what another one asks for, if he does. */
void serve(struct worker *w);
/* The same access by another worker. */
int ask(struct worker *w, enum job job, volatile uint64_t *p, uint64_t *value);
/* Another worker writes to p until it faults; ask_hammer returns when it has begun,
 * NULL when another one of this process is at it. */
struct box *ask_hammer(struct worker *w, volatile uint64_t *p);
/* It is told to stop. The signal it got. */
int hammer_stop(struct worker *w, struct box *b);
/* It must have stopped: p does not change any more. The signal it got. */
int hammer_ended(struct worker *w, struct box *b, volatile uint64_t *seen);

/* Whose pages s maps; NULL: no device's. */
struct device *device_of(struct worker *w, struct slot *s);
/* What the pattern of page i of s must be, and how an access to it is answered. */
uint64_t *pattern_at(struct worker *w, struct slot *s, unsigned i);
int answer(struct worker *w, struct slot *s, unsigned i, bool write);
/* Write all of the page, one word of it from elsewhere. */
void fill(struct worker *w, struct slot *s, unsigned i);
/* Look at some words, or all, by oneself and by another; `alone': only by oneself. */
void check(struct worker *w, struct slot *s, unsigned i, bool alone);

/* --- worker.c --- */

/* A part of s whose pages are all mapped, [*first, *end). False: the page chosen is not. */
bool mapped_part(struct worker *w, struct slot *s, unsigned *first, unsigned *end);

/* One random step. */
void step(struct worker *w);
void worker_begin(struct worker *w);
void worker_end(struct worker *w);

/* --- screen.c --- */

/* Before the processes are there: the framebuffer at path (NULL: none) is this console's. */
void screen_init(const char *path);
/* All is as it was then. */
void screen_end(void);
/* The pages of the nth worker of all. */
void screen_begin(struct worker *w, unsigned nth);
/* Let who waits for the screen go on: this process ends. */
void screen_give_up(void);
/* Another mode takes all pages back: who touches one must fault. */
void op_mode(struct worker *w, struct slot *s);
/* Text in front takes them, too, and keeps who writes waiting until it has gone. */
void op_switch(struct worker *w, struct slot *s);
