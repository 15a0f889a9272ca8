/*
 * Files and descriptors: open, read, write, lseek, truncate, dup, fcntl, locks.
 */
#include "abi.h"
#include <dirent.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

FAMILY(open)
{
	const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR, 3};
	const int extra[] = {0,          O_CREAT,     O_CREAT | O_EXCL, O_TRUNC,
			     O_APPEND,   O_DIRECTORY, O_NOFOLLOW,       O_PATH,
			     O_NONBLOCK, O_CLOEXEC,   O_NOATIME,        O_DIRECTORY | O_CREAT,
			     O_TMPFILE,  O_SYNC};
	const char *names[] = {"file",   "dir",    "link", "dirlink", "loop",  "dangling", "none",
			       "none/x", "file/x", "dir/", "file/",   "none/", ""};
	int fd = file_of("file", 10);

	close(fd);
	mkdir("dir", 0755);
	symlink("file", "link");
	symlink("dir", "dirlink");
	symlink("loop", "loop");
	symlink("target", "dangling");
	for (size_t n = 0; n < NITEMS(names); n++)
		for (size_t m = 0; m < NITEMS(modes); m++)
			for (size_t e = 0; e < NITEMS(extra); e++) {
				if (e >= 7 && m > 1)
					continue;
				fd =
				    (int)SYS(openat, AT_FDCWD, names[n], modes[m] | extra[e], 0644);
				ok(named("%s %d %o", names[n], modes[m], extra[e]), fd);
				if (fd >= 0)
					close(fd);
				unlink("target");
				if (strcmp(names[n], "none") == 0)
					unlink("none");
			}
	CHECK_OK("from a file", openat, 1, "x", O_RDONLY);
	CHECK_OK("from no descriptor", openat, 999, "x", O_RDONLY);
	CHECK_OK("from no descriptor, absolute", openat, 999, "/dev/null", O_RDONLY);
	CHECK_OK("a mode that is not", openat, AT_FDCWD, "new", O_CREAT | O_RDONLY, 0177777);
	fd = open("made", O_CREAT | O_RDONLY, 0400);
	say("mode 0400", "%d", fd >= 0);
}

static void
show_fd(const char *what, int fd)
{
	say(what, "%ld", (long)lseek(fd, 0, SEEK_CUR));
}

FAMILY(readwrite)
{
	int fd = file_of("file", 10), ap = open("file", O_RDWR | O_APPEND), ro = open("file", 0);
	struct iovec iov[3] = {{"abc", 3}, {NULL, 0}, {"def", 3}};
	char buf[64];

	CHECK("read", read, fd, buf, 4);
	show_fd("position", fd);
	CHECK("read over the end", read, fd, buf, 64);
	CHECK("read at the end", read, fd, buf, 64);
	CHECK("read of nothing", read, fd, buf, 0);
	CHECK("read of nothing to nowhere", read, fd, 1, 0);
	CHECK("pread", pread64, fd, buf, 4, 8);
	CHECK("pread past the end", pread64, fd, buf, 4, 100);
	CHECK("pread at -1", pread64, fd, buf, 4, -1l);
	show_fd("position after", fd);
	CHECK("append", write, ap, "xy", 2);
	show_fd("its position", ap);
	CHECK("pwrite to an appending one", pwrite64, ap, "zz", 2, 0);
	CHECK("size", lseek, fd, 0, SEEK_END);
	CHECK("writev", writev, fd, iov, 3);
	CHECK("writev of nothing", writev, fd, iov, 0);
	CHECK("writev of -1", writev, fd, iov, -1);
	CHECK("writev of 1025", writev, fd, iov, 1025);
	iov[1].iov_len = (size_t)-1;
	CHECK("writev of -1 bytes", writev, fd, iov, 3);
	iov[1].iov_len = 10;
	CHECK("writev with a bad part", writev, fd, iov, 3);
	CHECK("write to read-only", write, ro, "x", 1);
	CHECK("write nothing to read-only", write, ro, "x", 0);
	CHECK("write nothing from nowhere", write, fd, 1, 0);
	CHECK("preadv", preadv, fd, iov, 1, 0);
	CHECK("preadv2", preadv2, fd, ((struct iovec[]){{buf, 5}}), 1, 0l, 0l, 0);
	CHECK("preadv2 with a flag", preadv2, fd, ((struct iovec[]){{buf, 5}}), 1, 0l, 0l, 0x10000);
	CHECK("lseek -1", lseek, fd, -1l, SEEK_SET);
	CHECK("lseek far", lseek, fd, 1l << 40, SEEK_SET);
	CHECK("read there", read, fd, buf, 4);
	CHECK("lseek whence 5", lseek, fd, 0, 5);
	CHECK("lseek whence -1", lseek, fd, 0, -1);
	CHECK("lseek past all", lseek, fd, INT64_MAX, SEEK_CUR);
	CHECK("data", lseek, fd, 0, SEEK_DATA);
	CHECK("data past the end", lseek, fd, 1000, SEEK_DATA);
	CHECK("hole", lseek, fd, 0, SEEK_HOLE);
	CHECK("pwrite far", pwrite64, fd, "far", 3, 3 * PAGE);
	CHECK("the hole before", pread64, fd, buf, 4, 2 * PAGE);
	say("it is", "%d", buf[0]);
	CHECK("a folder", read, open(".", O_RDONLY), buf, 10);
	CHECK("O_PATH", read, open("file", O_PATH), buf, 10);
	CHECK("closed", read, 999, buf, 10);
	CHECK("huge", read, fd, buf, -1ul);
	CHECK("sendfile", sendfile, fd, ro, NULL, 5);
	CHECK("fsync", fsync, fd);
	CHECK("fdatasync of nothing", fdatasync, 999);
	CHECK("copy_file_range", copy_file_range, ro, NULL, open("copy", O_CREAT | O_RDWR, 0600),
	      NULL, 5, 0);
}

