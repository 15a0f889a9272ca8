/*
 * System calls on the machine as a whole: its names, its memory, its log, its random numbers.
 */
#include "linux/linux.h"
#include "fs/vnode.h"
#include "kern/cred.h"
#include "kern/kmalloc.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/proc.h"
#include "kern/random.h"
#include "kern/string.h"
#include "kern/sysctl.h"
#include "vm/vm_page.h"

#define UTS_LEN 64 /* bytes of a name, without the NUL */

enum { GRND_NONBLOCK = 1, GRND_RANDOM, GRND_INSECURE = 4 };
enum { SYSLOG_CLOSE, SYSLOG_OPEN, SYSLOG_READ_ALL = 3, SYSLOG_READ_CLEAR, SYSLOG_CLEAR };
enum { SYSLOG_CONSOLE_OFF = 6, SYSLOG_CONSOLE_ON, SYSLOG_CONSOLE_LEVEL, SYSLOG_SIZE = 10 };

/* --- names ------------------------------------------------------------------------------------ */

static struct rwlock names_lock = RW_INITIALIZER("host names", LR_FILE);
/* As struct utsname has them. What programs may set is under names_lock, the rest constant. */
static char names[6][UTS_LEN + 1] = {"Linux",        "quire",  KERNEL_RELEASE,
				     KERNEL_VERSION, "x86_64", "(none)"};
enum { HOST_NAME = 1, DOMAIN_NAME = 5 };

int64_t
sys_uname(void *uname)
{
	char copy[6][UTS_LEN + 1];

	rw_rlock(&names_lock);
	memcpy(copy, names, sizeof(copy));
	rw_unlock(&names_lock);
	return (COPYOUT(&copy, uname));
}

static int64_t
set_name(int which, const char *uname, int len)
{
	char name[UTS_LEN + 1] = "";

	if (!capable(CAP_SYS_ADMIN))
		return (-EPERM);
	if (len < 0 || len > UTS_LEN)
		return (-EINVAL);
	if (copyin(uname, name, (size_t)len) != 0)
		return (-EFAULT);
	rw_wlock(&names_lock);
	memcpy(names[which], name, sizeof(name));
	rw_unlock(&names_lock);
	return (0);
}

int64_t
sys_sethostname(const char *name, int len)
{
	return (set_name(HOST_NAME, name, len));
}

int64_t
sys_setdomainname(const char *name, int len)
{
	return (set_name(DOMAIN_NAME, name, len));
}

static int
show_name(int which, char *buf, size_t size)
{
	int len;

	rw_rlock(&names_lock);
	len = ksnprintf(buf, size, "%s\n", names[which]);
	rw_unlock(&names_lock);
	return (len);
}

static int
store_name(int which, const char *text)
{
	char name[UTS_LEN + 1] = "";

	strlcpy(name, text, sizeof(name));
	rw_wlock(&names_lock);
	memcpy(names[which], name, sizeof(name));
	rw_unlock(&names_lock);
	return (0);
}

#define NAME_KNOB(sym, which)                         \
	static int sym##_show(char *buf, size_t size) \
	{                                             \
		return (show_name(which, buf, size)); \
	}                                             \
	static int sym##_store(const char *text)      \
	{                                             \
		return (store_name(which, text));     \
	}                                             \
	SYSCTL(sysctl_##sym, "kernel/" #sym, sym##_show, sym##_store)

NAME_KNOB(hostname, HOST_NAME);
NAME_KNOB(domainname, DOMAIN_NAME);

/* --- memory ----------------------------------------------------------------------------------- */

int64_t
sys_sysinfo(void *info)
{
	struct sched_stats s;
	struct {
		uint64_t uptime, loads[3], totalram, freeram, shared, buffers, swap[2];
		uint16_t procs;
		uint64_t high[2];
		uint32_t unit;
	} si = {
	    .uptime = cpu_now() / 1000000000,
	    .totalram = ptoa(vm_cnt.v_page_count),
	    .freeram = ptoa(VM_FREE_COUNT()),
	    .procs = proc_count(),
	    .unit = 1,
	};

	sched_stats(&s);
	for (int i = 0; i < 3; i++)
		si.loads[i] = (uint64_t)s.ss_load[i] << (16 - LOAD_SHIFT);
	return (COPYOUT(&si, info));
}

/* --- the log ---------------------------------------------------------------------------------- */

static uint64_t log_cleared; /* atomic: what was written before is not shown again */

/* The last len bytes that were not cleared. */
static int64_t
syslog_read(char *ubuf, size_t len)
{
	uint64_t end = log_written(), first = end > LOG_SIZE ? end - LOG_SIZE : 0;
	uint64_t from = MAX(first, __atomic_load_n(&log_cleared, __ATOMIC_RELAXED));
	size_t n = MIN(len, end - MIN(from, end));
	char *buf;
	int error;

	if (n == 0)
		return (0);
	buf = kmalloc(n, 0);
	if (buf == NULL)
		return (-ENOMEM);
	n = log_read(buf, n, end - n - first);
	error = copyout(buf, ubuf, n);
	kfree(buf);
	return (error != 0 ? -error : (int64_t)n);
}

/* Nobody can wait for new lines here, as the calls 2 and 9 of syslog(2) do. */
int64_t
sys_syslog(int type, char *ubuf, int len)
{
	int64_t result = 0;

	if (!capable(CAP_SYSLOG)) /* as with kernel.dmesg_restrict=1 */
		return (-EPERM);
	switch (type) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return (0);
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (ubuf == NULL || len < 0)
			return (-EINVAL);
		result = syslog_read(ubuf, (size_t)len);
		if (type == SYSLOG_READ_ALL || result < 0)
			return (result);
		break;
	case SYSLOG_CLEAR:
		break;
	case SYSLOG_CONSOLE_OFF:
	case SYSLOG_CONSOLE_ON:
		log_console_mute(type == SYSLOG_CONSOLE_OFF);
		return (0);
	case SYSLOG_CONSOLE_LEVEL:
		if (len < 1 || len > LOG_DEBUG + 1)
			return (-EINVAL);
		log_console_level(len - 1); /* Linux shows what is below it */
		return (0);
	case SYSLOG_SIZE:
		return (LOG_SIZE);
	default:
		return (-EINVAL);
	}
	__atomic_store_n(&log_cleared, log_written(), __ATOMIC_RELAXED);
	return (result);
}

/* --- random numbers --------------------------------------------------------------------------- */

int64_t
sys_getrandom(void *buf, uint64_t len, uint32_t flags)
{
	struct uio uio = {.uio_base = buf, .uio_resid = MIN(len, (uint64_t)INT32_MAX)};
	uint8_t bytes[256];
	int error = 0;

	if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0 ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return (-EINVAL);
	while (uio.uio_resid > 0 && error == 0) {
		random_bytes(bytes, sizeof(bytes));
		error = uiomove(bytes, MIN(uio.uio_resid, sizeof(bytes)), &uio);
	}
	return (error == 0 || uio.uio_offset > 0 ? (int64_t)uio.uio_offset : -error);
}
