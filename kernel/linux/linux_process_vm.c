/*
 * process_vm_readv and process_vm_writev: copies between this process's memory and another's,
 * through a page of the kernel's. What was copied before a bad address counts.
 */
#include "linux/linux.h"
#include "fs/vnode.h"
#include "kern/cred.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/proc.h"

/* A list of ranges, and how far one has come in it. */
struct vectors {
	struct iovec *iov;
	uint64_t count, at, done; /* done: bytes of iov[at] */
};

/* EINVAL: too many, or a length below 0. */
static int
vectors_in(struct vectors *v, const struct iovec *uiov, uint64_t count)
{
	int error;

	*v = (struct vectors){.count = count};
	if (count > IOV_MAX)
		return (EINVAL);
	v->iov = kmalloc((count + 1) * sizeof(*v->iov), 0);
	if (v->iov == NULL)
		return (ENOMEM);
	error = copyin(uiov, v->iov, count * sizeof(*v->iov));
	for (uint64_t i = 0; i < count && error == 0; i++)
		error = (int64_t)v->iov[i].iov_len < 0 ? EINVAL : 0;
	return (error);
}

/* Step over ranges that are through; how many bytes come next in one piece, 0 at the end. */
static uint64_t
vectors_next(struct vectors *v, uint64_t *addr)
{
	while (v->at < v->count && v->done == v->iov[v->at].iov_len) {
		v->at++;
		v->done = 0;
	}
	if (v->at == v->count)
		return (0);
	*addr = (uint64_t)v->iov[v->at].iov_base + v->done;
	return (v->iov[v->at].iov_len - v->done);
}

/* Copy up to a page, n bytes; how many were. */
static uint64_t
copy_piece(struct vmspace *vm, uint64_t local, uint64_t remote, uint64_t n, void *page, bool write)
{
	if (write && copyin((void *)local, page, n) != 0)
		return (0);
	n = vmspace_io(vm, remote, page, n, write);
	return (write || copyout(page, (void *)local, n) == 0 ? n : 0);
}

/* As far as both go; a page of the other process at a time, so that a bad one costs no more. */
static int64_t
copy_all(struct vmspace *vm, struct vectors *local, struct vectors *remote, void *page, bool write)
{
	uint64_t from, to, n, left, copied, total = 0;

	while ((n = vectors_next(local, &to)) != 0) {
		left = vectors_next(remote, &from);
		n = MIN(MIN(n, left), PAGE_SIZE - (from & PAGE_MASK));
		if (n == 0)
			break;
		copied = copy_piece(vm, to, from, n, page, write);
		total += copied;
		if (copied < n)
			return (total != 0 ? (int64_t)total : -EFAULT);
		local->done += n;
		remote->done += n;
	}
	return ((int64_t)total);
}

static int64_t
copy_process(int pid, struct vectors *local, struct vectors *remote, bool write)
{
	struct proc *p;
	struct vmspace *vm;
	int64_t result = -ENOMEM;
	uint64_t addr;
	bool allowed;
	void *page;

	if (vectors_next(local, &addr) == 0 || vectors_next(remote, &addr) == 0)
		return (0);
	p = proc_find(pid);
	if (p == NULL)
		return (-ESRCH);
	allowed = cr_cansignal(p) == 0; /* whose processes one may look into, too */
	vm = allowed ? proc_vmspace(p) : NULL;
	proc_rele(p);
	if (vm == NULL)
		return (allowed ? -ESRCH : -EPERM);
	page = kmalloc(PAGE_SIZE, 0);
	if (page != NULL)
		result = copy_all(vm, local, remote, page, write);
	kfree(page);
	vmspace_free(vm);
	return (result);
}

static int64_t
process_vm(int pid, const struct iovec *ulocal, uint64_t nlocal, const struct iovec *uremote,
	   uint64_t nremote, uint64_t flags, bool write)
{
	struct vectors local = {0}, remote = {0};
	int64_t result;

	if (flags != 0)
		return (-EINVAL);
	result = -vectors_in(&local, ulocal, nlocal);
	if (result == 0)
		result = -vectors_in(&remote, uremote, nremote);
	if (result == 0)
		result = copy_process(pid, &local, &remote, write);
	kfree(local.iov);
	kfree(remote.iov);
	return (result);
}

int64_t
sys_process_vm_readv(int pid, const struct iovec *local, uint64_t nlocal,
		     const struct iovec *remote, uint64_t nremote, uint64_t flags)
{
	return (process_vm(pid, local, nlocal, remote, nremote, flags, false));
}

int64_t
sys_process_vm_writev(int pid, const struct iovec *local, uint64_t nlocal,
		      const struct iovec *remote, uint64_t nremote, uint64_t flags)
{
	return (process_vm(pid, local, nlocal, remote, nremote, flags, true));
}
