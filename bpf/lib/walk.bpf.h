/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Walks the user stack of the current task by its frame pointers.
 *
 * The walk lives in global functions that take scalars only: the verifier checks each once, on every kernel from 5.10,
 * and no tail call limits the depth. Their state is this CPU's scratch. */
#ifndef PYROPE_WALK_H
#define PYROPE_WALK_H

#include "maps.bpf.h"
#include "path.bpf.h"
#include "vma.bpf.h"

#define STEPS_PER_CALL 32
#define CALLS 32
_Static_assert(STEPS_PER_CALL * CALLS >= MAX_USER_FRAMES, "the loop reaches the deepest stack");

enum { WALK_ON = -1 };

/* What `resolve` found of an address. */
enum { NOT_CODE = 0, IS_CODE = 1 };

static __always_inline int enter(struct scratch *s, u32 slot)
{
	struct mapping *m = &s->maps[slot & (MAX_MAPPINGS - 1)];
	if (s->used_by[slot & (MAX_MAPPINGS - 1)] != s->number) {
		s->used_by[slot & (MAX_MAPPINGS - 1)] = s->number;
		s->order[s->head.mappings & (MAX_MAPPINGS - 1)] = slot;
		s->head.mappings++;
	}
	s->map_start = m->start;
	s->map_size = m->end - m->start;
	return IS_CODE;
}

/* A place for one more mapping: a free one, else one that this sample does not use. */
static __always_inline u32 free_slot(struct scratch *s)
{
	if (s->mapped < MAX_MAPPINGS)
		return s->mapped++;
	for (u32 i = 0; i < MAX_MAPPINGS; i++) {
		u32 slot = s->victim++ & (MAX_MAPPINGS - 1);
		if (s->used_by[slot] != s->number)
			return slot;
	}
	return MAX_MAPPINGS;
}

/* Makes the mapping of `pc` the current one, and one of the sample's. */
__attribute__((noinline)) int resolve(u64 pc)
{
	struct scratch *s = this_scratch();
	struct counters_value *c = this_counters();
	if (!s || !c)
		return NOT_CODE;
	u32 n = s->mapped;
	for (u32 i = 0; i < MAX_MAPPINGS; i++) {
		if (i >= n)
			break;
		struct mapping *m = &s->maps[i];
		if (pc - m->start < m->end - m->start)
			return enter(s, i);
	}
	struct mapping found;
	if (!find_mapping(s, pc, &found))
		return NOT_CODE;
	u32 slot = free_slot(s);
	if (slot >= MAX_MAPPINGS) {
		/* The address goes without: user space looks it up in /proc while the process lives. */
		COUNT(c, mappings_overflow);
		return IS_CODE;
	}
	struct mapping *m = &s->maps[slot & (MAX_MAPPINGS - 1)];
	*m = found;
	if ((m->flags & MAPPING_FILE) && first_sight(m)) {
		send_path(m, (struct file *)VMA_WORD(s, vm_file), s->head.tgid);
		s->new_file = true;
	}
	return enter(s, slot);
}

/* Up to STEPS_PER_CALL frames; WALK_ON, or how the walk ended. */
__attribute__((noinline)) int walk_some(void)
{
	struct scratch *s = this_scratch();
	if (!s)
		return END_fault;
	u64 pc = s->pc, fp = s->fp, sp = s->sp;
	u32 n = s->head.user_frames, base = s->head.kernel_frames;
	int end = WALK_ON;
	/* 64 bits wide, so that it is spilled as a whole: before 5.16 the verifier forgets smaller values on the stack, and gives
	 * up on a loop whose counter it does not know (5.15: "the sequence of 8193 jumps is too complex"). */
	for (u64 i = 0; i < STEPS_PER_CALL; i++) {
		if (pc - s->map_start >= s->map_size) {
			if (resolve(pc) == NOT_CODE && n > 0) {
				end = END_not_code;
				break;
			}
		}
		s->words[(base + n) & (WORDS - 1)] = pc;
		n++;
		if (n >= MAX_USER_FRAMES) {
			end = END_full;
			break;
		}
		if (fp == 0) {
			end = END_root;
			break;
		}
		if (fp < sp || (fp & 7)) {
			end = END_chain;
			break;
		}
		u64 frame[2];
		if (bpf_probe_read_user(frame, sizeof(frame), (void *)fp)) {
			end = END_fault;
			break;
		}
		sp = fp + 16;
		fp = frame[0];
		pc = frame[1];
		if (pc == 0) {
			end = END_root;
			break;
		}
	}
	s->pc = pc;
	s->fp = fp;
	s->sp = sp;
	s->head.user_frames = n;
	return end;
}

static __always_inline u32 walk_user(void)
{
	int end = END_full;
	for (int i = 0; i < CALLS; i++) {
		end = walk_some();
		if (end != WALK_ON)
			break;
	}
	return end < 0 ? END_full : end;
}

#endif
