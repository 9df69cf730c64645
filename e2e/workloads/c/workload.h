/*
 * What every C and C++ workload shares: its arguments, its `ready` line, its end, and a loop that only burns CPU.
 *
 * A function marked FRAME keeps a frame of its own: it is neither inlined, cloned, nor left by a tail call (the Makefile
 * passes -fno-optimize-sibling-calls), so that the stack of a sample is the stack in the source.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__GNUC__) && !defined(__clang__)
#define FRAME __attribute__((noipa))
#else
#define FRAME __attribute__((noinline))
#endif

/* Keeps results alive. Unused in a file that brings a sink of its own. */
static volatile uint64_t sink __attribute__((unused));

/* The text after `name` in the arguments, or NULL. */
static inline const char *option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	return NULL;
}

/* The whole number after `name`, or `otherwise`; ends the program with status 2 on anything else. */
static inline long number(int argc, char **argv, const char *name, long otherwise)
{
	const char *text = option(argc, argv, name);
	char *end;
	long value;

	if (!text)
		return otherwise;
	value = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || value < 0) {
		fprintf(stderr, "%s: %s wants a whole number, not `%s`\n", argv[0], name, text);
		exit(2);
	}
	return value;
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* When `--seconds` (30 if absent) are over, on the monotonic clock. */
static inline uint64_t deadline(int argc, char **argv)
{
	return clock_ns(CLOCK_MONOTONIC) + (uint64_t)number(argc, argv, "--seconds", 30) * 1000000000u;
}

static inline int before(uint64_t deadline_ns)
{
	return clock_ns(CLOCK_MONOTONIC) < deadline_ns;
}

/* Tells the test that the steady state is reached. */
static inline void ready(void)
{
	puts("ready");
	fflush(stdout);
}

/*
 * `rounds` of arithmetic, a million in about a millisecond, inside the caller's own frame. The variable on the stack is what makes
 * GCC keep that frame: it drops the frame of a leaf that never touches the stack, whatever the flags, and a walk by frame
 * pointers then loses the leaf's caller.
 */
static inline __attribute__((always_inline)) uint64_t churn(uint64_t seed, int rounds)
{
	volatile uint64_t start = seed;

	seed = start;
	for (int i = 0; i < rounds; i++)
		seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed;
}

#endif
