// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The CPU sample: one perf event a CPU and period, one record into the ring. */
#include "lib/core.h"
#include "lib/maps.bpf.h"
#include "lib/walk.bpf.h"
#include "lib/stack.bpf.h"
#include "lib/check.bpf.h"
#include "lib/cpu.bpf.h"
#include "lib/process.bpf.h"

#define USER_CS_64 0x33
/* Of so many samples of a CPU one is timed, for what sampling costs: a power of two. */
#define TIMED_ONE_IN 16

#define HAS(helper) bpf_core_enum_value_exists(enum bpf_func_id___core, BPF_FUNC_##helper##___core)

/* What is read of the current task. */
struct task_view {
	u64 start_time;
	u32 flags;
	u32 gone; /* it has let go of its memory, which is being taken apart */
	u64 start_stack; /* the stack pointer with which its program began; 0 while exec is still putting the program there */
	struct address_space space;
};

static __always_inline void view_task(struct task_view *t)
{
	if (HAS(get_current_task_btf)) {
		/* Plain loads: the verifier knows the types, and a fault reads as zero. */
		struct task_struct *task = bpf_get_current_task_btf();
		struct mm_struct *mm = task->mm;
		t->gone = false;
		/* Nobody else has it, so nobody else's memory is taken for it. */
		if (!mm && (task->flags & PF_EXITING) && task->active_mm && task->active_mm->mm_users.counter == 0) {
			mm = task->active_mm;
			t->gone = true;
		}
		t->start_time = task->group_leader->start_boottime;
		t->flags = task->flags;
		t->space.mm = (u64)mm;
		t->space.nonce = 0;
		t->space.sequence = 0;
		t->start_stack = 0;
		if (mm) {
			t->start_stack = mm->start_stack;
			t->space.nonce = mm->arg_start ^ t->start_time;
			if (bpf_core_field_exists(mm->mm_lock_seq))
				t->space.sequence = (u32)mm->mm_lock_seq | (1ULL << 32);
			struct mm_struct___v613 *v613 = (void *)mm;
			if (bpf_core_field_exists(v613->mm_lock_seq.sequence)) {
				u64 sequence = v613->mm_lock_seq.sequence;
				if (!(sequence & 1))
					t->space.sequence = sequence | (1ULL << 32);
			}
		}
		return;
	}
	struct task_struct *task = (void *)bpf_get_current_task();
	t->start_time = BPF_CORE_READ(task, group_leader, start_boottime);
	t->flags = BPF_CORE_READ(task, flags);
	t->gone = false;
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	t->space.mm = (u64)mm;
	t->space.nonce = 0;
	t->space.sequence = 0;
	t->start_stack = BPF_CORE_READ(mm, start_stack);
}

struct user_state {
	u64 pc, fp, sp, cs, orig_ax;
};

#define TAKE_STATE(u, from)                                                                                           \
	do {                                                                                                          \
		(u)->pc = (from)->ip, (u)->fp = (from)->bp, (u)->sp = (from)->sp;                                     \
		(u)->cs = (from)->cs, (u)->orig_ax = (from)->orig_ax;                                                 \
	} while (0)

#define TAKE_REGISTERS(to, from)                                                                                      \
	do {                                                                                                          \
		(to)[0] = (from)->r8, (to)[1] = (from)->r9, (to)[2] = (from)->r10, (to)[3] = (from)->r11;             \
		(to)[4] = (from)->r12, (to)[5] = (from)->r13, (to)[6] = (from)->r14, (to)[7] = (from)->r15;           \
		(to)[REG_RDI] = (from)->di, (to)[REG_RSI] = (from)->si, (to)[REG_RBX] = (from)->bx;                   \
		(to)[REG_RDX] = (from)->dx, (to)[REG_RAX] = (from)->ax, (to)[REG_RCX] = (from)->cx;                   \
	} while (0)

