/*
 * What a worker does: a random call on a random slot, and at once what that must have changed is
 * looked at, also from another CPU that used the page just before.
 */
#define _GNU_SOURCE
#include "stress.h"

#include "drivers/testdev_ioctl.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARENAS 0x100000000000ul /* where no mapping comes by itself */

static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};

void
must(struct worker *w, const char *call, long result)
{
	if (result < 0)
		fail(w, "%s: %s", call, strerror(errno));
}

bool
mapped_part(struct worker *w, struct slot *s, unsigned *first, unsigned *end)
{
	if (s->npages == 0)
		return (false);
	*first = (unsigned)rnd(w, s->npages);
	for (*end = *first; *end < s->npages && s->pages[*end].mapped; ++*end)
		;
	if (*end > *first)
		*end = *first + 1 + (unsigned)rnd(w, *end - *first);
	return (*end > *first);
}

/* Look at, or write to, one of them. */
static void
look(struct worker *w, struct slot *s, unsigned first, unsigned end)
{
	unsigned i = first + (unsigned)rnd(w, end - first);

	if (rnd(w, 2) == 0)
		fill(w, s, i);
	check(w, s, i, false);
}

/* Another CPU gets the page into its TLB. */
static void
warm(struct worker *w, struct slot *s, unsigned i)
{
	volatile uint64_t *p = (volatile uint64_t *)(void *)(s->addr + i * PAGE);
	uint64_t value = word_of(*pattern_at(w, s, i), 0);

	if (answer(w, s, i, true) == 0 && (s->kind != FILE_PRIVATE || s->pages[i].copied))
		ask(w, JOB_WRITE, p, &value);
}

/* --- the calls --- */

/* Of what there is here. */
static enum kind
random_kind(struct worker *w)
{
	enum kind kind;

	do
		kind = 1 + (enum kind)rnd(w, NKINDS - 1);
	while ((kind == DEVICE && w->testdev.fd < 0) || (kind == SCREEN && w->screen.fd < 0));
	return (kind);
}

static void
op_map(struct worker *w, struct slot *s)
{
	static const int flags[NKINDS] = {
	    [ANON] = MAP_PRIVATE | MAP_ANONYMOUS,
	    [SHARED] = MAP_SHARED | MAP_ANONYMOUS,
	    [FILE_SHARED] = MAP_SHARED,
	    [FILE_PRIVATE] = MAP_PRIVATE,
	    [DEVICE] = MAP_SHARED,
	    [SCREEN] = MAP_SHARED,
	};
	enum kind kind = random_kind(w);
	unsigned index = (unsigned)(s - w->slots), npages = 1 + (unsigned)rnd(w, SLOT_PAGES);
	struct device *d = kind == DEVICE ? &w->testdev : kind == SCREEN ? &w->screen : NULL;
	unsigned first = d != NULL ? index * SLOT_PAGES : (unsigned)rnd(w, FILE_PAGES - npages);
	int prot = prots[rnd(w, 4)], fd = d != NULL ? d->fd : w->fd;
	off_t offset = (off_t)((d != NULL ? d->first + first : first) * PAGE);
	char *p;

	if (flags[kind] & MAP_ANONYMOUS)
		fd = -1, offset = 0;
	if (s->npages != 0)
		must(w, "munmap", munmap(s->addr, s->npages * PAGE));
	p = mmap(s->addr, npages * PAGE, prot, flags[kind] | MAP_FIXED, fd, offset);
	if (p != s->addr)
		fail(w, "mmap: %s", strerror(errno));
	s->kind = kind;
	s->npages = npages;
	s->first = first;
	for (unsigned i = 0; i < npages; i++)
		s->pages[i] = (struct page){.mapped = true, .prot = prot};
}

static void
op_touch(struct worker *w, struct slot *s)
{
	if (s->npages != 0)
		look(w, s, 0, s->npages);
}

static void
op_protect(struct worker *w, struct slot *s)
{
	int prot = prots[rnd(w, 4)];
	unsigned first, end;

	if (!mapped_part(w, s, &first, &end))
		return;
	warm(w, s, first);
	must(w, "mprotect", mprotect(s->addr + first * PAGE, (end - first) * PAGE, prot));
	for (unsigned i = first; i < end; i++)
		s->pages[i].prot = prot;
	fill(w, s, first);
	look(w, s, first, end);
}

