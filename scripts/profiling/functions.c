/*
 * Reading the symbols, and finding what lies at an address.
 */
#include "functions.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct text {
	uint64_t start, size;
	const uint8_t *bytes; /* as the file has them */
};

struct elf {
	struct func *funcs; /* by start */
	size_t nfuncs;
	struct text texts[8];
	size_t ntexts;
	uint64_t load;
	struct func nameless; /* what has no symbol */
	struct elf *next;
};

uint64_t trap_stubs, syscall_entry;
struct func unknown = {.name = "[unknown]"};
struct window window;
static struct elf *elfs; /* the kernel first */

void *
allocate(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL) {
		fprintf(stderr, "counter: out of memory\n");
		exit(1);
	}
	return (p);
}

static const uint8_t *
map_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *p = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &st) == 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	close(fd);
	return (p);
}

static void
add_func(struct elf *elf, uint64_t start, const char *name)
{
	struct func *f;

	if (elf->nfuncs % 1024 == 0)
		elf->funcs = realloc(elf->funcs, (elf->nfuncs + 1024) * sizeof(*elf->funcs));
	if (elf->funcs == NULL)
		exit(1);
	f = &elf->funcs[elf->nfuncs++];
	*f = (struct func){.name = strdup(name), .start = start};
	if (elf == elfs && strcmp(name, "trap_stubs") == 0)
		trap_stubs = start;
	else if (elf == elfs && strcmp(name, "syscall_entry") == 0)
		syscall_entry = start;
}

/* Functions of that name, in whatever program. */
static void
mark(const char *word, const char *name)
{
	for (struct elf *elf = elfs; elf != NULL; elf = elf->next)
		for (size_t i = 0; i < elf->nfuncs; i++) {
			if (strcmp(elf->funcs[i].name, name) != 0)
				continue;
			elf->funcs[i].is_in |= strcmp(word, "in") == 0;
			elf->funcs[i].is_during |= strcmp(word, "during") == 0;
			elf->funcs[i].is_from |= strcmp(word, "from") == 0;
			elf->funcs[i].is_to |= strcmp(word, "to") == 0;
		}
	window.is_filtered |= strcmp(word, "in") == 0;
	window.at_first_user &= strcmp(word, "from") != 0 && strcmp(word, "during") != 0;
}

void
read_symbols(FILE *f)
{
	struct elf *elf = NULL, **end = &elfs;
	const uint8_t *bytes = NULL;
	char line[4096], word[8], name[4000];
	unsigned long a, b, c;

	window.at_first_user = true;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "elf %lx %3999[^\n]", &a, name) == 2) {
			elf = *end = allocate(sizeof(*elf));
			end = &elf->next;
			bytes = map_file(name);
			elf->load = a;
			const char *base = strrchr(name, '/');
			snprintf(line, sizeof(line), "[%.200s]", base == NULL ? name : base + 1);
			elf->nameless.name = strdup(line);
		} else if (sscanf(line, "text %lx %lx %lx", &a, &b, &c) == 3 &&
			   elf->ntexts < sizeof(elf->texts) / sizeof(elf->texts[0])) {
			elf->texts[elf->ntexts++] = (struct text){elf->load + a, c, bytes + b};
		} else if (sscanf(line, "sym %lx %3999s", &a, name) == 2) {
			add_func(elf, elf->load + a, name);
		} else if (sscanf(line, "%7s %3999s", word, name) == 2) {
			mark(word, name);
		} else if (strcmp(line, "boot\n") == 0) {
			window.is_on = true;
		}
	}
}

struct func *
func_at(struct elf *elf, uint64_t pc)
{
	size_t lo = 0, hi = elf == NULL ? 0 : elf->nfuncs;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (elf->funcs[mid].start <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (elf == NULL)
		return (&unknown);
	return (lo == 0 ? &elf->nameless : &elf->funcs[lo - 1]);
}

static bool
has_bytes(const struct elf *elf, uint64_t pc, const void *bytes, size_t n)
{
	for (size_t i = 0; i < elf->ntexts; i++) {
		const struct text *t = &elf->texts[i];
		if (pc >= t->start && pc - t->start + n <= t->size)
			return (memcmp(t->bytes + (pc - t->start), bytes, n) == 0);
	}
	return (false);
}

struct elf *
elf_of(const struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	if (qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0)) >= KERNEL_BASE)
		return (elfs);
	for (struct elf *elf = elfs; elf != NULL; elf = elf->next) {
		size_t i = 0;
		for (; i < n; i++) {
			struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
			if (!has_bytes(elf, qemu_plugin_insn_vaddr(insn),
				       qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn)))
				break;
		}
		if (i == n)
			return (elf);
	}
	return (NULL);
}
