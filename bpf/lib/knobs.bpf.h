/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What user space sets before load, each with a safe default. */
#ifndef PYROPE_KNOBS_H
#define PYROPE_KNOBS_H

/* Where pt_regs end on a kernel stack, for kernels before 5.15, which lack bpf_task_pt_regs: THREAD_SIZE of x86-64
 * without KASAN. */
const volatile u64 thread_size = 16384;

/* User space is asked to read when the ring holds more than this. */
const volatile u64 wake_at_bytes = 1 << 20;

/* An event that wants attention wakes user space at most once in this time, per CPU: a wake-up costs several
 * microseconds on a virtual machine. */
const volatile u64 wake_gap_ns = 5000000;

#endif
