/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What user space sets: before load, each with a safe default, or at any time. The first is the only constant of the object and the
 * second the only variable, so that they are .rodata and .bss. */
#ifndef PYROPE_KNOBS_H
#define PYROPE_KNOBS_H

struct knobs {
	/* Size of a kernel stack, at whose end pt_regs lie: for kernels before 5.15, which lack bpf_task_pt_regs. The default
	 * is THREAD_SIZE of x86-64 without KASAN. */
	u64 thread_size;
	/* User space is asked to read when the ring of samples holds this many bytes. */
	u64 wake_at_bytes;
	/* Whether samples carry the id of their cgroup. It takes several loads that miss the cache, and tells nothing where the
	 * version 2 hierarchy is empty beside version 1. */
	u64 read_cgroup;
};

const volatile struct knobs knobs = {
	.thread_size = 16384,
	.wake_at_bytes = 1 << 18,
	.read_cgroup = 1,
};

/* A load from memory that all CPUs share and nobody writes is less than what it switches off. */
struct switches {
	/* Whether samples carry the name of their thread. */
	u64 read_comm;
};

volatile struct switches switches;

#endif
