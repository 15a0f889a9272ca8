/*
 * System calls on process groups and sessions.
 */
#include "linux/linux.h"
#include "kern/pgrp.h"
#include "kern/proc.h"

int64_t
sys_setpgid(int pid, int pgid)
{
	return (-pgrp_set(pid, pgid));
}

int64_t
sys_getpgid(int pid)
{
	int pgid, sid, error = pgrp_get(pid, &pgid, &sid);

	return (error != 0 ? -error : pgid);
}

int64_t
sys_getpgrp(void)
{
	return (sys_getpgid(0));
}

int64_t
sys_getsid(int pid)
{
	int pgid, sid, error = pgrp_get(pid, &pgid, &sid);

	return (error != 0 ? -error : sid);
}

int64_t
sys_setsid(void)
{
	int error = session_create(curproc);

	return (error != 0 ? -error : curproc->p_pid);
}
