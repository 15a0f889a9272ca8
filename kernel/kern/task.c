/*
 * The thread that runs tasks, and their queue.
 */
#include "kern/task.h"
#include "kern/lock.h"
#include "kern/panic.h"
#include "kern/thread.h"

static struct mtx task_mtx = MTX_INITIALIZER("tasks", LR_LEAF);
static STAILQ_HEAD(, task) queue = STAILQ_HEAD_INITIALIZER(queue); /* task_mtx */

void
task_enqueue(struct task *task, void (*fn)(void *arg), void *arg)
{
	task->t_fn = fn;
	task->t_arg = arg;
	mtx_lock(&task_mtx);
	STAILQ_INSERT_TAIL(&queue, task, t_link);
	mtx_unlock(&task_mtx);
	wakeup(&queue);
}

static void
task_main(void *arg __unused)
{
	struct task *task;

	for (;;) {
		mtx_lock(&task_mtx);
		task = STAILQ_FIRST(&queue);
		if (task == NULL) {
			mtx_sleep(&queue, &task_mtx, 0, 0);
			continue;
		}
		STAILQ_REMOVE_HEAD(&queue, t_link);
		mtx_unlock(&task_mtx);
		task->t_fn(task->t_arg);
	}
}

void
task_init(void)
{
	struct thread *td = thread_create(NULL, "tasks", task_main, NULL);

	if (td == NULL)
		panic("no memory for the task thread");
	sched_add(td);
}
