/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Births, execs and deaths of processes, as they happen. Only bookkeeping hangs on them: a lost one is repaired by the
 * next scan of /proc. Raw tracepoints need neither tracefs nor kprobes. */
#ifndef PYROPE_PROCESS_H
#define PYROPE_PROCESS_H

#include "maps.bpf.h"

static __always_inline void send_event(u32 kind, struct task_struct *task, u32 parent)
{
	struct counters_value *c = this_counters();
	if (!c)
		return;
	COUNT(c, process_events);
	struct process_event e = {};
	e.kind = kind;
	e.tgid = BPF_CORE_READ(task, tgid);
	e.ktime = bpf_ktime_get_ns();
	e.start_time = BPF_CORE_READ(task, group_leader, start_boottime);
	e.parent = parent;
	u64 gap = kind == RECORD_EXEC ? GAP_PROCESS : GAP_NEVER;
	u64 flags = wake_flags(c, &proc_events, PROC_EVENTS_BYTES / 2, gap, e.ktime);
	if (bpf_ringbuf_output(&proc_events, &e, sizeof(e), flags))
		COUNT(c, process_events_lost);
}

/* (parent, child) */
SEC("raw_tp/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (void *)ctx->args[0], *child = (void *)ctx->args[1];
	if (BPF_CORE_READ(child, pid) == BPF_CORE_READ(child, tgid))
		send_event(RECORD_FORK, child, BPF_CORE_READ(parent, tgid));
	return 0;
}

/* (task, old pid, linux_binprm) */
SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	send_event(RECORD_EXEC, (void *)ctx->args[0], 0);
	return 0;
}

/* (task); for each thread. The last one takes the process with it. */
SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		send_event(RECORD_EXIT, task, 0);
	return 0;
}

#endif
