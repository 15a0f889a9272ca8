/*
 * A little of everything that a static program does: the host and Quire must print the same.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static __thread int tls_value = 17;
static int constructed;

static void __attribute__((constructor)) construct(void)
{
	constructed = 1;
}

static void
arguments(int argc, char **argv)
{
	printf("argc %d\n", argc);
	for (int i = 1; i < argc; i++)
		printf("argv[%d] \"%s\"\n", i, argv[i]);
	printf("argv ends with %p\n", (void *)argv[argc]);
	printf("constructed %d, tls %d\n", constructed, tls_value);
	printf("stack aligned %d\n", ((uintptr_t)__builtin_frame_address(0) & 15) == 0);
}

static void
auxiliary(void)
{
	const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
	const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
	int zeros = 0;

	printf("page size %lu, phent %lu\n", getauxval(AT_PAGESZ), getauxval(AT_PHENT));
	printf("secure %lu\n", getauxval(AT_SECURE));
	for (int i = 0; i < 16; i++)
		zeros += random[i] == 0;
	printf("random is random %d\n", zeros < 8);
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		if (ph[i].p_type == PT_LOAD)
			printf("segment of %lu, flags %u\n", ph[i].p_filesz, ph[i].p_flags);
}

/* What one instruction set leaves in registers must survive the kernel. */
static void
floating_point(void)
{
	double sum = 0, values[64];

	for (int i = 0; i < 64; i++)
		values[i] = sqrt(i + 0.5) * sin(i);
	for (int i = 0; i < 200000; i++) {
		sum += values[i % 64] / (i + 1);
		if (i % 20000 == 0)
			usleep(1000);
	}
	printf("sum %.15g, pi %.10f, huge %g, not %f\n", sum, 4 * atan(1), 1e300 * 1e10, nan(""));
}

static void
memory(void)
{
	size_t size = 8 << 20;
	unsigned char *p =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long sum = 0;
	char *heap[100];

	for (size_t i = 0; i < size; i += 4096)
		sum += p[i];
	printf("fresh memory sums to %lu\n", sum);
	memset(p, 0xa5, size);
	madvise(p + 4096, 4096, MADV_DONTNEED);
	printf("before %02x, dropped %02x, after %02x\n", p[4095], p[4096], p[8192]);
	printf("protect %d\n", mprotect(p, 4096, PROT_READ));
	printf("unmap a part %d\n", munmap(p + 8192, 4096));
	printf("read %02x, rest %02x\n", p[0], p[3 * 4096]);
	printf("unmap over a hole %d\n", munmap(p, size));
	for (int i = 0; i < 100; i++) {
		heap[i] = malloc((size_t)i * 1000 + 1);
		memset(heap[i], i, (size_t)i * 1000 + 1);
	}
	for (int i = 0; i < 100; i++) {
		sum += (unsigned long)heap[i][i * 1000];
		free(heap[i]);
	}
	printf("heap sums to %lu\n", sum);
}

static void
files(void)
{
	struct iovec parts[] = {{"one ", 4}, {"two ", 4}, {"three\n", 6}};
	struct stat st;
	char buf[64], *map;
	int fd = open("/tmp/same", O_CREAT | O_TRUNC | O_RDWR, 0600);

	printf("writev %zd\n", writev(fd, parts, 3));
	printf("seek %ld\n", (long)lseek(fd, 4, SEEK_SET));
	memset(buf, 0, sizeof(buf));
	printf("read %zd", read(fd, buf, sizeof(buf)));
	printf(" \"%s\"\n", buf);
	printf("at the end %zd\n", read(fd, buf, sizeof(buf)));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(map, "ONE", 3);
	pread(fd, buf, 7, 0);
	printf("pread \"%.7s\"\n", buf);
	printf("past the end in the page %d\n", map[14]);
	munmap(map, 4096);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	memcpy(map, "###", 3);
	printf("private write seen %d\n", pread(fd, buf, 3, 0) == 3 && buf[0] == '#');
	munmap(map, 4096);
	printf("write far on %zd\n", pwrite(fd, "far", 3, 10000));
	printf("fstat %d\n", fstat(fd, &st));
	printf("size %ld, regular %d, mode %o\n", (long)st.st_size, S_ISREG(st.st_mode),
	       st.st_mode & 0777);
	printf("hole %zd\n", pread(fd, buf, 1, 9000));
	printf("holds %d\n", buf[0]);
	printf("truncate %d\n", ftruncate(fd, 5));
	printf("size %ld\n", (long)lseek(fd, 0, SEEK_END));
	printf("close %d\n", close(fd));
	printf("close again %d\n", close(fd));
	printf("unlink %d\n", unlink("/tmp/same"));
	printf("open %d\n", open("/tmp/same", O_RDONLY));
}

static void
devices(void)
{
	char buf[8] = "xxxxxxx";
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
	int full = open("/dev/full", O_RDWR);
	struct stat st;

	printf("null: write %zd\n", write(null, buf, 8));
	printf("null: read %zd\n", read(null, buf, 8));
	printf("zero: read %zd\n", read(zero, buf, 8));
	printf("zero: holds %d\n", buf[0] | buf[7]);
	printf("full: write %zd\n", write(full, buf, 8));
	printf("full: errno %d\n", errno);
	printf("null is a character device %d\n", fstat(null, &st) == 0 && S_ISCHR(st.st_mode));
}

/* Each thread's faults are its own; the process's are all of them, also of threads that have ended. */
static long
faults_of(int who)
{
	struct rusage use;

	return (getrusage(who, &use) == 0 ? use.ru_minflt + use.ru_majflt : -1);
}

static void *
touch_pages(void *arg)
{
	volatile char *p = arg;
	long before = faults_of(RUSAGE_THREAD);

	for (int i = 0; i < 64; i++)
		p[i * 4096] = 1;
	return ((void *)(faults_of(RUSAGE_THREAD) - before));
}

static void
thread_faults(void)
{
	char *p = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long own = faults_of(RUSAGE_THREAD), all = faults_of(RUSAGE_SELF);
	pthread_t thread;
	void *touched = NULL;

	madvise(p, 64 * 4096, MADV_NOHUGEPAGE);
	if (pthread_create(&thread, NULL, touch_pages, p) != 0)
		return;
	pthread_join(thread, &touched);
	own = faults_of(RUSAGE_THREAD) - own;
	all = faults_of(RUSAGE_SELF) - all;
	printf("a thread's faults: its own %d, not the other's %d, all %d\n", (long)touched >= 64,
	       own < 64, all >= own + (long)touched);
	munmap(p, 64 * 4096);
}

static void
times(void)
{
	struct timespec a, b, wait = {0, 3000000};
	struct rusage use;
	struct utsname name;
	long elapsed;

	clock_gettime(CLOCK_MONOTONIC, &a);
	nanosleep(&wait, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	elapsed = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
	printf("slept long enough %d\n", elapsed >= 3000000);
	printf("it is after 2020 %d\n", time(NULL) > 1577836800);
	printf("getrusage %d\n", getrusage(RUSAGE_SELF, &use));
	printf("faults seen %d\n", use.ru_minflt > 0);
	thread_faults();
	printf("uname %d\n", uname(&name));
	printf("machine %s\n", name.machine);
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	arguments(argc, argv);
	auxiliary();
	floating_point();
	memory();
	files();
	devices();
	times();
	return (7);
}
