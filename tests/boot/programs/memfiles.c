/*
 * Files in memory: memfd_create and its seals, POSIX shared memory, space and holes. The host and
 * Quire must print the same. argv[1]: a folder to work in.
 */
#define _GNU_SOURCE
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096l
enum { SEAL_FUTURE_WRITE = 16 };
enum { KEEP_SIZE = 1, PUNCH_HOLE = 2, ZERO_RANGE = 16 };

static void *
map(int fd, int prot, int flags)
{
	void *p = mmap(NULL, PAGE, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		printf("map %d %d: errno %d\n", prot, flags, errno);
	else
		printf("map %d %d: ok\n", prot, flags);
	return (p);
}

static void
size_of(int fd)
{
	struct stat st;

	T(fstat(fd, &st));
	printf("%o, %ld bytes, %ld blocks, %ld links\n", st.st_mode, (long)st.st_size,
	       (long)st.st_blocks, (long)st.st_nlink);
}

static void
memfds(void)
{
	char name[300], buf[16] = "", *p, *q;
	int fd, again;

	T(fd = memfd_create("first", MFD_CLOEXEC));
	size_of(fd);
	T(fcntl(fd, F_GETFD));
	T(fcntl(fd, F_GETFL) & ~0100000);
	T(fcntl(fd, F_GET_SEALS));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	T(write(fd, "hello", 5));
	T(pread(fd, buf, 16, 0));
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	q = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	p[0] = 'J';
	T(pread(fd, buf, 16, 0));
	printf("%s %s\n", buf, q);
	T(pwrite(fd, "C", 1, 0));
	printf("%s %s\n", p, q);
	q[0] = 'x';
	printf("%s %s\n", p, q);
	T(linkat(fd, "", AT_FDCWD, "linked", AT_EMPTY_PATH));
	T(munmap(p, PAGE));
	T(munmap(q, PAGE));
	T(close(fd));
	T(memfd_create("bad", 0x1000));
	T(memfd_create((char *)8, 0));
	memset(name, 'n', sizeof(name));
	name[250] = '\0';
	T(memfd_create(name, 0));
	name[249] = '\0';
	T(again = memfd_create(name, 0));
	T(close(again));
}

static void
seals(void)
{
	char *p, *q;
	int fd;

	T(fd = memfd_create("sealed", MFD_ALLOW_SEALING));
	T(fcntl(fd, F_GET_SEALS));
	T(ftruncate(fd, 2 * PAGE));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	T(ftruncate(fd, 3 * PAGE));
	T(ftruncate(fd, 2 * PAGE));
	T(pwrite(fd, "ab", 2, 2 * PAGE - 2));
	T(pwrite(fd, "ab", 2, 2 * PAGE - 1));
	T(fallocate(fd, 0, 0, 3 * PAGE));
	T(fallocate(fd, 0, 0, 2 * PAGE));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	T(ftruncate(fd, PAGE));
	T(fcntl(fd, F_GET_SEALS));
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	T(fcntl(fd, F_ADD_SEALS, SEAL_FUTURE_WRITE));
	p[0] = 'w';
	q = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	q = map(fd, PROT_READ, MAP_SHARED);
	T(mprotect(q, PAGE, PROT_READ | PROT_WRITE));
	printf("%c\n", q[0]);
	T(munmap(q, PAGE));
	q = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	T(munmap(q, PAGE));
	T(write(fd, "x", 1));
	T(mprotect(p, PAGE, PROT_READ));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	T(munmap(p, PAGE));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	T(write(fd, "x", 1));
	T(write(fd, "x", 0));
	T(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, PAGE));
	T(fcntl(fd, F_ADD_SEALS, 0x1000));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	T(fcntl(fd, F_GET_SEALS));
	T(close(fd));
	T(fcntl(0, F_GET_SEALS));
	T(fcntl(99, F_GET_SEALS));
}

