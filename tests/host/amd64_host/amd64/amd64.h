/*
 * kernel/amd64/amd64.h for the host: what pmap.c and pmap_pv.c use of it. The instructions go to
 * the CPU of fake_cpu.c, which remembers translations as a real one may.
 */
#pragma once

#include "kern/types.h"
#include "amd64/pte.h"
#include "machine/pmap_md.h"

struct cpu_features {
	bool avx;
};
extern struct cpu_features cpu_features;

struct pcpu {
	struct pmap *pc_curpmap;
};
extern struct pcpu pcpu0;

#define WRITE_CR(n, v) fake_write_cr##n(v)
void fake_write_cr3(uint64_t v);
void invlpg(uint64_t va);
void zero_page_avx(void *page);
void copy_page_avx(const void *from, void *to);
bool is_ram(uint64_t pa, uint64_t len);
