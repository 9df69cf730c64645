/*
 * Uses `--cpu-ms` (200) of CPU time and exits: main → brief_work → brief_leaf. The time is the process's own, so it burns
 * the same on a busy machine; `--seconds` bounds the wall clock.
 */
#include "workload.h"

FRAME static uint64_t brief_leaf(uint64_t seed)
{
	return churn(seed, 20000);
}

FRAME static uint64_t brief_work(uint64_t seed)
{
	return brief_leaf(seed) + 1;
}

int main(int argc, char **argv)
{
	uint64_t cpu = (uint64_t)number(argc, argv, "--cpu-ms", 200) * 1000000u;
	uint64_t end = deadline(argc, argv);

	ready();
	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < cpu && before(end))
		sink += brief_work(sink);
	return 0;
}
