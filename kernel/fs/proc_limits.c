/*
 * /proc/PID/limits, oom_score and oom_score_adj: what a process may have, and how readily it is
 * killed when memory is short; as proc(5) of Linux has them.
 */
#include "fs/procfs.h"
#include "kern/cred.h"
#include "kern/errno.h"
#include "kern/proc.h"
#include "kern/string.h"

static void
show_limits(struct text *t, struct proc *p)
{
	static const struct {
		const char *name, *unit;
	} rows[RLIM_NLIMITS] = {
	    [RLIMIT_CPU] = {"Max cpu time", "seconds"},
	    [RLIMIT_FSIZE] = {"Max file size", "bytes"},
	    [RLIMIT_DATA] = {"Max data size", "bytes"},
	    [RLIMIT_STACK] = {"Max stack size", "bytes"},
	    [RLIMIT_CORE] = {"Max core file size", "bytes"},
	    [RLIMIT_RSS] = {"Max resident set", "bytes"},
	    [RLIMIT_NPROC] = {"Max processes", "processes"},
	    [RLIMIT_NOFILE] = {"Max open files", "files"},
	    [RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
	    [RLIMIT_AS] = {"Max address space", "bytes"},
	    [RLIMIT_LOCKS] = {"Max file locks", "locks"},
	    [RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
	    [RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
	    [RLIMIT_NICE] = {"Max nice priority", ""},
	    [RLIMIT_RTPRIO] = {"Max realtime priority", ""},
	    [RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
	};
	uint64_t values[2];
	size_t start;

	text_add(
	    t, "Limit                     Soft Limit           Hard Limit           Units     \n");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		rw_rlock(&p->p_lock);
		values[0] = p->p_rlimit[i].rlim_cur;
		values[1] = p->p_rlimit[i].rlim_max;
		rw_unlock(&p->p_lock);
		text_add(t, "%s%*s", rows[i].name, 26 - (int)strlen(rows[i].name), "");
		for (int k = 0; k < 2; k++) {
			start = t->len;
			if (values[k] == RLIM_INFINITY)
				text_add(t, "unlimited");
			else
				text_add(t, "%lu", values[k]);
			text_add(t, "%*s", 21 - (int)(t->len - start), "");
		}
		text_add(t, "%s%*s\n", rows[i].unit, 10 - (int)strlen(rows[i].unit), "");
	}
}

static void
show_oom_score(struct text *t, struct proc *p)
{
	text_add(t, "%lu\n", proc_badness(p) * 1000 / MAX(vm_cnt.v_page_count, 1ul));
}

static void
show_oom_score_adj(struct text *t, struct proc *p)
{
	text_add(t, "%d\n", p->p_oom_score_adj);
}

static int
store_oom_score_adj(struct proc *p, const char *text)
{
	bool minus = *text == '-';
	int n = 0;

	text += minus;
	if (*text == '\0')
		return (EINVAL);
	for (; *text >= '0' && *text <= '9' && n <= OOM_SCORE_ADJ_MAX; text++)
		n = n * 10 + (*text - '0');
	if (*text != '\0' || n > OOM_SCORE_ADJ_MAX)
		return (EINVAL);
	n = minus ? -n : n;
	if (n < p->p_oom_score_adj && !capable(CAP_SYS_RESOURCE))
		return (EACCES);
	__atomic_store_n(&p->p_oom_score_adj, n, __ATOMIC_RELAXED);
	return (0);
}

PROC_PID_FILE(limits, .path = "limits", .type = VREG, .show = show_limits);
PROC_PID_FILE(oom_score, .path = "oom_score", .type = VREG, .show = show_oom_score);
PROC_PID_FILE(oom_score_adj, .path = "oom_score_adj", .type = VREG, .show = show_oom_score_adj,
	      .store = store_oom_score_adj);
