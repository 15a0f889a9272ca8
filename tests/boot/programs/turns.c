/* Three threads take turns at a lock as they come; prints who came, a letter each. */
#include <pthread.h>
#include <stdio.h>

#define TURNS 1000

static char came[3 * TURNS + 1];
static int ncame;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *
turns(void *name)
{
	for (int i = 0; i < TURNS; i++) {
		pthread_mutex_lock(&lock);
		came[ncame++] = *(const char *)name;
		pthread_mutex_unlock(&lock);
		for (volatile int j = 0; j < 2000; j++)
			continue;
	}
	return (NULL);
}

int
main(int argc, char **argv)
{
	static const char names[] = "abc";
	pthread_t threads[3];

	(void)argv;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, turns, (void *)(names + i));
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("%s\n", came);
	return (argc - 1);
}
