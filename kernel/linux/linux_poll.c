/*
 * System calls that wait for one of several files: poll, select and their kin.
 */
#include "linux/linux.h"
#include "kern/file.h"
#include "kern/kmalloc.h"
#include "kern/machdep.h"
#include "kern/poll.h"
#include "kern/proc.h"

struct linux_pollfd {
	int fd;
	uint16_t events, revents;
};
/* What makes a descriptor ready for each of select's sets. */
#define SELECT_IN  (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SELECT_OUT (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define SELECT_EX  POLLPRI

/* The moment that is ns from now. */
static uint64_t
deadline_in(uint64_t ns)
{
	uint64_t at;

	return (ns == 0 ? 0 : __builtin_add_overflow(cpu_now(), ns, &at) ? UINT64_MAX : at);
}

int
timespec_deadline(const struct linux_timespec *uts, uint64_t *deadline)
{
	int error = timespec_in(uts, deadline);

	*deadline = deadline_in(*deadline);
	return (error);
}

int
sigmask_in(const uint64_t *umask, uint64_t size)
{
	uint64_t mask;

	if (umask == NULL)
		return (0);
	if (size != sizeof(mask))
		return (EINVAL);
	if (copyin(umask, &mask, sizeof(mask)) != 0)
		return (EFAULT);
	signal_tempmask(mask);
	return (0);
}

/* What is left of a wait goes back to the user; who cannot have it does without. */
static void
time_left_out(void *utime, uint64_t deadline, bool micro)
{
	uint64_t now = cpu_now(), left = deadline > now ? deadline - now : 0;
	int64_t words[2] = {left / 1000000000, left % 1000000000};

	if (micro)
		words[1] /= 1000;
	copyout(words, utime, sizeof(words));
}

/* --- poll ------------------------------------------------------------------------------------- */

static int
poll_in(struct pollset *ps, const struct linux_pollfd *ufds, uint32_t n)
{
	struct linux_pollfd pfd;

	for (uint32_t i = 0; i < n; i++) {
		if (copyin(ufds + i, &pfd, sizeof(pfd)) != 0)
			return (EFAULT);
		if (poll_add(ps, pfd.fd, pfd.events | POLLERR | POLLHUP, n - i) == NULL)
			return (ENOMEM);
	}
	return (0);
}

static int
poll_out(struct pollset *ps, struct linux_pollfd *ufds)
{
	struct pollchunk *chunk;
	struct pollent *pe;
	int error = 0;

	POLLSET_FOREACH(pe, chunk, ps)
	{
		if (error == 0)
			error = copyout(&pe->pe_revents, &ufds->revents, sizeof(pe->pe_revents));
		ufds++;
	}
	return (error);
}

static int64_t
do_poll(struct linux_pollfd *ufds, uint32_t n, const uint64_t *deadline)
{
	struct pollset ps = {0};
	size_t ready = 0;
	int error = n > (uint32_t)fd_limit() ? EINVAL : poll_in(&ps, ufds, n);

	if (error == 0)
		error = poll_wait(&ps, deadline, &ready);
	if (error == 0)
		error = poll_out(&ps, ufds);
	poll_end(&ps);
	return (error != 0 ? -error : (int64_t)ready);
}

int64_t
sys_poll(struct linux_pollfd *ufds, uint32_t n, int ms)
{
	uint64_t deadline = deadline_in(MAX(ms, 0) * 1000000ul);

	return (do_poll(ufds, n, ms >= 0 ? &deadline : NULL));
}

int64_t
sys_ppoll(struct linux_pollfd *ufds, uint32_t n, struct linux_timespec *uts, const uint64_t *umask,
	  uint64_t size)
{
	uint64_t deadline;
	int64_t result = uts != NULL ? -timespec_deadline(uts, &deadline) : 0;

	if (result == 0)
		result = -sigmask_in(umask, size);
	if (result != 0)
		return (result);
	result = do_poll(ufds, n, uts != NULL ? &deadline : NULL);
	if (umask != NULL)
		signal_restoremask(result < 0 ? -result : 0);
	if (uts != NULL)
		time_left_out(uts, deadline, false);
	return (result);
}

/* --- select ----------------------------------------------------------------------------------- */

/* The user's sets, of `words` words each, one after the other: in, out, exceptional; and room for
 * the answer. */
struct fdsets {
	uint64_t *bits;
	uint64_t *user[3];
	size_t words;
};
static const uint32_t set_events[3] = {SELECT_IN, SELECT_OUT, SELECT_EX};

static int
sets_in(struct fdsets *sets)
{
	size_t size = sets->words * sizeof(uint64_t);
	int error = 0;

	sets->bits = kmalloc(3 * size + 1, M_ZERO);
	if (sets->bits == NULL)
		return (ENOMEM);
	for (int i = 0; i < 3 && error == 0; i++)
		if (sets->user[i] != NULL)
			error = copyin(sets->user[i], sets->bits + i * sets->words, size);
	return (error);
}

