/*
 * What start-up steps share: the boot information and the kernel command line.
 */
#pragma once

#include "boot/bootinfo.h"

/* What uname and /proc/version say: the Linux whose interface this is. */
#define KERNEL_RELEASE "6.1.0-quire"
#define KERNEL_VERSION "#1 Quire"

extern struct bootinfo bootinfo;

/* Splits the kernel command line: words separated by spaces, %HH in a word is that byte
 * (malformed ones stay as they are; the word %00 is an empty one). Unknown options get one log
 * line. Once, before any of these: */
void cmdline_parse(const char *text);
/* The value of "name=value" on the command line, "" for a bare "name", NULL when absent. The
 * last one wins. */
const char *cmdline_get(const char *name);
/* The i-th option like NAME=value with no small letter in NAME: the first program's environment.
 * NULL: there are no more. */
const char *cmdline_environment(int i);
/* The words after "--": the first program's arguments. */
int cmdline_init_args(char ***argv);

/* Ends the machine with a program's exit status (0-255): drivers/debug_exit tells the emulator. */
void machine_exit(int status) __noreturn;
/* The same after a panic. */
void machine_panic_exit(void) __noreturn;
/* The trace lies at pa: whoever runs the emulator may want to read it when the machine is off. */
void machine_trace(uint64_t pa);
