/* Two coroutines on stacks of their own, by makecontext: __start_context → first → heavy → leaf; __start_context → second →
 * light → leaf; and main → turn → leaf. tree.h has the shares. */
#include "tree.h"

#include <ucontext.h>

static ucontext_t back, one, two;
static char space[2][1 << 16];

FRAME static uint64_t heavy(uint64_t seed)
{
	return leaf(seed, HEAVY) + 1;
}

FRAME static uint64_t light(uint64_t seed)
{
	return leaf(seed, LIGHT) + 1;
}

FRAME static void first(void)
{
	for (;;) {
		sink += heavy(sink);
		swapcontext(&one, &back);
	}
}

FRAME static void second(void)
{
	for (;;) {
		sink += light(sink);
		swapcontext(&two, &back);
	}
}

FRAME static void turn(void)
{
	swapcontext(&back, &one);
	swapcontext(&back, &two);
	sink += leaf(sink, OWN);
}

static void prepare(ucontext_t *context, char *stack, void (*code)(void))
{
	getcontext(context);
	context->uc_stack.ss_sp = stack;
	context->uc_stack.ss_size = sizeof(space[0]);
	context->uc_link = NULL;
	makecontext(context, code, 0);
}

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv);

	prepare(&one, space[0], first);
	prepare(&two, space[1], second);
	ready();
	while (before(end))
		turn();
	return 0;
}
