/*
 * Spends its time in the kernel: main → syscall_loop → issue_read | issue_write | issue_getpid, below which the kernel's frames follow.
 * `--call read` (64 KiB from /dev/zero, the default), `write` (one byte to /dev/null), or `getpid`.
 *
 * The call is made by an instruction here and not by libc's wrapper, which has no frame: it would hide its caller from a walk by
 * frame pointers.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "workload.h"

static char buffer[65536];

/* The variable on the stack keeps the caller's frame, as in churn(). */
static inline __attribute__((always_inline)) long raw_syscall(long number, long a, long b, long c)
{
	volatile long wanted = number;

#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(wanted), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = wanted;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
#else
#error "no system call instruction for this architecture"
#endif
}

FRAME static long issue_read(int file)
{
	return raw_syscall(SYS_read, file, (long)buffer, sizeof buffer);
}

FRAME static long issue_write(int file)
{
	return raw_syscall(SYS_write, file, (long)buffer, 1);
}

FRAME static long issue_getpid(int file)
{
	return raw_syscall(SYS_getpid, file, 0, 0);
}

FRAME static long syscall_loop(long (*issue)(int), int file, int times)
{
	long sum = 0;

	for (int i = 0; i < times; i++)
		sum += issue(file);
	return sum;
}

int main(int argc, char **argv)
{
	const char *call = option(argc, argv, "--call");
	uint64_t end = deadline(argc, argv);
	long (*issue)(int) = issue_read;
	const char *path = "/dev/zero";
	int file;

	if (call && strcmp(call, "write") == 0) {
		issue = issue_write;
		path = "/dev/null";
	} else if (call && strcmp(call, "getpid") == 0) {
		issue = issue_getpid;
	} else if (call && strcmp(call, "read") != 0) {
		fprintf(stderr, "%s: --call wants read, write or getpid, not `%s`\n", argv[0], call);
		return 2;
	}
	file = open(path, O_RDWR);
	if (file < 0) {
		perror(path);
		return 1;
	}
	ready();
	while (before(end))
		sink += (uint64_t)syscall_loop(issue, file, 500);
	return 0;
}
