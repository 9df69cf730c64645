/*
 * main → replaced_work → replaced_leaf. Built twice, into c-replaced and c-replaced-twin: the twin has the same code under
 * other names and another build id. A test starts a copy of the first and renames a copy of the second over it.
 */
#include "workload.h"

#ifndef WORK
#define WORK replaced_work
#define LEAF replaced_leaf
#endif

FRAME static uint64_t LEAF(uint64_t seed)
{
	return churn(seed, 1000000);
}

FRAME static uint64_t WORK(uint64_t seed)
{
	return LEAF(seed) + 1;
}

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv);

	ready();
	while (before(end))
		sink += WORK(sink);
	return 0;
}
