/* main → sort_forever → descend × `--depth N` (0) → functions of libc, which keep no frame pointer → compare. */
#include "workload.h"

FRAME static int compare(const void *a, const void *b)
{
	sink += churn(sink, 2000);
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static inline __attribute__((always_inline)) void sort(int *numbers)
{
	qsort(numbers, 256, sizeof(int), compare);
	sink += (uint64_t)numbers[0];
}

FRAME static void descend(long depth, int *numbers)
{
	volatile long left = depth;

	if (left > 1)
		descend(left - 1, numbers);
	else
		sort(numbers);
	sink += (uint64_t)left;
}

FRAME static void sort_forever(uint64_t end, long depth)
{
	int numbers[256];

	while (before(end)) {
		for (int i = 0; i < 256; i++)
			numbers[i] = (i * 7919) % 257;
		if (depth > 0)
			descend(depth, numbers);
		else
			sort(numbers);
	}
}

int main(int argc, char **argv)
{
	long depth = number(argc, argv, "--depth", 0);
	uint64_t end = deadline(argc, argv);

	ready();
	sort_forever(end, depth);
	return 0;
}
