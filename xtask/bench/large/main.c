/* main → any of all functions × `--depth N` (12) → busy_leaf. */
#include "large.h"

static work **all;
static size_t count;

void enlist(work *const *functions, size_t more)
{
	all = realloc(all, (count + more) * sizeof *all);
	memcpy(all + count, functions, more * sizeof *all);
	count += more;
}

FRAME static uint64_t busy_leaf(uint64_t seed)
{
	return churn(seed, 20000);
}

FRAME uint64_t go_on(uint64_t seed, long depth)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return depth > 0 ? all[(seed >> 33) % count](seed, depth - 1) : busy_leaf(seed);
}

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv), seed = 1;
	long depth = number(argc, argv, "--depth", 12);

	if (count == 0)
		return 1;
	ready();
	for (; before(end); sink = seed)
		seed = go_on(seed, depth);
	return 0;
}
