/*
 * abi [FAMILY...]: run these families of checks, or all.
 */
#include "abi.h"
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#define SECONDS 20 /* that a family may take */

extern const struct family *const __start_families[], *const __stop_families[];

static const char *family;

void
say(const char *what, const char *fmt, ...)
{
	char line[1024];
	int len = snprintf(line, sizeof(line), "%s: %s = ", family, what);
	va_list ap;

	va_start(ap, fmt);
	len += vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, ap);
	va_end(ap);
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len] = '\n';
	if (write(1, line, (size_t)len + 1) < 0) /* at once: the next check may be the last */
		_exit(99);
}

const char *
named(const char *fmt, ...)
{
	static char buf[4][256];
	static int next;
	char *s = buf[next++ % 4];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s, sizeof(buf[0]), fmt, ap);
	va_end(ap);
	return (s);
}

const char *
errname(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
#define E(name) {name, #name}
	    E(EPERM),           E(ENOENT),     E(ESRCH),        E(EINTR),        E(EIO),
	    E(ENXIO),           E(E2BIG),      E(ENOEXEC),      E(EBADF),        E(ECHILD),
	    E(EAGAIN),          E(ENOMEM),     E(EACCES),       E(EFAULT),       E(EBUSY),
	    E(EEXIST),          E(EXDEV),      E(ENODEV),       E(ENOTDIR),      E(EISDIR),
	    E(EINVAL),          E(ENFILE),     E(EMFILE),       E(ENOTTY),       E(ETXTBSY),
	    E(EFBIG),           E(ENOSPC),     E(ESPIPE),       E(EROFS),        E(EMLINK),
	    E(EPIPE),           E(ERANGE),     E(EDEADLK),      E(ENOSYS),       E(ENOTEMPTY),
	    E(ELOOP),           E(ENOTSUP),    E(EOVERFLOW),    E(ETIMEDOUT),    E(ECONNREFUSED),
	    E(ENOTCONN),        E(EADDRINUSE), E(ENOTSOCK),     E(EAFNOSUPPORT), E(EPROTONOSUPPORT),
	    E(ENAMETOOLONG),    E(EISCONN),    E(EDESTADDRREQ), E(EPROTOTYPE),   E(ENOPROTOOPT),
	    E(ESOCKTNOSUPPORT), E(EMSGSIZE),
	};

	for (size_t i = 0; i < NITEMS(names); i++)
		if (names[i].error == error)
			return (names[i].name);
	return (named("errno %d", error));
}

void
result(const char *what, long r)
{
	if (r == -1)
		say(what, "%s", errname(errno));
	else
		say(what, "%ld", r);
}

void
ok(const char *what, long r)
{
	say(what, "%s", r == -1 ? errname(errno) : "ok");
}

const char *
access_to(const void *p)
{
	static int fd = -1;
	char byte = 0;
	int can_read, can_write;

	if (fd < 0)
		fd = open("access", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	can_read = SYS(pwrite64, fd, p, 1, 0) == 1;
	if (!can_read && pwrite(fd, &byte, 1, 0) != 1)
		return ("?");
	can_write = SYS(pread64, fd, p, 1, 0) == 1;
	return (can_write ? can_read ? "rw" : "w" : can_read ? "r" : "none");
}

const char *
status_words(int status)
{
	if (WIFEXITED(status))
		return (named("exit %d", WEXITSTATUS(status)));
	if (WIFSIGNALED(status))
		return (named("signal %d", WTERMSIG(status)));
	if (WIFSTOPPED(status))
		return (named("stopped %d", WSTOPSIG(status)));
	return (WIFCONTINUED(status) ? "continued" : "nonsense");
}

const char *
ending(void (*fn)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return (errname(errno));
	return (status_words(status));
}

char *
fresh(size_t n)
{
	char *p = mmap(NULL, n * PAGE, RW, ANON, -1, 0);

	if (p == MAP_FAILED)
		_exit(98);
	for (size_t i = 0; i < n; i++)
		memset(p + i * PAGE, 'a' + (int)(i % 26), PAGE);
	return (p);
}

int
file_of(const char *name, size_t n)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	char page[PAGE];

	for (size_t i = 0; i * PAGE < n; i++) {
		size_t len = n - i * PAGE < PAGE ? n - i * PAGE : PAGE;

		memset(page, 'A' + (int)(i % 26), PAGE);
		if (write(fd, page, len) != (ssize_t)len)
			_exit(97);
	}
	lseek(fd, 0, SEEK_SET);
	return (fd);
}

/* --- running them ----------------------------------------------------------------------------- */

/* Folders go last; what is left of a family is removed twice as deep as any makes. */
static void
remove_all(const char *path, int depth)
{
	DIR *dir = opendir(path);
	struct dirent *de;
	char name[600];

	while (dir != NULL && (de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, de->d_name);
		if (unlink(name) != 0 && depth < 8)
			remove_all(name, depth + 1);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

static void
child(const struct family *f, const char *folder)
{
	if (chdir(folder) != 0)
		_exit(96);
	umask(022);
	close(0);
	open("/dev/null", O_RDONLY);
	f->run();
	_exit(0);
}

/* How the process ends, SECONDS from now at the latest. */
static const char *
wait_for(pid_t pid)
{
	const struct timespec nap = {0, 2000000};
	time_t end = time(NULL) + SECONDS;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (time(NULL) > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return ("too long");
		}
		nanosleep(&nap, NULL);
	}
	return (status_words(status));
}

static void
run(const struct family *f)
{
	char folder[64];
	pid_t pid;

	snprintf(folder, sizeof(folder), "/tmp/abi.%s", f->name);
	remove_all(folder, 0);
	mkdir(folder, 0755);
	family = f->name;
	pid = fork();
	if (pid == 0)
		child(f, folder);
	say("end", "%s", pid > 0 ? wait_for(pid) : errname(errno));
	remove_all(folder, 0);
}

int
main(int argc, char **argv)
{
	const struct family *const *f;

	for (f = __start_families; f < __stop_families; f++) {
		int wanted = argc == 1;

		for (int i = 1; i < argc; i++)
			wanted |= strcmp(argv[i], (*f)->name) == 0;
		if (wanted)
			run(*f);
	}
	return (0);
}
