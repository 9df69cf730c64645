/*
 * Takes the memory of its own code away and puts a copy in its place, thirty times a second: now one in no file, now the file's again, now
 * one of a file that has gone. main → turn → the code, which is in a section of its own and has a frame pointer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine_code.h"
#include "workload.h"

enum { PAGE = 4096 };

__attribute__((section("moved,\"ax\",@progbits#"), aligned(PAGE), used)) static const char text[PAGE];

static int fail(const char *what)
{
	perror(what);
	return 1;
}

FRAME static uint64_t turn(uint64_t seed)
{
	return ((code *)(uintptr_t)text)(seed) + 1;
}

/* The code in memory of its own, or in that of the file. */
static int put(int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE;
	char *copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (copy == MAP_FAILED)
		return fail("mmap");
	memcpy(copy, inner, sizeof inner);
	if (mprotect(copy, PAGE, PROT_READ | PROT_EXEC) != 0)
		return fail("mprotect");
	if (mremap(copy, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, text) == MAP_FAILED)
		return fail("mremap");
	return 0;
}

/* A file of one page without a name. */
static int nameless(void)
{
	int fd = (int)syscall(SYS_memfd_create, "moved", 0);

	return fd < 0 || ftruncate(fd, PAGE) != 0 ? -1 : fd;
}

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv);
	int own = open("/proc/self/exe", O_RDONLY);

	if (own < 0 || put(-1) != 0)
		return 1;
	ready();
	for (int round = 0; before(end); round++) {
		uint64_t next = clock_ns(CLOCK_MONOTONIC) + 33000000;
		int fd = round % 3 == 0 ? -1 : round % 3 == 1 ? own : nameless();

		if (put(fd) != 0)
			return 1;
		if (fd >= 0 && fd != own)
			close(fd);
		while (before(next))
			sink += turn(sink);
	}
	return 0;
}
