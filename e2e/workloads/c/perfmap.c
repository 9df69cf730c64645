/*
 * What a just-in-time compiler does: writes machine code into anonymous memory, makes it executable, names it in
 * /tmp/perf-PID.map and runs it: main → call_code → `Script:outer demo.js:1` → `Script:*inner demo.js:7`.
 * The map is written before `ready` and removed at the end, on SIGTERM and SIGINT as well.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine_code.h"
#include "workload.h"

/* uint64_t outer(uint64_t seed): calls the code at offset 0x40. */
static const unsigned char outer[] = {
	0x55,                         /* push rbp             */
	0x48, 0x89, 0xe5,             /* mov  rbp, rsp        */
	0xe8, 0x37, 0x00, 0x00, 0x00, /* call +0x37 (to 0x40) */
	0x48, 0xff, 0xc0,             /* inc  rax             */
	0x5d,                         /* pop  rbp             */
	0xc3,                         /* ret                  */
};

enum { INNER_AT = 0x40, CODE_SIZE = 4096 };
_Static_assert(sizeof outer <= INNER_AT, "outer must end before inner begins");

static char path[64];

/* Removes the map and dies of the signal. */
static void remove_map(int number_of_signal)
{
	unlink(path);
	signal(number_of_signal, SIG_DFL);
	raise(number_of_signal);
}

FRAME static uint64_t call_code(code *compiled, uint64_t seed)
{
	return compiled(seed) + 1;
}

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv);
	unsigned char *memory = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FILE *map;

	if (memory == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	memcpy(memory, outer, sizeof outer);
	memcpy(memory + INNER_AT, inner, sizeof inner);
	if (mprotect(memory, CODE_SIZE, PROT_READ | PROT_EXEC) != 0) {
		perror("mprotect");
		return 1;
	}
	snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
	signal(SIGTERM, remove_map);
	signal(SIGINT, remove_map);
	map = fopen(path, "w");
	if (!map) {
		perror(path);
		return 1;
	}
	fprintf(map, "%" PRIxPTR " %zx Script:outer demo.js:1\n", (uintptr_t)memory, sizeof outer);
	fprintf(map, "%" PRIxPTR " %zx Script:*inner demo.js:7\n", (uintptr_t)memory + INNER_AT, sizeof inner);
	fclose(map);
	ready();
	while (before(end))
		sink += call_code((code *)memory, sink);
	unlink(path);
	return 0;
}
