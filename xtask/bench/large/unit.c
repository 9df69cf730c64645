/*
 * A thousand functions without frame pointers, or, as a LIBRARY, fifty; ROOMY ones have as much code for an unwind row as programs usually
 * have. The name `unit_0000` is replaced in the object file by another of its length, so that each copy has names of its own.
 */
#include "large.h"

#define TEN(each, n) \
	each(n##0) each(n##1) each(n##2) each(n##3) each(n##4) each(n##5) each(n##6) each(n##7) each(n##8) each(n##9)
#define HUNDRED(each, n) \
	TEN(each, n##0) TEN(each, n##1) TEN(each, n##2) TEN(each, n##3) TEN(each, n##4) \
	TEN(each, n##5) TEN(each, n##6) TEN(each, n##7) TEN(each, n##8) TEN(each, n##9)
#define THOUSAND(each, n) \
	HUNDRED(each, n##0) HUNDRED(each, n##1) HUNDRED(each, n##2) HUNDRED(each, n##3) HUNDRED(each, n##4) \
	HUNDRED(each, n##5) HUNDRED(each, n##6) HUNDRED(each, n##7) HUNDRED(each, n##8) HUNDRED(each, n##9)
#ifdef LIBRARY
#define ALL(each) TEN(each, 10) TEN(each, 11) TEN(each, 12) TEN(each, 13) TEN(each, 14)
#define go_on unit_0000_go_on
static uint64_t go_on(uint64_t seed, long depth);
#else
#define ALL(each) THOUSAND(each, 1)
#endif

#ifdef ROOMY
#define STEP(n) kept[(n) % 2] += (d ^ a) * 0x9e3779b97f4a7c15u + n; d += kept[(n + 1) % 2] >> 7;
#define WORK(n) \
	STEP(n) STEP(n + 1) STEP(n + 2) STEP(n + 3) STEP(n + 4) STEP(n + 5) STEP(n + 6) STEP(n + 7) \
	STEP(n + 8) STEP(n + 9) STEP(n + 10) STEP(n + 11) STEP(n + 12) STEP(n + 13) STEP(n + 14) STEP(n + 15)
#else
#define WORK(n)
#endif

/* What lives across the call takes registers, and some of the stack. */
#define FUNCTION(n) \
	FRAME static uint64_t unit_0000_##n(uint64_t seed, long depth) \
	{ \
		uint64_t a = seed * (n + 3), b = seed ^ n, c = a + (b >> 7), d = a ^ (c << 3), e = b * d, f = c - e; \
		volatile uint64_t kept[2 + n % 5]; \
		kept[0] = kept[1] = e; \
		if (seed % (n + 17) == 3) \
			return a ^ f; \
		WORK(n) \
		seed = go_on(seed + d, depth); \
		return (((seed + a) ^ b) * c - d + (e ^ f)) ^ kept[n % 2]; \
	}
#define NAME(n) unit_0000_##n,

ALL(FUNCTION)

static work *const functions[] = { ALL(NAME) };

#ifdef LIBRARY
FRAME static uint64_t unit_0000_leaf(uint64_t seed)
{
	return churn(seed, 20000);
}

FRAME static uint64_t go_on(uint64_t seed, long depth)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return depth > 0 ? functions[(seed >> 33) % (sizeof functions / sizeof *functions)](seed, depth - 1) : unit_0000_leaf(seed);
}

/* The one exported name. */
FRAME uint64_t plugin_entry(uint64_t seed)
{
	return go_on(seed, 6) + 1;
}
#else
__attribute__((constructor)) static void unit_0000_enlist(void)
{
	enlist(functions, sizeof functions / sizeof *functions);
}
#endif
