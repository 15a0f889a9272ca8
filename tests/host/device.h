/*
 * A device whose pager keeps the populate contract, for tests of what goes on around it:
 * write-notify (W1), revocation (R1 to R4) and progress (P19). Its pages are frames of the fake
 * VRAM, page i being frame i + shift, whose first byte is its number.
 */
#pragma once

#include "harness.h"

#ifndef NPAGES
#define NPAGES 16ul
#endif

struct device {
	vm_object_t object; /* with a reference of the test's */
	enum obj_type type;
	/* The script. */
	vm_pindex_t window; /* pages a call brings in; 0: the hint's */
	bool beyond; /* all pages, whatever the hint */
	bool one_short; /* the last of them does not come in, though it says so (P7) */
	vm_pindex_t write_window; /* the same for calls about a write; 0: like window */
	vm_pindex_t shift;
	bool track; /* new pages are tracked (W1) */
	int write_answer; /* to calls about a write; OK otherwise */
	void (*before)(
	    struct device *d); /* called in the call, nothing locked: before it makes pages, */
	void (*after)(struct device *d); /* or with the pages made and busied */
	bool lies; /* answer this range, whatever was installed: */
	vm_pindex_t lie_first, lie_last;
	void (*dtor)(struct device *d); /* what its destructor does besides counting */
	/* What was seen. */
	int calls, write_calls, getpages, ctors, dtors;
	vm_pindex_t pidx, first, last; /* of the last call; the hint */
	int fault_type;
	vm_prot_t max_prot;
};
extern struct device dev;

/* VRAM registered, dev made; getpages: it has the ordinary way, too. Maps it shared at VA, all of
 * it, in a new space. */
struct space *device_setup(enum obj_type type, bool getpages);
/* The space's end, dev's and VRAM's; it was made and ended once. */
void device_teardown(struct space *s);
/* Map n pages of it from first. */
void device_map(struct space *s, vm_offset_t va, vm_pindex_t first, vm_pindex_t n, vm_prot_t prot,
		uint32_t eflags);
/* Access the page at index i of VA as a CPU does. */
int device_touch(struct space *s, vm_pindex_t i, vm_prot_t access);
/* What the page at index i of VA is mapped with; VM_PROT_NONE: it is not. */
vm_prot_t device_prot(struct space *s, vm_pindex_t i);
/* The resident page at index i, or NULL. */
vm_page_t device_page(vm_pindex_t i);
/* The driver changes what it would answer, then takes back what it has given; in a thread, that is
 * not run yet, for all pages. */
void device_renew(vm_pindex_t start, vm_pindex_t end);
struct thread *device_renew_in_thread(void);
/* Every page mapped shows the frame that it should. */
void device_check(struct space *s);

/* A thread that touches: rv is -1 until it has ended. */
struct toucher {
	struct space *s;
	vm_pindex_t i;
	vm_prot_t access;
	int rv;
	struct thread *td;
};
/* Start it and let it run until it sleeps or ends. */
void device_touch_in_thread(struct toucher *t, struct space *s, vm_pindex_t i, vm_prot_t access);

/* A hook for before and after: sleep until gate_open() is called. */
void device_nap(struct device *d);
void device_gate_open(void);