FAMILY(truncate)
{
	int fd = file_of("file", 100), ro = open("file", O_RDONLY);
	char buf[16];
	struct stat st;

	CHECK("shrink", ftruncate, fd, 10);
	CHECK("grow", ftruncate, fd, 50);
	pread(fd, buf, 16, 8);
	say("zeros behind", "%d %d %d", buf[1], buf[2], buf[15]);
	CHECK("-1", ftruncate, fd, -1l);
	CHECK("huge", ftruncate, fd, 1l << 40);
	fstat(fd, &st);
	say("size", "%ld", (long)st.st_size);
	CHECK("read-only", ftruncate, ro, 1);
	CHECK("closed", ftruncate, 999, 1);
	CHECK("by name", truncate, "file", 5);
	CHECK("by name, -1", truncate, "file", -1l);
	CHECK("none", truncate, "none", 5);
	CHECK("a folder", truncate, ".", 5);
	CHECK("a device", truncate, "/dev/null", 5);
	CHECK("allocate", fallocate, fd, 0, 0, 200);
	fstat(fd, &st);
	say("size then", "%ld", (long)st.st_size);
	CHECK("allocate nothing", fallocate, fd, 0, 0, 0);
	CHECK("allocate at -1", fallocate, fd, 0, -1l, 10);
	CHECK("open to truncate", close, open("file", O_RDWR | O_TRUNC));
	fstat(fd, &st);
	say("size at last", "%ld", (long)st.st_size);
}

