/*
 * The end of the world: one report, whatever state the kernel is in, and the machine ends.
 */
#include "kern/panic.h"
#include "kern/console.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/main.h"
#include "kern/proc.h"

volatile bool panicking;

void
panic(const char *fmt, ...)
{
	static int depth;
	char message[400];
	va_list ap;

	static unsigned reporter; /* the CPU, + 1 */
	unsigned nobody = 0;

	cpu_intr_disable();
	/* One CPU reports; another that panics meanwhile has nothing to add. */
	if (!__atomic_compare_exchange_n(&reporter, &nobody, cpu_id() + 1, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED) &&
	    nobody != cpu_id() + 1)
		cpu_stop();
	/* A panic while reporting one only ends the machine; one more, not even that. */
	switch (depth++) {
	case 0:
		break;
	case 1:
		console_report("panic: and another while reporting it: %s\n", fmt);
		machine_panic_exit();
	default:
		cpu_stop();
	}
	panicking = true;
	cpu_stop_others();
	console_panic();
	va_start(ap, fmt);
	kvsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	console_report("panic: %s\n", message);
	console_report("thread %s, process %d\n", curthread->td_name,
		       curproc != NULL ? curproc->p_pid : 0);
	cpu_report(NULL, console_report);
	lock_report(console_report);
	machine_panic_exit();
}
