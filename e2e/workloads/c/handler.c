/* main → turn → signalled → __restore_rt → on_signal → heavy → leaf; the same → light → leaf; turn → leaf. tree.h has the shares. */
#include "tree.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

FRAME static uint64_t heavy(uint64_t seed)
{
	return leaf(seed, HEAVY) + 1;
}

FRAME static uint64_t light(uint64_t seed)
{
	return leaf(seed, LIGHT) + 1;
}

FRAME static void on_signal(int signal)
{
	sink += heavy((uint64_t)signal);
	sink += light(sink);
}

/* The handler runs when the kernel returns from this call, before the next instruction. */
FRAME static long signalled(long process)
{
	long answer;

	__asm__ volatile("syscall" : "=a"(answer) : "a"(SYS_kill), "D"(process), "S"(SIGUSR1) : "rcx", "r11", "memory");
	return answer;
}

FRAME static void turn(long process)
{
	sink += (uint64_t)signalled(process);
	sink += leaf(sink, OWN);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	uint64_t end = deadline(argc, argv);

	sigaction(SIGUSR1, &action, NULL);
	ready();
	while (before(end))
		turn(getpid());
	return 0;
}
