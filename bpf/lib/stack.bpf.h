/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sends the stack from where a walk came to code without rows. */
#ifndef PYROPE_STACK_H
#define PYROPE_STACK_H

#include "maps.bpf.h"
#include "walk.bpf.h"

#define STACK_WORDS (MAX_STACK_BYTES / 8)
/* The largest piece that is read at once. */
#define PIECE (MAX_STACK_BYTES / 2)
#define SCAN_PER_CALL 16
/* Words of a stack that are looked up at most, and the most stacks of a CPU in a second: this is for files that are new. */
#define LOOKUPS 128
#define STACKS_PER_SECOND 200

struct stack_scratch {
	struct stack record;
	u64 words[STACK_WORDS + PIECE / 8];
	/* When the second began, and how many stacks were sent in it. */
	u64 second;
	u32 sent;
	u32 lookups;
	/* The last mapping that a word lay in and that has no code. */
	u64 idle_start;
	u64 idle_size;
};
_Static_assert(sizeof(struct stack_scratch) <= 32768, "one element of a per-CPU array is at most 32 KiB");

/* 0 -> the stack being sent on a CPU. Written only by the CPU's own sample. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stack_scratch);
} stack_scratch SEC(".maps");

static __always_inline struct stack_scratch *this_stack(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&stack_scratch, &zero);
}

/* Reads `bytes` of the stack, `at` from where it begins; what was read. */
__attribute__((noinline)) int read_piece(u32 at, u32 bytes)
{
	struct stack_scratch *stack = this_stack();
	if (!stack)
		return 0;
	at &= MAX_STACK_BYTES - 8;
	if (bytes > PIECE)
		return 0;
	return bpf_probe_read_user((void *)stack->words + at, bytes, (void *)stack->record.sp + at) ? 0 : bytes;
}

/* Looks up what may be a return address among some words of the stack, so that the sample names its mapping. */
__attribute__((noinline)) int scan_some(u32 from)
{
	struct stack_scratch *stack = this_stack();
	struct scratch *s = this_scratch();
	if (!s || !stack)
		return 0;
	for (u64 i = 0; i < SCAN_PER_CALL; i++) {
		u64 word = stack->words[(from + i) & (STACK_WORDS - 1)];
		/* Not an address of user space; on the stack itself; in what was just looked at. */
		if (word - 4096 > 0x7ffffffff000 || word - stack->record.sp < (8 << 20) ||
		    word - s->map_start < s->map_size || word - stack->idle_start < stack->idle_size)
			continue;
		if (stack->lookups >= LOOKUPS)
			return 0;
		stack->lookups++;
		if (resolve(word) == NOT_CODE) {
			u64 start = VMA_WORD(s, vm_start), end = VMA_WORD(s, vm_end);
			if (word - start < end - start) {
				stack->idle_start = start;
				stack->idle_size = end - start;
			}
		}
	}
	return 0;
}

/* A function of its own: each way out of the loop is one through all that follows it, which 5.10 does not end to look at. */
__attribute__((noinline)) int scan_stack(u64 words)
{
	for (u64 at = 0; at < STACK_WORDS; at += SCAN_PER_CALL) {
		if (at >= words)
			break;
		scan_some(at);
	}
	return 0;
}

__attribute__((noinline)) int send_stack(void)
{
	struct scratch *s = this_scratch();
	struct counters_value *c = this_counters();
	struct stack_scratch *stack = this_stack();
	if (!s || !c || !stack)
		return 0;
	u64 second = s->head.ktime / 1000000000;
	if (stack->second != second) {
		stack->second = second;
		stack->sent = 0;
	}
	/* Samples need the ring more. */
	if (stack->sent >= STACKS_PER_SECOND || bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA) > knobs.wake_at_bytes / 2) {
		COUNT(c, stacks_unsent);
		return 0;
	}
	/* Rows that come span by span come for those who ask. */
	if (!stack->sent++)
		s->urgent = true;
	struct stack *record = &stack->record;
	record->kind = RECORD_STACK;
	record->flags = (s->stop.exact ? STACK_EXACT : 0) | (s->stop.known ? STACK_REGISTERS : 0);
	record->frames = s->stop.frames;
	record->ktime = s->head.ktime;
	record->cpu = s->head.cpu;
	record->pad = 0;
	record->pc = s->stop.pc;
	record->sp = s->stop.sp;
	record->fp = s->stop.fp;
	__builtin_memcpy(record->registers, s->stop.regs, sizeof(record->registers));
	/* To the end of the stack, wherever it is: each piece is half of the one before. */
	u32 bytes = 0;
	for (u32 piece = PIECE; piece >= 8; piece /= 2)
		bytes += read_piece(bytes, piece);
	bytes &= MAX_STACK_BYTES - 8;
	record->bytes = bytes;
	stack->lookups = 0;
	stack->idle_size = 0;
	s->map_size = 0;
	s->scans = true;
	scan_stack(bytes / 8);
	s->scans = false;
	if (bpf_ringbuf_output(&samples, record, sizeof(*record) + bytes, BPF_RB_NO_WAKEUP)) {
		COUNT(c, stacks_lost);
		return 0;
	}
	s->head.flags |= SAMPLE_STACK;
	COUNT(c, stacks);
	return 0;
}

#endif