static bool
in_set(const struct fdsets *sets, int i, int fd)
{
	return ((sets->bits[i * sets->words + fd / 64] >> fd % 64 & 1) != 0);
}

static uint32_t
fd_events(const struct fdsets *sets, int fd)
{
	uint32_t events = 0;

	for (int i = 0; i < 3; i++)
		events |= in_set(sets, i, fd) ? set_events[i] : 0;
	return (events);
}

static int
select_add(struct pollset *ps, const struct fdsets *sets, int n)
{
	struct pollent *pe;
	uint32_t events;

	for (int fd = 0; fd < n; fd++) {
		events = fd_events(sets, fd);
		if (events == 0)
			continue;
		pe = poll_add(ps, fd, events, n - fd);
		if (pe == NULL)
			return (ENOMEM);
		if (pe->pe_file == NULL)
			return (EBADF);
	}
	return (0);
}

/* Leave in the sets what is ready; how many bits that is. */
static int
select_result(struct pollset *ps, struct fdsets *sets, int n)
{
	struct pollchunk *chunk = ps->ps_first;
	struct pollent *pe = chunk != NULL ? chunk->pc_ents : NULL;
	int count = 0;

	for (int fd = 0; fd < n; fd++) {
		if (fd_events(sets, fd) == 0)
			continue;
		for (int i = 0; i < 3; i++) {
			if (!in_set(sets, i, fd))
				continue;
			if ((pe->pe_revents & set_events[i]) != 0)
				count++;
			else
				sets->bits[i * sets->words + fd / 64] &= ~(1ul << fd % 64);
		}
		if (++pe == chunk->pc_ents + chunk->pc_used && chunk->pc_next != NULL) {
			chunk = chunk->pc_next;
			pe = chunk->pc_ents;
		}
	}
	return (count);
}

static int
sets_out(const struct fdsets *sets)
{
	int error = 0;

	for (int i = 0; i < 3 && error == 0; i++)
		if (sets->user[i] != NULL)
			error = copyout(sets->bits + i * sets->words, sets->user[i],
					sets->words * sizeof(uint64_t));
	return (error);
}

static int64_t
do_select(int n, uint64_t *in, uint64_t *out, uint64_t *ex, const uint64_t *deadline)
{
	int bound = fd_bound(curproc->p_fd), count = 0;
	struct fdsets sets = {.user = {in, out, ex}};
	struct pollset ps = {0};
	size_t ready;
	int error;

	if (n < 0)
		return (-EINVAL);
	n = MIN(n, bound);
	sets.words = (n + 63) / 64;
	error = sets_in(&sets);
	if (error == 0)
		error = select_add(&ps, &sets, n);
	if (error == 0)
		error = poll_wait(&ps, deadline, &ready);
	if (error == 0) {
		count = select_result(&ps, &sets, n);
		error = sets_out(&sets);
	}
	poll_end(&ps);
	kfree(sets.bits);
	return (error != 0 ? -error : count);
}

int64_t
sys_select(int n, uint64_t *in, uint64_t *out, uint64_t *ex, struct linux_timeval *utv)
{
	struct linux_timeval tv;
	uint64_t deadline = 0;
	int64_t result;

	if (utv != NULL) {
		if (copyin(utv, &tv, sizeof(tv)) != 0)
			return (-EFAULT);
		if (tv.sec < 0 || tv.usec < 0)
			return (-EINVAL);
		tv.sec += tv.usec / 1000000;
		deadline = deadline_in(MIN((uint64_t)tv.sec, 1ul << 33) * 1000000000 +
				       tv.usec % 1000000 * 1000);
	}
	result = do_select(n, in, out, ex, utv != NULL ? &deadline : NULL);
	if (utv != NULL)
		time_left_out(utv, deadline, true);
	return (result);
}

int64_t
sys_pselect6(int n, uint64_t *in, uint64_t *out, uint64_t *ex, struct linux_timespec *uts,
	     const void *uarg)
{
	struct {
		const uint64_t *mask;
		uint64_t size;
	} arg = {0};
	uint64_t deadline;
	int64_t result = uarg != NULL ? -copyin(uarg, &arg, sizeof(arg)) : 0;

	if (result == 0 && uts != NULL)
		result = -timespec_deadline(uts, &deadline);
	if (result == 0)
		result = -sigmask_in(arg.mask, arg.size);
	if (result != 0)
		return (result);
	result = do_select(n, in, out, ex, uts != NULL ? &deadline : NULL);
	if (arg.mask != NULL)
		signal_restoremask(result < 0 ? -result : 0);
	if (uts != NULL)
		time_left_out(uts, deadline, false);
	return (result);
}
