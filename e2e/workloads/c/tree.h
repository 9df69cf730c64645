/*
 * A tree of calls whose shares of the CPU time are known: of each 100 rounds in `leaf` 60 come by `heavy`, 30 by `light` and 10 from
 * `turn` itself. What is not in `leaf` is too little to count.
 */
#ifndef TREE_H
#define TREE_H

#include "workload.h"

enum { HEAVY = 30000000, LIGHT = 15000000, OWN = 5000000 };

FRAME static uint64_t leaf(uint64_t seed, int rounds)
{
	return churn(seed, rounds);
}

#endif