static void
posix_shm(void)
{
	int fd, status;
	char *p;

	T(shm_unlink("/quire-shm"));
	T(fd = shm_open("/quire-shm", O_RDWR, 0600));
	T(fd = shm_open("/quire-shm", O_CREAT | O_EXCL | O_RDWR, 0600));
	T(shm_open("/quire-shm", O_CREAT | O_EXCL | O_RDWR, 0600));
	T(ftruncate(fd, PAGE));
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (fork() == 0) {
		int mine = shm_open("/quire-shm", O_RDWR, 0);
		char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);

		strcpy(q, "from the child");
		_exit(0);
	}
	T(wait(&status) > 0);
	printf("%s, status %x\n", p, status);
	T(shm_unlink("/quire-shm"));
	T(shm_open("/quire-shm", O_RDWR, 0600));
	printf("%s\n", p);
	T(munmap(p, PAGE));
	T(close(fd));
}

static void
seeks(int fd, long from)
{
	long data = lseek(fd, from, SEEK_DATA), hole;

	printf("from %ld: data %ld", from, data < 0 ? -(long)errno : data);
	hole = lseek(fd, from, SEEK_HOLE);
	printf(", hole %ld\n", hole < 0 ? -(long)errno : hole);
}

static void
space(void)
{
	char buf[16], *p;
	int fd;

	T(fd = open("sparse", O_CREAT | O_RDWR, 0600));
	T(pwrite(fd, "begin", 5, 0));
	T(pwrite(fd, "end", 3, 10 * PAGE + 5));
	size_of(fd);
	seeks(fd, 0);
	seeks(fd, 3);
	seeks(fd, PAGE);
	seeks(fd, PAGE + 7);
	seeks(fd, 10 * PAGE);
	seeks(fd, 10 * PAGE + 8);
	seeks(fd, -1);
	T(fallocate(fd, 0, 2 * PAGE, 2 * PAGE));
	size_of(fd);
	T(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 3 * PAGE, 3 * PAGE));
	size_of(fd);
	T(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 2, 2 * PAGE));
	T(pread(fd, buf, 5, 0));
	printf("%d %d %d\n", buf[0], buf[1], buf[2]);
	size_of(fd);
	T(fallocate(fd, PUNCH_HOLE, 0, PAGE));
	T(fallocate(fd, PUNCH_HOLE | KEEP_SIZE | ZERO_RANGE, 0, PAGE));
	T(fallocate(fd, 0, -1, PAGE));
	T(fallocate(fd, 0, 0, 0));
	T(fallocate(fd, 0x80, 0, PAGE));
	T(fallocate(fd, 0, 0x7ffffffffffff000, 0x2000));
	T(fallocate(fd, 0, 12 * PAGE, 10));
	size_of(fd);
	T(fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 10 * PAGE, 100 * PAGE));
	T(pread(fd, buf, 8, 10 * PAGE));
	printf("%d\n", buf[5]);
	T(truncate("sparse", -1));
	T(truncate("nothing", 0));
	T(truncate(".", 0));
	T(ftruncate(fd, -1));
	T(ftruncate(99, 0));
	T(truncate("sparse", PAGE + 10));
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(p, 'm', 2 * PAGE);
	T(truncate("sparse", PAGE + 5));
	T(truncate("sparse", 2 * PAGE));
	printf("%c %d\n", p[PAGE + 4], p[PAGE + 5]);
	T(munmap(p, 2 * PAGE));
	T(close(fd));
	T(fd = open("sparse", O_RDONLY));
	T(fallocate(fd, 0, 0, PAGE));
	T(ftruncate(fd, 0));
	T(fsync(fd));
	T(fdatasync(fd));
	T(fsync(99));
	T(close(fd));
	T(fd = open(".", O_RDONLY));
	T(fallocate(fd, 0, 0, PAGE));
	T(fsync(fd));
	T(lseek(fd, 0, SEEK_END) >= 0);
	T(close(fd));
	T(unlink("sparse"));
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || chdir(argv[1]) != 0)
		return (1);
	memfds();
	seals();
	posix_shm();
	space();
	return (0);
}
