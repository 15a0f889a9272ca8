/*
 * What happens while the test devices' populate has let go of the object: the process's own map
 * changes (the map is unlocked, P5, and P12 is to notice), pages are revoked, the call sleeps, the
 * process is killed. With one thread a process can thus meet what otherwise takes two.
 */
#include "drivers/testdev.h"
#include "kern/errno.h"
#include "kern/proc.h"
#include "vm/vm_object.h"
#include "vm/vm_pager.h"

#define MS 1000000ul /* ns */

static void
note_action(struct testdev *td, int error)
{
	mtx_lock(&td->mtx);
	td->record.action_error = error;
	mtx_unlock(&td->mtx);
}

/* Whoever wires a part of this map would wait for itself in vm_map_remove and its like. */
static bool
map_in_transition(vm_map_t map)
{
	bool found;

	vm_map_lock_read(map);
	found = map->ntransition != 0;
	vm_map_unlock_read(map);
	return (found);
}

/* Change the faulting process's own map, which is unlocked (P5), or take pages of the object
 * back. */
static int
act(vm_object_t object, const struct testdev_request *q)
{
	const struct vm_map_req anonymous = {.prot = VM_PROT_RW, .max_prot = VM_PROT_ALL};
	vm_offset_t start = q->addr, end = start + q->length;
	vm_map_t map = &curproc->p_vm->vm_map;

	if (q->action != TESTDEV_REVOKE && map_in_transition(map))
		return (EBUSY);
	switch ((enum testdev_action)q->action) {
	case TESTDEV_UNMAP:
		return (vm_mmap_to_errno(vm_map_remove(map, start, end)));
	case TESTDEV_REMAP:
		return (vm_mmap_to_errno(vm_map_fixed(map, start, q->length, &anonymous)));
	case TESTDEV_PROTECT:
		return (vm_mmap_to_errno(vm_map_protect(map, start, end, (vm_prot_t)q->prot)));
	case TESTDEV_WIRE:
		return (vm_mmap_to_errno(vm_map_wire(map, start, end)));
	case TESTDEV_GROW:
		return (vm_mmap_to_errno(vm_map_insert(map, start, q->length, &anonymous)));
	case TESTDEV_REVOKE:
		cdev_pager_revoke(object, atop(start), atop(end));
		return (0);
	default:
		return (0);
	}
}

/* Sleep as the request says: 0, or EINTR when killed. */
static int
nap(struct testdev *td, const struct testdev_request *q)
{
	int error = 0;

	mtx_lock(&td->mtx);
	while (!td->told && error == 0) {
		error = mtx_sleep(&td->told, &td->mtx, SLEEP_KILL, q->sleep_ms * MS);
		mtx_lock(&td->mtx);
	}
	mtx_unlock(&td->mtx);
	return (error == EINTR ? EINTR : 0);
}

/* Locks: (c) constant  (m) mtx */
struct killer {
	struct mtx mtx;
	struct proc *victim; /* (c) */
	uint64_t delay; /* (c) ns */
	bool done; /* (m) */
};

static void
killer_main(void *arg)
{
	struct killer *k = arg;

	rw_sleep(k, NULL, 0, k->delay);
	proc_kill(k->victim, SIGKILL);
	mtx_lock(&k->mtx);
	k->done = true;
	wakeup(&k->done);
	mtx_unlock(&k->mtx); /* k is gone as soon as it is unlocked */
	thread_exit();
}

/* Sleep while a thread of the kernel's kills the process; the process outlives that thread. */
static int
nap_and_be_killed(struct testdev *td, const struct testdev_request *q)
{
	struct killer k = {.victim = curproc, .delay = MAX(q->kill_ms, 1u) * MS};
	struct thread *killer;
	int error;

	mtx_init(&k.mtx, "killer", LR_LEAF);
	killer = thread_create(NULL, "killer", killer_main, &k);
	if (killer == NULL)
		return (ENOMEM);
	sched_add(killer);
	error = nap(td, q);
	mtx_lock(&k.mtx);
	while (!k.done) {
		mtx_sleep(&k.done, &k.mtx, 0, 0);
		mtx_lock(&k.mtx);
	}
	mtx_unlock(&k.mtx);
	return (error);
}

int
testdev_interlude(struct testdev *td, vm_object_t object, const struct testdev_request *q)
{
	int error = 0;

	if (q->action == TESTDEV_IDLE && (q->flags & (TESTDEV_SLEEP | TESTDEV_KILL)) == 0)
		return (0);
	VM_OBJECT_UNLOCK(object);
	if (q->action != TESTDEV_IDLE)
		note_action(td, act(object, q));
	if ((q->flags & TESTDEV_KILL) != 0)
		error = nap_and_be_killed(td, q);
	else if ((q->flags & TESTDEV_SLEEP) != 0)
		error = nap(td, q);
	VM_OBJECT_WLOCK(object);
	return (error);
}
