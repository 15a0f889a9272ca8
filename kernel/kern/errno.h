/*
 * Error numbers: Linux's values, because they cross the system-call boundary. Inside the kernel
 * functions return them positive, 0 is success (FreeBSD's habit); kernel/linux negates.
 */
#pragma once

/* clang-format off */
enum {
	EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, ENXIO = 6, E2BIG = 7, ENOEXEC = 8,
	EBADF = 9, ECHILD = 10, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EFAULT = 14, EBUSY = 16,
	EEXIST = 17, EXDEV = 18, ENODEV = 19, ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENFILE = 23,
	EMFILE = 24, ENOTTY = 25, ETXTBSY = 26, EFBIG = 27, ENOSPC = 28, ESPIPE = 29, EROFS = 30,
	EMLINK = 31, EPIPE = 32, EDOM = 33, ERANGE = 34, EDEADLK = 35, ENAMETOOLONG = 36,
	ENOLCK = 37, ENOSYS = 38, ENOTEMPTY = 39, ELOOP = 40, ENODATA = 61, EOVERFLOW = 75,
	ELIBBAD = 80, ENOTSOCK = 88, EDESTADDRREQ = 89, EMSGSIZE = 90, EPROTOTYPE = 91,
	ENOPROTOOPT = 92, EPROTONOSUPPORT = 93, ESOCKTNOSUPPORT = 94, EOPNOTSUPP = 95,
	EAFNOSUPPORT = 97, EADDRINUSE = 98, ECONNRESET = 104, ENOBUFS = 105, EISCONN = 106,
	ENOTCONN = 107, ETOOMANYREFS = 109, ETIMEDOUT = 110, ECONNREFUSED = 111,
	/* Never seen by a program: a signal cut the call's sleep short and it has done nothing yet.
	 * It is EINTR if the signal's handler runs without SA_RESTART (RESTARTNOHAND: if any handler
	 * runs), and else the call begins again. */
	ERESTART = 512, ERESTARTNOHAND = 514,
	ERESTARTNOINTR = 513, /* it begins again in any case */
};
/* clang-format on */
