/*
 * Asks for the time by the page that the kernel keeps for old programs: main → turn → asked → [vsyscall]. The kernel does what is asked
 * in a fault, so that its frames follow. x86-64 only.
 */
#include "workload.h"

#include <sys/time.h>

typedef int (*gettimeofday_at)(struct timeval *, void *);

FRAME static uint64_t asked(int times)
{
	gettimeofday_at page = (gettimeofday_at)0xffffffffff600000UL;
	struct timeval now = { 0, 0 };

	for (int i = 0; i < times; i++)
		page(&now, NULL);
	return (uint64_t)now.tv_usec;
}

FRAME static uint64_t turn(void)
{
	return asked(1000) + 1;
}

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv);

	ready();
	while (before(end))
		sink += turn();
	return 0;
}
