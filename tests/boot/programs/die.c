/*
 * die HOW [N]: end in the way HOW says: by an exit status, or by one kind of bad access. What it
 * prints first says where the access will be.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KERNEL       0xffffffff80200000ul
#define NONCANONICAL 0x0001000000000000ul

static void
touch(uintptr_t address, int is_write)
{
	volatile char *p = (volatile char *)address;

	printf("at %#lx\n", (unsigned long)address);
	fflush(stdout);
	if (is_write)
		*p = 1;
	else
		(void)*p;
}

static void
execute(uintptr_t address)
{
	printf("at %#lx\n", (unsigned long)address);
	fflush(stdout);
	((void (*)(void))address)();
}

static char *
map_file(int prot, size_t file_size)
{
	int fd = open("/tmp/die", O_CREAT | O_TRUNC | O_RDWR, 0600);
	char *p;

	if (fd < 0 || (file_size > 0 && write(fd, "x", file_size) != (ssize_t)file_size))
		exit(99);
	p = mmap(NULL, 8192, prot, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		exit(99);
	return (p);
}

static char *
map_anon(int prot)
{
	return (mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int
use_stack(int depth)
{
	volatile char frame[4096];

	frame[0] = (char)depth;
	return (depth == 0 ? 0 : use_stack(depth - 1) + frame[0]);
}

/* getpid with odd flags, of which the kernel must see none; then an instruction that is none. */
static void
system_call_with_flags(unsigned long flags)
{
	__asm__ volatile("push %0\n popfq\n mov $39, %%eax\n syscall\n push $2\n popfq\n ud2"
			 :
			 : "r"(flags)
			 : "rax", "rcx", "r11", "memory");
}

static void
die_of(const char *how)
{
	static char data[16] = {(char)0xc3};

	if (strcmp(how, "null-read") == 0)
		touch(0, 0);
	else if (strcmp(how, "null-write") == 0)
		touch(0, 1);
	else if (strcmp(how, "kernel-read") == 0)
		touch(KERNEL, 0);
	else if (strcmp(how, "kernel-write") == 0)
		touch(KERNEL, 1);
	else if (strcmp(how, "text-write") == 0)
		touch((uintptr_t)&die_of, 1);
	else if (strcmp(how, "none-read") == 0)
		touch((uintptr_t)map_anon(PROT_NONE), 0);
	else if (strcmp(how, "readonly-write") == 0)
		touch((uintptr_t)map_anon(PROT_READ), 1);
	else if (strcmp(how, "file-past-end") == 0)
		touch((uintptr_t)map_file(PROT_READ | PROT_WRITE, 1) + 4096, 1);
	else if (strcmp(how, "empty-file") == 0)
		touch((uintptr_t)map_file(PROT_READ, 0), 0);
	else if (strcmp(how, "data-exec") == 0)
		execute((uintptr_t)data);
	else if (strcmp(how, "kernel-exec") == 0)
		execute(KERNEL);
	else if (strcmp(how, "noncanonical-read") == 0)
		touch(NONCANONICAL, 0);
	else if (strcmp(how, "noncanonical-exec") == 0)
		execute(NONCANONICAL);
	else if (strcmp(how, "divide") == 0)
		__asm__ volatile("xor %%edx, %%edx\n div %0" : : "r"(0), "a"(1) : "edx");
	else if (strcmp(how, "illegal") == 0)
		__asm__ volatile("ud2");
	else if (strcmp(how, "privileged") == 0)
		__asm__ volatile("cli");
	else if (strcmp(how, "port") == 0)
		__asm__ volatile("outb %%al, $0x80" : : "a"(0));
	else if (strcmp(how, "breakpoint") == 0)
		__asm__ volatile("int3");
	else if (strcmp(how, "interrupt") == 0)
		__asm__ volatile("int $0x30");
	else if (strcmp(how, "bad-rsp") == 0)
		__asm__ volatile("mov %0, %%rsp; push %%rax" : : "r"(NONCANONICAL));
	else if (strcmp(how, "flags") == 0)
		system_call_with_flags(0x40cd5); /* all but the trap flag */
	else if (strcmp(how, "single-step") == 0)
		system_call_with_flags(0x40dd5);
	else if (strcmp(how, "stack") == 0)
		exit(use_stack(1 << 20));
	else if (strcmp(how, "abort") == 0)
		abort();
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "exit") == 0)
		exit(atoi(argv[2]));
	if (argc == 2)
		die_of(argv[1]);
	return (99);
}
