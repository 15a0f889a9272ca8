/*
 * The functions of the kernel and of programs, by address: what DIR/symbols says (see counter.c).
 */
#pragma once

#include "qemu_plugin.h"

#include <stdio.h>

#define KERNEL_BASE 0xffff800000000000ul

struct func {
	const char *name;
	uint64_t start;
	bool is_in, is_during, is_from, is_to; /* what the window's words say */
};

extern uint64_t trap_stubs, syscall_entry; /* the ways into the kernel */
extern struct func unknown; /* of a program that is not known */

/* What the words about the window say. */
extern struct window {
	bool is_on; /* from the start, */
	bool at_first_user; /* or from the first instruction of a program */
	bool is_filtered; /* only what is in one function counts */
} window;

struct elf;

/* Zeroed memory, or the end. */
void *allocate(size_t size);
/* DIR/symbols, which is open. */
void read_symbols(FILE *f);
/* The program that these instructions are of; NULL: none that is known. */
struct elf *elf_of(const struct qemu_plugin_tb *tb);
/* Whose instruction it is; elf may be NULL. */
struct func *func_at(struct elf *elf, uint64_t pc);
