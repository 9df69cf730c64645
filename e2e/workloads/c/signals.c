/* main → spin → (a signal) → on_tick → busy_leaf. The handler has a stack of its own with `--stack 1`. */
#include "workload.h"

#include <signal.h>
#include <sys/time.h>

FRAME static uint64_t busy_leaf(uint64_t seed)
{
	return churn(seed, 20000000);
}

/* A signal in a millisecond. A timer that repeats could be due again when the handler returns, and hold up `spin` where it is. */
static void arm(void)
{
	struct itimerval tick = { { 0, 0 }, { 0, 1000 } };

	setitimer(ITIMER_REAL, &tick, NULL);
}

FRAME static void on_tick(int signal)
{
	sink += busy_leaf((uint64_t)signal);
	arm();
}

FRAME static uint64_t spin(uint64_t end)
{
	uint64_t rounds = 0;

	while (before(end))
		rounds += churn(rounds, 100000) & 1;
	return rounds;
}

int main(int argc, char **argv)
{
	static char space[1 << 16];
	stack_t other = { .ss_sp = space, .ss_size = sizeof(space) };
	struct sigaction action = { .sa_handler = on_tick };
	uint64_t end = deadline(argc, argv);

	if (number(argc, argv, "--stack", 0)) {
		action.sa_flags = SA_ONSTACK;
		sigaltstack(&other, NULL);
	}
	sigaction(SIGALRM, &action, NULL);
	arm();
	ready();
	sink += spin(end);
	return 0;
}