static void
op_unmap(struct worker *w, struct slot *s)
{
	unsigned first, end;

	if (!mapped_part(w, s, &first, &end))
		return;
	warm(w, s, first);
	must(w, "munmap", munmap(s->addr + first * PAGE, (end - first) * PAGE));
	for (unsigned i = first; i < end; i++)
		s->pages[i] = (struct page){0};
	fill(w, s, first);
	look(w, s, first, end);
}

/* To the other of the slot's two places. Linux does not move what is not alike. */
static void
op_move(struct worker *w, struct slot *s)
{
	char *place = w->arena + (size_t)(s - w->slots) * SLOT_STRIDE, *old = s->addr;
	char *new = old == place ? place + SLOT_STRIDE / 2 : place;
	size_t size = s->npages * PAGE;
	uint64_t value = 0;

	for (unsigned i = 0; i < s->npages; i++)
		if (!s->pages[i].mapped)
			return;
	if (s->npages == 0)
		return;
	warm(w, s, 0);
	if (mremap(old, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, new) == MAP_FAILED) {
		if (errno != EFAULT)
			fail(w, "mremap: %s", strerror(errno));
		return;
	}
	s->addr = new;
	if (ask(w, JOB_READ, (volatile uint64_t *)(void *)old, &value) == 0)
		fail(w, "stale: page %p is still there after mremap", (void *)old);
	look(w, s, 0, s->npages);
}

/* What is locked is not dropped. */
static void
op_advise(struct worker *w, struct slot *s)
{
	static const int advice[] = {MADV_DONTNEED, MADV_DONTNEED, MADV_WILLNEED, MADV_NORMAL,
				     MADV_RANDOM};
	int what = advice[rnd(w, 5)];
	unsigned i, end;

	if (!mapped_part(w, s, &i, &end))
		return;
	warm(w, s, i);
	if (madvise(s->addr + i * PAGE, PAGE, what) == 0 && what == MADV_DONTNEED) {
		s->pages[i].copied = false;
		s->pages[i].pattern = s->kind == SHARED ? s->pages[i].pattern : 0;
	}
	check(w, s, i, false);
}

static void
op_lock(struct worker *w, struct slot *s)
{
	unsigned first, end;

	if (!mapped_part(w, s, &first, &end))
		return;
	if (s->kind == FILE_PRIVATE) /* a lock copies what can be written: one cannot tell when */
		return;
	if (rnd(w, 2) == 0)
		mlock(s->addr + first * PAGE, (end - first) * PAGE); /* may fail: beyond the end */
	else
		must(w, "munlock", munlock(s->addr + first * PAGE, (end - first) * PAGE));
	look(w, s, first, end);
}

/* The child sees what the worker does, and its writes to private memory are its own. */
static void
op_fork(struct worker *w, struct slot *s)
{
	int status;
	pid_t pid = fork();

	must(w, "fork", pid);
	if (pid == 0) {
		for (struct slot *t = w->slots; t < w->slots + SLOTS; t++) {
			for (unsigned i = 0; i < t->npages; i++) {
				check(w, t, i, true);
				if ((t->kind == ANON || t->kind == FILE_PRIVATE) &&
				    answer(w, t, i, true) == 0)
					*(volatile uint64_t *)(void *)(t->addr + i * PAGE) =
					    w->steps;
			}
		}
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		serve(w);
		usleep(200);
	}
	if (status != 0)
		fail(w, "the child ends with %#x", status);
	op_touch(w, s);
}

/* The file's end: what is beyond is gone, in private copies too. */
static void
op_truncate(struct worker *w, struct slot *s)
{
	unsigned size = (unsigned)rnd(w, FILE_PAGES + 1), i, end;

	if (mapped_part(w, s, &i, &end))
		warm(w, s, i);
	must(w, "ftruncate", ftruncate(w->fd, (off_t)(size * PAGE)));
	for (unsigned p = size; p < w->file_pages; p++)
		w->file[p] = 0;
	for (struct slot *t = w->slots; t < w->slots + SLOTS; t++)
		for (unsigned p = 0; p < t->npages; p++)
			if (t->kind == FILE_PRIVATE && t->first + p >= size)
				t->pages[p].copied = false;
	w->file_pages = size;
	op_touch(w, s);
}

