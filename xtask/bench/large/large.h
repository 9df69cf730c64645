/* What a large program is made of: units that enlist their functions, and a main that runs them. */
#ifndef LARGE_H
#define LARGE_H

#include "workload.h"

/* Calls other functions until `depth` is 0, then works for some microseconds. */
typedef uint64_t work(uint64_t seed, long depth);

#ifdef __cplusplus
extern "C" {
#endif

/* Adds functions; before main. */
void enlist(work *const *functions, size_t count);

/* Any of all functions, or the leaf. */
uint64_t go_on(uint64_t seed, long depth);

#ifdef __cplusplus
}
#endif

#endif
