/*
 * floor OBJECT: runs floor.bpf.o at 97 Hz on each CPU and empties its ring four times a second until it is killed.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int drop(void *context, void *data, size_t size)
{
	(void)context;
	(void)data;
	(void)size;
	return 0;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = 97,
	};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct bpf_object *object;
	struct bpf_program *program;
	struct ring_buffer *ring;

	if (argc != 2) {
		fprintf(stderr, "usage: floor OBJECT\n");
		return 2;
	}
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object))
		return fail(argv[1]);
	program = bpf_object__find_program_by_name(object, "floor_sample");
	for (int cpu = 0; cpu < cpus; cpu++) {
		int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 || !bpf_program__attach_perf_event(program, fd))
			return fail("perf event");
	}
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "ring"), drop, NULL, NULL);
	if (!ring)
		return fail("ring");
	puts("ready");
	fflush(stdout);
	for (;;) {
		ring_buffer__consume(ring);
		usleep(250000);
	}
}