FAMILY(descriptors)
{
	int fd = open("/dev/null", O_RDWR), fd2, flags;

	CHECK("dup2 to itself", dup2, fd, fd);
	CHECK("dup2 of closed to itself", dup2, 999, 999);
	CHECK("dup2 to -1", dup2, fd, -1);
	CHECK("dup2 to a million", dup2, fd, 100000000);
	CHECK("dup2", dup2, fd, 50);
	CHECK("dup3 to itself", dup3, fd, fd, 0);
	CHECK("dup3 with a flag", dup3, fd, 51, 1);
	CHECK("dup3 close-on-exec", dup3, fd, 51, O_CLOEXEC);
	CHECK("its flag", fcntl, 51, F_GETFD);
	CHECK("dup", dup, 999);
	close(51);
	fd2 = dup(fd);
	say("the lowest", "%d", fd2 == fd + 1);
	CHECK("F_DUPFD", fcntl, fd, F_DUPFD, 60);
	CHECK("F_DUPFD again", fcntl, fd, F_DUPFD, 60);
	CHECK("F_DUPFD -1", fcntl, fd, F_DUPFD, -1);
	CHECK("F_DUPFD_CLOEXEC", fcntl, fd, F_DUPFD_CLOEXEC, 70);
	CHECK("its flag then", fcntl, 70, F_GETFD);
	CHECK("F_SETFD", fcntl, 70, F_SETFD, 0);
	CHECK("its flag at last", fcntl, 70, F_GETFD);
	fd2 = open("file", O_CREAT | O_RDWR | O_APPEND, 0600);
	flags = fcntl(fd2, F_GETFL);
	say("flags", "%o", flags);
	CHECK("F_SETFL", fcntl, fd2, F_SETFL, O_NONBLOCK | O_RDONLY | O_EXCL);
	say("flags then", "%o", fcntl(fd2, F_GETFL));
	CHECK("F_GETFL of closed", fcntl, 999, F_GETFL);
	CHECK("nonsense", fcntl, fd, 9999, 0);
	CHECK("close", close, fd);
	CHECK("close again", close, fd);
	CHECK("close -1", close, -1);
	CHECK("close_range of nothing", close_range, 60, 59, 0);
	CHECK("close_range with a flag", close_range, 60, 61, 1);
	CHECK("close_range", close_range, 60, 65, 0);
	CHECK("closed then", fcntl, 60, F_GETFD);
	CHECK("FIONREAD of a file", ioctl, fd2, 0x541b, &flags);
	CHECK("nonsense ioctl", ioctl, fd2, 0x12345678, &flags);
	CHECK("FIOCLEX", ioctl, fd2, 0x5451, 0);
	CHECK("it closes", fcntl, fd2, F_GETFD);
	CHECK("FIONCLEX", ioctl, fd2, 0x5450, 0);
	CHECK("isatty of null", ioctl, 50, 0x5401, &flags);
}

static int lock_fd;

static void
tries(void *arg)
{
	struct flock *fl = arg;

	_exit(fcntl(lock_fd, F_SETLK, fl) == 0 ? 0 : errno);
}

static void
tries_flock(void *arg)
{
	int fd = open("file", O_RDWR);

	_exit(flock(fd, (int)(long)arg | LOCK_NB) == 0 ? 0 : errno);
}

FAMILY(locks)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10},
		     o = fl;
	int fd = file_of("file", 100), ro = open("file", O_RDONLY);

	lock_fd = fd;
	CHECK("take", fcntl, fd, F_SETLK, &fl);
	CHECK("take again", fcntl, fd, F_SETLK, &fl);
	say("another, the same", "%s", ending(tries, &o));
	o.l_start = 20;
	say("another, beside", "%s", ending(tries, &o));
	o.l_start = 19;
	say("another, the last byte", "%s", ending(tries, &o));
	fl.l_type = F_RDLCK;
	CHECK("to read", fcntl, fd, F_SETLK, &fl);
	o.l_type = F_RDLCK;
	say("another reader", "%s", ending(tries, &o));
	fl.l_type = F_UNLCK;
	CHECK("let go", fcntl, fd, F_SETLK, &fl);
	o.l_type = F_WRLCK;
	say("another writer", "%s", ending(tries, &o));
	CHECK("ask", fcntl, fd, F_GETLK, &o);
	say("it is free", "%d", o.l_type == F_UNLCK);
	o = (struct flock){.l_type = F_WRLCK};
	CHECK("write lock of read-only", fcntl, ro, F_SETLK, &o);
	o.l_type = 77;
	CHECK("nonsense type", fcntl, fd, F_SETLK, &o);
	o = (struct flock){.l_type = F_RDLCK, .l_whence = 9};
	CHECK("nonsense whence", fcntl, fd, F_SETLK, &o);
	o = (struct flock){.l_type = F_RDLCK, .l_start = -5};
	CHECK("before the start", fcntl, fd, F_SETLK, &o);
	CHECK("bad pointer", fcntl, fd, F_SETLK, 1);
	CHECK("flock", flock, fd, LOCK_EX);
	say("another's flock", "%s", ending(tries_flock, (void *)LOCK_EX));
	CHECK("flock shared", flock, fd, LOCK_SH);
	say("another's, shared", "%s", ending(tries_flock, (void *)LOCK_SH));
	CHECK("flock nonsense", flock, fd, 77);
	CHECK("flock unlock", flock, fd, LOCK_UN);
	CHECK("flock of closed", flock, 999, LOCK_UN);
}
