/* main → sort_forever → functions of libc, which keep no frame pointer → compare. */
#include "workload.h"

FRAME static int compare(const void *a, const void *b)
{
	sink += churn(sink, 2000);
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

FRAME static void sort_forever(uint64_t end)
{
	int numbers[256];

	while (before(end)) {
		for (int i = 0; i < 256; i++)
			numbers[i] = (i * 7919) % 257;
		qsort(numbers, 256, sizeof(int), compare);
		sink += (uint64_t)numbers[0];
	}
}

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv);

	ready();
	sort_forever(end);
	return 0;
}
