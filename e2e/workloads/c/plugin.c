/*
 * The library that c-dlopen loads. It is built twice, into libplugin.so and libplugin-twin.so: the code is the same byte for
 * byte, only the names and the build id differ. Writing the twin over a copy that is mapped therefore keeps the program
 * running, while whoever reads the file again reads names that were never true.
 */
#include "workload.h"

#ifndef LEAF
#define LEAF plugin_leaf
#endif

FRAME static uint64_t LEAF(uint64_t seed)
{
	return churn(seed, 1000000);
}

/* The one exported name. */
FRAME uint64_t plugin_entry(uint64_t seed)
{
	return LEAF(seed) + 1;
}
