// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The CPU sample: one perf event a CPU and period, one record into the ring. */
#include "lib/core.h"
#include "lib/maps.bpf.h"
#include "lib/walk.bpf.h"
#include "lib/process.bpf.h"

#define USER_CS_64 0x33

struct user_state {
	u64 pc, fp, sp, cs, orig_ax;
};

/* The registers with which the task last left user mode; false for a task that has none. */
static __always_inline bool user_state_of(struct task_struct *task, struct user_state *u)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___core, BPF_FUNC_task_pt_regs___core)) {
		struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
		u->pc = BPF_CORE_READ(regs, ip);
		u->fp = BPF_CORE_READ(regs, bp);
		u->sp = BPF_CORE_READ(regs, sp);
		u->cs = BPF_CORE_READ(regs, cs);
		u->orig_ax = BPF_CORE_READ(regs, orig_ax);
	} else {
		u64 top = (u64)BPF_CORE_READ(task, stack) + thread_size;
		struct user_regs regs;
		if (bpf_probe_read_kernel(&regs, sizeof(regs), (void *)(top - sizeof(regs))))
			return false;
		u->pc = regs.ip;
		u->fp = regs.bp;
		u->sp = regs.sp;
		u->cs = regs.cs;
		u->orig_ax = regs.orig_ax;
	}
	return u->cs & 3;
}

/* Puts the mappings behind the frames, where the record ends, and hands it over. */
static __always_inline void submit(struct scratch *s, struct counters_value *c)
{
	u32 n = s->head.mappings;
	u64 at = s->head.kernel_frames + s->head.user_frames;
	for (u32 i = 0; i < MAX_MAPPINGS; i++) {
		if (i >= n)
			break;
		/* The compiler must not fold the mask into the loop's own pointer, where the verifier loses it. */
		u64 to = at;
		barrier_var(to);
		to &= WORDS - 1;
		u64 *from = (u64 *)&s->maps[i];
		for (u32 w = 0; w < MAPPING_WORDS; w++)
			s->words[to + w] = from[w];
		at += MAPPING_WORDS;
	}
	u64 size = sizeof(s->head) + (at & (WORDS - 1)) * 8;
	if (bpf_ringbuf_output(&samples, &s->head, size, wake_flags(c, &samples, s->attention, s->head.ktime)))
		COUNT(c, lost_ring_full);
}

SEC("perf_event")
int sample_cpu(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct counters_value *c = this_counters();
	if (!s || !c)
		return 0;
	COUNT(c, taken);

	struct task_struct *task = (void *)bpf_get_current_task();
	u64 id = bpf_get_current_pid_tgid();
	struct sample *head = &s->head;
	head->kind = RECORD_SAMPLE;
	head->flags = 0;
	head->mappings = 0;
	head->kernel_frames = 0;
	head->user_frames = 0;
	head->pad = 0;
	s->attention = false;
	head->tgid = id >> 32;
	head->tid = (u32)id;
	head->ktime = bpf_ktime_get_ns();
	head->start_time = BPF_CORE_READ(task, group_leader, start_boottime);
	head->cgroup = bpf_get_current_cgroup_id();
	head->cpu = bpf_get_smp_processor_id();
	bpf_get_current_comm(head->comm, sizeof(head->comm));

	struct user_state user = {};
	bool has_user;
	u64 mm = (u64)BPF_CORE_READ(task, mm);
	if (ctx->regs.cs & 3) {
		user.pc = ctx->regs.ip;
		user.fp = ctx->regs.bp;
		user.sp = ctx->regs.sp;
		user.cs = ctx->regs.cs;
		has_user = true;
	} else {
		head->flags |= SAMPLE_IN_KERNEL;
		long n = bpf_get_stack(ctx, s->words, MAX_KERNEL_FRAMES * 8, 0);
		if (n > 0)
			head->kernel_frames = (n >> 3) & 127;
		u32 flags = BPF_CORE_READ(task, flags);
		if (flags & PF_KTHREAD)
			head->flags |= SAMPLE_KTHREAD;
		has_user = mm && !(flags & (PF_KTHREAD | PF_IO_WORKER)) && user_state_of(task, &user);
		if (has_user && (s64)user.orig_ax >= 0)
			head->flags |= SAMPLE_IN_SYSCALL;
	}

	u32 end = END_none;
	if (has_user && user.cs != USER_CS_64) {
		end = END_compat;
	} else if (has_user && mm) {
		s->pc = user.pc;
		s->fp = user.fp;
		s->sp = user.sp;
		s->mm = mm;
		s->map_start = 0;
		s->map_size = 0;
		end = walk_user();
	}
	head->end = end;
	submit(s, c);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
