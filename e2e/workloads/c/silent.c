/*
 * Runs code in anonymous memory, and in its own mount namespace /tmp is a file system that never answers: whoever looks for
 * its perf map waits until this process ends. Needs root and /dev/fuse.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "machine_code.h"
#include "workload.h"

enum { CODE_SIZE = 4096 };

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* Answers the first request, by which the kernel and the file system agree on terms, and no other. */
static void *serve(void *descriptor)
{
	int fd = *(int *)descriptor;
	static char request[1 << 17];

	while (read(fd, request, sizeof request) > 0) {
		struct fuse_in_header *in = (struct fuse_in_header *)request;
		struct {
			struct fuse_out_header head;
			struct fuse_init_out init;
		} answer = {
			.head = { .len = sizeof answer, .unique = in->unique },
			.init = { .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096 },
		};

		if (in->opcode == FUSE_INIT && write(fd, &answer, sizeof answer) < 0)
			perror("answer");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t end = deadline(argc, argv);
	unsigned char *memory = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char options[64];
	pthread_t server;
	int fd;

	if (memory == MAP_FAILED)
		return fail("mmap");
	memcpy(memory, inner, sizeof inner);
	if (mprotect(memory, CODE_SIZE, PROT_READ | PROT_EXEC) != 0)
		return fail("mprotect");
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return fail("unshare");
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail("/dev/fuse");
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (mount("silent", "/tmp", "fuse", 0, options) != 0)
		return fail("mount");
	if (pthread_create(&server, NULL, serve, &fd) != 0)
		return fail("pthread_create");
	ready();
	while (before(end))
		sink += ((code *)memory)(sink);
	_exit(0); /* the server's thread waits for ever */
}
