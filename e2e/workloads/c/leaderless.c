/* A thread, work → orphan_leaf, in a process whose first thread has ended. */
#include "workload.h"

#include <pthread.h>

static uint64_t end;

FRAME static uint64_t orphan_leaf(uint64_t seed)
{
	return churn(seed, 1000000);
}

FRAME static void *work(void *unused)
{
	(void)unused;
	ready();
	while (before(end))
		sink += orphan_leaf(sink);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	end = deadline(argc, argv);
	if (pthread_create(&thread, NULL, work, NULL) != 0)
		return 1;
	pthread_exit(NULL);
}
