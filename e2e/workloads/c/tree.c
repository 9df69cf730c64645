/* main → turn → heavy → sized → leaf; turn → light → chosen → leaf; turn → leaf. tree.h has the shares. */
#include "tree.h"

#include <alloca.h>

/* A frame whose size only the frame pointer knows. */
FRAME static uint64_t sized(uint64_t seed)
{
	volatile char *space = alloca(16 + seed % 4096);

	space[seed % 16] = 1;
	return leaf(seed, HEAVY) + space[seed % 16];
}

FRAME static uint64_t heavy(uint64_t seed)
{
	uint64_t many[40];

	for (int i = 0; i < 40; i++)
		many[i] = seed + (uint64_t)i;
	seed = sized(many[seed % 40]);
	return seed + many[seed % 40];
}

FRAME static uint64_t chosen(uint64_t seed)
{
	return leaf(seed, LIGHT) + 1;
}

static uint64_t (*volatile choice)(uint64_t) = chosen;

FRAME static uint64_t light(uint64_t seed)
{
	return choice(seed) + seed;
}

FRAME static uint64_t turn(uint64_t seed)
{
	seed = heavy(seed) + 1;
	seed = light(seed) + 1;
	return leaf(seed, OWN) + 1;
}

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv);

	ready();
	while (before(end))
		sink += turn(sink);
	return 0;
}
