// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What every sampling profiler pays at the least: the kernel's own frame-pointer walk of both stacks into a ring, without a wake-up.
 * The kernel ends a walk at kernel.perf_event_max_stack, 127 frames unless it was changed.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

#define MAX_FRAMES 127

struct sample {
	__u64 pid_tgid;
	__u64 time_ns;
	__s32 kernel_bytes;
	__s32 user_bytes;
	__u64 kernel[MAX_FRAMES];
	__u64 user[MAX_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample);
} scratch SEC(".maps");

SEC("perf_event")
int floor_sample(struct bpf_perf_event_data *ctx)
{
	__u32 key = 0;
	struct sample *sample = bpf_map_lookup_elem(&scratch, &key);
	__u64 size = sizeof(*sample) - sizeof(sample->user);

	if (!sample)
		return 0;
	sample->pid_tgid = bpf_get_current_pid_tgid();
	if (!sample->pid_tgid)
		return 0;
	sample->time_ns = bpf_ktime_get_ns();
	sample->kernel_bytes = bpf_get_stack(ctx, sample->kernel, sizeof(sample->kernel), 0);
	sample->user_bytes = bpf_get_stack(ctx, sample->user, sizeof(sample->user), BPF_F_USER_STACK);
	if (sample->user_bytes > 0)
		size += (__u32)sample->user_bytes;
	if (size > sizeof(*sample)) /* never: tells the verifier */
		size = sizeof(*sample);
	bpf_ringbuf_output(&ring, sample, size, BPF_RB_NO_WAKEUP);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