/* The file, by calls: the same as by memory. */
static void
op_file(struct worker *w, struct slot *s)
{
	unsigned page = (unsigned)rnd(w, FILE_PAGES), word = (unsigned)rnd(w, WORDS);
	off_t offset = (off_t)(page * PAGE + word * sizeof(uint64_t));
	uint64_t value;

	(void)s;
	if (page >= w->file_pages)
		return;
	if (pread(w->fd, &value, sizeof(value), offset) != sizeof(value) ||
	    value != word_of(w->file[page], word))
		fail(w, "pread of word %u of page %u: %#lx, should be %#lx", word, page, value,
		     word_of(w->file[page], word));
}

/* The driver takes pages back. Who touches one must fault, and so brings it in again. */
static void
op_revoke(struct worker *w, struct slot *s)
{
	struct testdev_range range;
	struct testdev_page page;
	unsigned first, end;

	if (s->kind != DEVICE || !mapped_part(w, s, &first, &end))
		return;
	warm(w, s, first);
	range.first = w->testdev.first + s->first + first;
	range.last = w->testdev.first + s->first + end - 1;
	must(w, "revoke", ioctl(w->testdev.fd, TESTDEV_TAKE, &range));
	check(w, s, first, false);
	page.index = range.first;
	must(w, "look", ioctl(w->testdev.fd, TESTDEV_PAGE, &page));
	if (answer(w, s, first, false) == 0 && !page.resident)
		fail(w, "stale: page %lu of the device is read without a fault", page.index);
	look(w, s, first, end);
}

/* Another one writes without a pause while the page is taken away. */
static void
op_hammer(struct worker *w, struct slot *s)
{
	unsigned i, end;
	volatile uint64_t *p;
	struct box *b;

	if (!mapped_part(w, s, &i, &end) || answer(w, s, i, true) != 0)
		return;
	fill(w, s, i);
	p = (volatile uint64_t *)(void *)(s->addr + i * PAGE);
	b = ask_hammer(w, p);
	if (b == NULL)
		return;
	must(w, "mprotect", mprotect(s->addr + i * PAGE, PAGE, PROT_READ));
	s->pages[i].prot = PROT_READ;
	if (hammer_ended(w, b, p) == 0)
		fail(w, "stale: page %p may be written after mprotect", (void *)p);
	must(w, "mprotect", mprotect(s->addr + i * PAGE, PAGE, PROT_READ | PROT_WRITE));
	s->pages[i].prot = PROT_READ | PROT_WRITE;
	*p = word_of(*pattern_at(w, s, i), 0);
	check(w, s, i, false);
}

/* --- */

static const struct {
	void (*fn)(struct worker *w, struct slot *s);
	unsigned weight;
} ops[] = {
    {op_map, 8},    {op_touch, 20}, {op_protect, 8}, {op_unmap, 5},    {op_move, 3},
    {op_advise, 4}, {op_lock, 4},   {op_fork, 1},    {op_truncate, 2}, {op_file, 3},
    {op_revoke, 4}, {op_hammer, 3}, {op_mode, 2},    {op_switch, 2},
};

void
step(struct worker *w)
{
	unsigned total = 0, pick;
	size_t i;

	serve(w);
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		total += ops[i].weight;
	pick = (unsigned)rnd(w, total);
	for (i = 0; pick >= ops[i].weight; i++)
		pick -= ops[i].weight;
	w->steps++;
	ops[i].fn(w, &w->slots[rnd(w, SLOTS)]);
}

static void
clear_device(struct worker *w, struct device *d)
{
	uint64_t zero[WORDS] = {0};

	for (unsigned i = 0; d->fd >= 0 && i < SLOTS * SLOT_PAGES; i++)
		if (pwrite(d->fd, zero, PAGE, (off_t)((d->first + i) * PAGE)) != (ssize_t)PAGE)
			fail(w, "the device: %s", strerror(errno));
}

void
worker_begin(struct worker *w)
{
	w->arena = (char *)ARENAS + (size_t)w->number * SLOTS * SLOT_STRIDE;
	for (unsigned i = 0; i < SLOTS; i++)
		w->slots[i].addr = w->arena + i * SLOT_STRIDE;
	w->fd = memfd_create("stress", 0);
	must(w, "memfd_create", w->fd);
	clear_device(w, &w->testdev);
	clear_device(w, &w->screen);
}

void
worker_end(struct worker *w)
{
	for (struct slot *s = w->slots; s < w->slots + SLOTS; s++) {
		for (unsigned i = 0; i < s->npages; i++)
			check(w, s, i, false);
	}
}
