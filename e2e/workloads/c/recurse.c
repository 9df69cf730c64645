/* main → descend × depth → busy_leaf. `--depth N` sets how many descend frames there are. */
#include "workload.h"

#ifndef DEFAULT_DEPTH
#define DEFAULT_DEPTH 10
#endif

FRAME static uint64_t busy_leaf(uint64_t seed)
{
	return churn(seed, 1000000);
}

FRAME static uint64_t descend(long depth, uint64_t seed)
{
	return (depth > 1 ? descend(depth - 1, seed) : busy_leaf(seed)) + 1;
}

int main(int argc, char **argv)
{
	long depth = number(argc, argv, "--depth", DEFAULT_DEPTH);
	uint64_t end = deadline(argc, argv);

	if (depth < 1 || depth > 50000) {
		fprintf(stderr, "%s: --depth wants 1 to 50000\n", argv[0]);
		return 2;
	}
	ready();
	while (before(end))
		sink += descend(depth, sink);
	return 0;
}
