/*
 * copyin and its sisters: the range check in front of copy.S, so that no program can make the
 * kernel read or write the kernel's own memory for it.
 */
#include "kern/machdep.h"
#include "kern/errno.h"
#include "amd64/amd64.h"
#include "machine/pmap_md.h"

/* All of [p, p + len) is in user space; the sum may wrap. */
static bool
user_range(const void *p, size_t len)
{
	return (len <= VM_MAXUSER_ADDRESS && (uint64_t)p <= VM_MAXUSER_ADDRESS - len);
}

int
copyin(const void *uaddr, void *kaddr, size_t len)
{
	return (user_range(uaddr, len) ? user_copy(kaddr, uaddr, len) : EFAULT);
}

int
copyout(const void *kaddr, void *uaddr, size_t len)
{
	return (user_range(uaddr, len) ? user_copy(uaddr, kaddr, len) : EFAULT);
}

int
copyinstr(const void *uaddr, char *kaddr, size_t size, size_t *len)
{
	size_t max, unused;
	int error;

	if (size == 0)
		return (ENAMETOOLONG);
	if (!user_range(uaddr, 1))
		return (EFAULT);
	/* A string that reaches the end of user space before its NUL is a bad address. */
	max = MIN(size, VM_MAXUSER_ADDRESS - (uint64_t)uaddr);
	error = user_copystr(kaddr, uaddr, max, len != NULL ? len : &unused);
	return (error == ENAMETOOLONG && max < size ? EFAULT : error);
}

int
casuword32(uint32_t *uaddr, uint32_t *old, uint32_t new)
{
	return (user_range(uaddr, sizeof(*uaddr)) ? user_cas(uaddr, old, new) : EFAULT);
}

int
clearuser(void *uaddr, size_t len)
{
	return (user_range(uaddr, len) ? user_zero(uaddr, len) : EFAULT);
}