/* The registers with which the task last left user mode, where the kernel keeps them; into `regs` all, if it is not NULL. */
static __always_inline bool read_task(struct scratch *s, struct user_state *u, u64 *regs)
{
	if (HAS(task_pt_regs)) {
		struct pt_regs *from = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
		TAKE_STATE(u, from);
		if (regs)
			TAKE_REGISTERS(regs, from);
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();
		u64 top = (u64)BPF_CORE_READ(task, stack) + knobs.thread_size;
		/* The stack of a program is small, and what is above it in the calls needs it. */
		struct user_regs *from = (void *)s->vma;
		if (bpf_probe_read_kernel(from, sizeof(*from), (void *)(top - sizeof(*from))))
			return false;
		TAKE_STATE(u, from);
		if (regs)
			TAKE_REGISTERS(regs, from);
	}
	return u->cs & 3;
}

/* Whether it is the number of a system call of 64-bit programs that puts another program in their place: execve or execveat.
 * Source: arch/x86/entry/syscalls/syscall_64.tbl. */
static __always_inline bool is_exec(u64 call)
{
	return call == 59 || call == 322;
}

/* All registers of the interrupted frame, which few walks need. */
static __always_inline void take_registers(struct scratch *s, struct bpf_perf_event_data *ctx)
{
	struct user_state user;
	if (ctx->regs.cs & 3)
		TAKE_REGISTERS(s->regs, &ctx->regs);
	else if (!read_task(s, &user, s->regs))
		return;
	s->known = 1;
}

/* Keeps the mappings found for the last sample if they are this task's and still hold. A kernel that does not tell has
 * sequence 0. Their tables are forgotten once numbers of tables come again. */
static __always_inline void enter_space(struct scratch *s, struct address_space *space)
{
	s->map_start = 0;
	s->map_size = 0;
	s->table = 0;
	s->map_flags = 0;
	u32 none = 0;
	struct table *numbers = bpf_map_lookup_elem(&tables, &none);
	u32 age = numbers ? numbers->base : 0;
	if (space->sequence && age == s->numbers_age && s->space.mm == space->mm && s->space.nonce == space->nonce &&
	    s->space.sequence == space->sequence)
		return;
	s->space = *space;
	s->numbers_age = age;
	s->mapped = 0;
}

/* Puts what is remembered in a slot into the record. */
__attribute__((noinline)) int put_mapping(u32 slot, u64 at)
{
	struct scratch *s = this_scratch();
	if (!s)
		return 0;
	u64 *from = (u64 *)&s->maps[slot & (MAX_MAPPINGS - 1)].m;
	for (u32 w = 0; w < MAPPING_WORDS; w++)
		s->words[(at + w) & (WORDS - 1)] = from[w];
	return 0;
}

/* Puts the mappings behind the frames, where the record ends, and hands it over. A function of its own, for many ways lead
 * here. */
__attribute__((noinline)) int submit(void)
{
	struct scratch *s = this_scratch();
	struct counters_value *c = this_counters();
	if (!s || !c)
		return 0;
	u32 n = s->head.mappings;
	u64 at = s->head.kernel_frames + s->head.user_frames;
	for (u32 i = 0; i < MAX_MAPPINGS && i < n; i++) {
		put_mapping(s->order[i], at);
		at += MAPPING_WORDS;
	}
	u64 size = sizeof(s->head) + (at & (WORDS - 1)) * 8;
	u64 gap = s->urgent ? GAP_FILE : GAP_NEVER;
	u64 flags = wake_flags(c, &samples, knobs.wake_at_bytes, gap, s->head.ktime);
	if (bpf_ringbuf_output(&samples, &s->head, size, flags))
		COUNT(c, lost_ring_full);
	return 0;
}

