/*
 * Memory has ended: who is killed for it.
 *
 * It is the process that has most, as Linux reckons. But where a crowd of small ones has the memory,
 * which is what a fork bomb is, the one with most may be a shell that does no harm, and one bomber's
 * few pages are gone as soon as they are free. Then it is the process group that has most, and of it
 * the youngest, as many at once as bring free memory back to its target.
 *
 * The first process goes only when there is no other: its end is everybody's.
 */
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/pgrp.h"
#include "kern/proc.h"
#include "vm/vm_page.h"
#include "vm/vm_pageout.h"

static uint64_t hopeless_until; /* (a) ns: a scan was in vain */

/* What a process has of the kernel's memory, a stack and page tables; no more before it runs. */
#define PROC_PAGES       ((int64_t)atop(KSTACK_SIZE) + 4)
#define ENTRIES_PER_PAGE 16 /* of a map, which are the kernel's memory */
#define IN_VAIN          20 /* times what a scan took pass before the next one */
#define CROWD            16 /* a group is one that has more than so many times what the worst process has */

struct offenders {
	struct proc *worst; /* NULL: there is none */
	struct pgrp *group; /* the one with most, the first process left out; or NULL */
	uint64_t worst_pages, group_pages;
};

/* Who asks again and again does not scan each time: after one in vain, most of the time is others'. */
bool
memory_left(uint64_t pages)
{
	uint64_t want = vm_cnt.v_free_target + pages, begin = cpu_now();

	if (VM_FREE_COUNT() >= want)
		return (true);
	if (begin < hopeless_until)
		return (false);
	vm_pageout(want - VM_FREE_COUNT());
	if (VM_FREE_COUNT() >= want)
		return (true);
	hopeless_until = begin + IN_VAIN * (cpu_now() - begin);
	return (false);
}

uint64_t
proc_badness(struct proc *p)
{
	int adj = __atomic_load_n(&p->p_oom_score_adj, __ATOMIC_RELAXED);
	int64_t pages = (int64_t)proc_resident(p) + PROC_PAGES;

	if (p->p_vm == NULL || adj == OOM_SCORE_ADJ_MIN) /* dead; or spared */
		return (0);
	rw_rlock(&p->p_lock);
	if (p->p_vm != NULL)
		pages += p->p_vm->vm_map.nentries / ENTRIES_PER_PAGE;
	rw_unlock(&p->p_lock);
	pages += adj * (int64_t)(vm_cnt.v_page_count / 1000);
	return (MAX(pages, 1));
}

static void
find_offenders(struct offenders *o)
{
	struct proc *p;
	uint64_t pages;

	TAILQ_FOREACH (p, &allproc, p_list)
		p->p_pgrp->pg_badness = 0;
	TAILQ_FOREACH (p, &allproc, p_list) {
		pages = proc_badness(p);
		if (pages == 0)
			continue;
		if (o->worst == NULL || o->worst->p_pid == 1 || pages > o->worst_pages) {
			o->worst = p;
			o->worst_pages = pages;
		}
		if (p->p_pid == 1)
			continue;
		p->p_pgrp->pg_badness += pages;
		if (p->p_pgrp->pg_badness > o->group_pages) {
			o->group = p->p_pgrp;
			o->group_pages = p->p_pgrp->pg_badness;
		}
	}
}

static void
kill_one(struct proc *p)
{
	klog(LOG_WARNING, "out of memory: killed pid %d (%s), %lu KiB", p->p_pid, p->p_comm,
	     proc_resident(p) * (PAGE_SIZE >> 10));
	proc_kill(p, SIGKILL);
}

/* As many as have what is wanted, the youngest first. */
static void
kill_crowd(const struct pgrp *group, uint64_t want)
{
	uint64_t pages = 0, killed = 0, badness;
	const char *name = "";
	struct proc *p;

	TAILQ_FOREACH_REVERSE(p, &allproc, proclist, p_list)
	{
		badness = p->p_pgrp == group && p->p_pid != 1 ? proc_badness(p) : 0;
		if (badness == 0)
			continue;
		proc_kill(p, SIGKILL);
		name = p->p_comm;
		pages += badness;
		killed++;
		if (pages >= want)
			break;
	}
	klog(LOG_WARNING, "out of memory: killed %lu processes of group %d (%s), %lu KiB", killed,
	     group->pg_id, name, pages * (PAGE_SIZE >> 10));
}

/* Nobody while the memory of one is on its way back. */
bool
vm_oom(void)
{
	struct offenders o = {0};

	thread_reap(); /* the idle thread does not get round to it now */
	if (proc_dying())
		return (true);
	rw_wlock(&proctree_lock); /* one chooses at a time */
	if (!proc_dying())
		find_offenders(&o);
	if (o.worst != NULL && o.group_pages / CROWD > o.worst_pages)
		kill_crowd(o.group, vm_cnt.v_free_target);
	else if (o.worst != NULL)
		kill_one(o.worst);
	rw_unlock(&proctree_lock);
	return (o.worst != NULL || proc_dying());
}
