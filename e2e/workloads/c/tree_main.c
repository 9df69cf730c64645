/* main → turn, which is not in C. */
#include "workload.h"

void turn(void);

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv);

	ready();
	while (before(end))
		turn();
	return 0;
}