SEC("perf_event")
int sample_cpu(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = this_scratch();
	struct counters_value *c = this_counters();
	if (!s || !c)
		return 0;
	COUNT(c, taken);

	u64 id = bpf_get_current_pid_tgid();
	struct task_view task;
	view_task(&task);
	struct sample *head = &s->head;
	head->kind = RECORD_SAMPLE;
	head->flags = 0;
	head->kernel_frames = 0;
	head->user_frames = 0;
	head->left_out = 0;
	head->tgid = id >> 32;
	head->tid = (u32)id;
	head->ktime = bpf_ktime_get_ns();
	head->start_time = task.start_time;
	head->cgroup = knobs.read_cgroup ? bpf_get_current_cgroup_id() : 0;
	head->cpu = bpf_get_smp_processor_id();
	if (switches.read_comm)
		bpf_get_current_comm(head->comm, sizeof(head->comm));
	else
		head->comm[0] = 0;
	head->mappings = 0;
	s->urgent = false;
	s->gone = task.gone;
	s->page = 0;
	s->number++;

	struct user_state user = {};
	bool has_user;
	if (ctx->regs.cs & 3) {
		TAKE_STATE(&user, &ctx->regs);
		has_user = task.space.mm != 0;
	} else {
		head->flags |= SAMPLE_IN_KERNEL;
		long n = bpf_get_stack(ctx, s->words, MAX_KERNEL_FRAMES * 8, 0);
		if (n > 0)
			head->kernel_frames = (n >> 3) & 127;
		if (task.flags & PF_KTHREAD)
			head->flags |= SAMPLE_KTHREAD;
		/* A thread that works for the kernel on a user's memory, as vhost's do, never was in user mode: it has the
		 * registers of the thread that made it, but for these two zeros. Source: copy_thread in
		 * arch/x86/kernel/process.c. */
		has_user = task.start_stack && !(task.flags & (PF_KTHREAD | PF_IO_WORKER)) && read_task(s, &user, NULL) && user.pc &&
		           user.sp;
		/* Of a program whose exec has not returned yet it is the program's first instruction. */
		if (has_user && (s64)user.orig_ax >= 0 && user.sp != task.start_stack)
			head->flags |= SAMPLE_IN_SYSCALL;
	}

	/* Of one that is ending what can be read is walked, and what cannot is the walk's end. Not as a choice between two numbers,
	 * which the compiler would make with an arithmetic shift that some verifiers do not bear. */
	u64 ending = (task.flags & (PF_EXITING | PF_KTHREAD)) == PF_EXITING;
	barrier_var(ending);
	u32 end = ending * END_gone;
	if (has_user)
		enter_space(s, &task.space);
	/* Exec has let go of the memory that the registers are of. */
	if (has_user && is_exec(user.orig_ax) && (head->flags & SAMPLE_IN_SYSCALL) && resolve(user.pc) == NOT_CODE) {
		has_user = false;
		end = END_gone;
	}
	if (has_user && user.cs != USER_CS_64) {
		/* Its place is a frame without any walk. */
		resolve(user.pc);
		keep_frame(s, user.pc);
		end = END_compat;
	} else if (has_user) {
		s->pc = user.pc;
		s->fp = user.fp;
		s->sp = user.sp;
		s->exact = 1;
		s->known = 0;
		s->unbuilt = 0;
		int found = walk_user();
		if (found == WALK_WANTS_REGISTERS) {
			take_registers(s, ctx);
			found = walk_user();
		}
		/* Registers that could not be had. */
		end = found < 0 ? END_no_register : found;
		if (s->gone && (end == END_fault || end == END_not_code))
			end = END_gone;
		if ((s->unbuilt & ROWS_AWAITED) && !s->gone) {
			/* The registers of the innermost frame are still there. */
			if (s->stop.exact && !s->stop.known && s->stop.frames == 0) {
				take_registers(s, ctx);
				__builtin_memcpy(s->stop.regs, s->regs, sizeof(s->stop.regs));
				s->stop.known = s->known;
			}
			send_stack();
		}
	}
	head->end = end;
	if (head->user_frames > MAX_USER_FRAMES) {
		head->left_out = head->user_frames - MAX_USER_FRAMES;
		head->user_frames = MAX_USER_FRAMES;
	}
	submit();
	if (!(s->number & (TIMED_ONE_IN - 1))) {
		COUNT(c, timed);
		c->n[COUNTER_timed_ns] += bpf_ktime_get_ns() - head->ktime;
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
