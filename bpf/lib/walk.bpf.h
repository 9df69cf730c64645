/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Walks the user stack of the current task: by the unwind rows of the file that an address lies in, and by the frame
 * pointer where a file has none.
 *
 * The walk lives in global functions that take scalars only: the verifier checks each once, on every kernel from 5.10,
 * and no tail call limits the depth. Their state is this CPU's scratch. */
#ifndef PYROPE_WALK_H
#define PYROPE_WALK_H

#include "gone.bpf.h"
#include "maps.bpf.h"
#include "path.bpf.h"
#include "rows.bpf.h"
#include "vma.bpf.h"

/* The verifier looks at every step that one call may make, and at every call that one caller may make. */
#define STEPS_PER_CALL 8
#define CALLS_PER_CALL 32
#define CALLS (MAX_DEPTH / STEPS_PER_CALL / CALLS_PER_CALL)
_Static_assert(INNER_FRAMES % OUTER_FRAMES == 0, "the outer frames follow the inner ones without a gap");

/* From the stack pointer in the code that returns from a signal handler to the interrupted registers: struct ucontext
 * begins there. Source: arch/x86/include/uapi/asm/sigcontext.h. */
#define SIGNAL_CONTEXT 40

/* What a walk says that has not ended: it goes on, or it needs the registers of the interrupted frame. */
enum { WALK_ON = -1, WALK_WANTS_REGISTERS = -2 };

/* scratch.unbuilt: a frame lay in code whose rows are awaited, or found no room. */
enum { ROWS_AWAITED = 1, ROWS_ABSENT = 2 };

/* What `resolve` found of an address. */
enum { NOT_CODE = 0, IS_CODE = 1 };

static __always_inline void set_map(struct scratch *s, struct mapping *m, u32 table)
{
	s->map_start = m->start;
	s->map_size = m->end - m->start;
	s->map_offset = m->offset;
	s->map_flags = m->flags;
	s->table = table;
}

static __always_inline u32 find_table(struct mapping *m)
{
	return m->flags & (MAPPING_FILE | MAPPING_VDSO) ? table_of(file_tag(m)) : 0;
}

/* Makes what is remembered here the current mapping. A function of its own, for the verifier would look at it once for each
 * slot. */
__attribute__((noinline)) int enter(u32 slot)
{
	struct scratch *s = this_scratch();
	if (!s)
		return NOT_CODE;
	slot &= MAX_MAPPINGS - 1;
	struct remembered *r = &s->maps[slot];
	if (r->used_by != s->number) {
		r->used_by = s->number;
		s->order[s->head.mappings & (MAX_MAPPINGS - 1)] = slot;
		s->head.mappings++;
	}
	if (!r->table)
		r->table = find_table(&r->m);
	set_map(s, &r->m, r->table);
	return IS_CODE;
}

/* A place for one more mapping: a free one, else one that this sample does not use. */
static __always_inline u32 free_slot(struct scratch *s)
{
	if (s->mapped < MAX_MAPPINGS)
		return s->mapped++;
	for (u32 i = 0; i < MAX_MAPPINGS; i++) {
		u32 slot = s->victim++ & (MAX_MAPPINGS - 1);
		if (s->maps[slot].used_by != s->number)
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
		struct mapping *m = &s->maps[i].m;
		if (pc - m->start < m->end - m->start)
			return enter(i);
	}
	struct mapping *found = &s->found;
	s->map_size = 0;
	s->map_flags = 0;
	s->table = 0;
	if (!find_mapping(s, pc, found))
		return NOT_CODE;
	u32 slot = free_slot(s);
	if (slot >= MAX_MAPPINGS) {
		/* The address goes without: user space looks it up in /proc while the process lives. */
		if (!s->scans)
			COUNT(c, mappings_overflow);
		set_map(s, found, find_table(found));
		return IS_CODE;
	}
	struct remembered *r = &s->maps[slot & (MAX_MAPPINGS - 1)];
	r->m = *found;
	r->table = 0;
	if ((found->flags & MAPPING_FILE) && first_sight(s, c, &r->m, (struct file *)VMA_WORD(s, vm_file)))
		s->urgent = true;
	return enter(slot);
}

/* Forgets the table of the current mapping, which made room for others, and looks whether its file has another. */
__attribute__((noinline)) int renew_table(void)
{
	struct scratch *s = this_scratch();
	if (!s)
		return 0;
	s->table = 0;
	u32 n = s->mapped;
	for (u32 i = 0; i < MAX_MAPPINGS; i++) {
		if (i >= n)
			break;
		struct remembered *r = &s->maps[i];
		if (r->m.start == s->map_start) {
			s->table = r->table = find_table(&r->m);
			break;
		}
	}
	return 0;
}

/* Goes on with the caller, whose frame lies above. */
static __always_inline int go_on(struct scratch *s, u64 pc, u64 sp, u64 fp)
{
	s->pc = pc;
	s->sp = sp;
	s->fp = fp;
	s->exact = 0;
	return pc ? WALK_ON : END_root;
}

/* The frame lies in a file without rows: notes where, for user space to go on. */
static __always_inline void stop_here(struct scratch *s)
{
	s->unbuilt |= ROWS_AWAITED;
	s->stop.pc = s->pc;
	s->stop.sp = s->sp;
	s->stop.fp = s->fp;
	/* It was kept already. */
	s->stop.frames = s->head.user_frames - 1;
	s->stop.exact = s->exact;
	s->stop.known = s->exact && s->known;
	if (s->stop.known)
		__builtin_memcpy(s->stop.regs, s->regs, sizeof(s->stop.regs));
}

/* By the frame pointer, where nothing better is known. */
static __always_inline int step_by_frame_pointer(struct scratch *s, u32 kind)
{
	u64 fp = s->fp, frame[2];
	bool described = kind == RULE_FRAME_POINTER || kind == RULE_OTHER_STACK || !(s->map_flags & (MAPPING_FILE | MAPPING_VDSO));
	if (kind == RULE_ABSENT)
		s->unbuilt |= ROWS_ABSENT;
	else if (!described && (!s->table || kind == RULE_AWAITED) && !(s->unbuilt & ROWS_AWAITED))
		stop_here(s);
	int lost = s->unbuilt ? END_unbuilt : described ? END_chain : END_no_rule;
	/* Where nobody says that there is a frame pointer, zero is a value like others. */
	if (fp == 0)
		return s->unbuilt || !described ? lost : END_root;
	if ((fp < s->sp && kind != RULE_OTHER_STACK) || (fp & 7))
		return lost;
	if (read_stack(s, frame, 2, fp))
		return described ? END_fault : lost;
	return go_on(s, frame[1], fp + 16, frame[0]);
}

/* An offset of a rule. Not a signed field, whose extension would be a shift that some verifiers mistrust. */
static __always_inline u64 offset(u32 biased)
{
	return (u64)biased - OFFSET_BIAS;
}

/* A register of the frame; false for one that is known of an interrupted frame only. */
static __always_inline bool read_register(struct scratch *s, u32 number, u64 *value)
{
	if (number == REG_RSP) {
		*value = s->sp;
		return true;
	}
	if (number == REG_RBP) {
		*value = s->fp;
		return true;
	}
	*value = s->regs[number & 15];
	return s->exact && s->known;
}

/* Whether a rule needs registers that a walk does not carry on. */
static __always_inline bool needs_registers(struct rule *rule)
{
	u32 saved = rule->fp_kind & 15;
	return (rule->kind == RULE_FRAME || rule->kind == RULE_DEREF) &&
	       ((rule->base != REG_RSP && rule->base != REG_RBP) || rule->ra != RA_ON_STACK || saved == FP_AT ||
		saved == FP_IN);
}

/* Puts the frame into the record, once that is full in the place of an earlier one; false when the stack is too deep. */
static __always_inline bool keep_frame(struct scratch *s, u64 address)
{
	u32 n = s->head.user_frames;
	u32 at = n < INNER_FRAMES ? n : INNER_FRAMES + (n & (OUTER_FRAMES - 1));
	s->words[(s->head.kernel_frames + at) & (WORDS - 1)] = address;
	s->head.user_frames = ++n;
	return n < MAX_DEPTH;
}

/* One frame by a rule that few places have. */
__attribute__((noinline)) int step_rarely(u32 number)
{
	struct scratch *s = this_scratch();
	struct rule *rule = bpf_map_lookup_elem(&rules, &number);
	if (!s || !rule)
		return END_no_rule;
	u32 kind = rule->kind;
	u64 value, cfa, pc, fp = s->fp;
	if (s->exact && !s->known && needs_registers(rule))
		return WALK_WANTS_REGISTERS;
	/* The code that returns from a signal handler was not called: its first byte is what the handler returns to. */
	bool exact = (s->exact && s->head.user_frames) || kind == RULE_SIGNAL;
	if (!keep_frame(s, exact ? s->pc | ADDRESS_EXACT : s->pc))
		return END_full;
	if (kind == RULE_OUTERMOST)
		return END_outermost;
	if (kind == RULE_SIGNAL) {
		if (read_stack(s, s->regs, REGISTERS, s->sp + SIGNAL_CONTEXT))
			return END_fault;
		go_on(s, s->regs[REG_RIP], s->regs[REG_RSP], s->regs[REG_RBP]);
		s->exact = s->known = 1;
		return WALK_ON;
	}
	if (kind == RULE_UNKNOWN || kind == RULE_FRAME_POINTER || kind == RULE_ABSENT || kind == RULE_OTHER_STACK ||
	    kind == RULE_AWAITED)
		return step_by_frame_pointer(s, kind);
	if (kind == RULE_PLT) {
		cfa = s->sp + ((s->pc & 15) >= offset(rule->cfa) ? 16 : 8);
	} else {
		if (!read_register(s, rule->base, &value))
			return END_no_register;
		cfa = value + offset(rule->cfa);
		if (kind == RULE_DEREF) {
			if (read_stack(s, &cfa, 1, cfa))
				return END_fault;
			cfa += offset(rule->extra);
		}
	}
	if (rule->ra != RA_ON_STACK) {
		if (!read_register(s, rule->ra, &pc))
			return END_no_register;
	} else {
		u64 at = cfa + (kind == RULE_FRAME ? offset(rule->extra) : -8);
		if (read_stack(s, &pc, 1, at))
			return END_fault;
	}
	u32 saved = rule->fp_kind & 15, in = rule->fp_kind >> 4;
	if (saved == FP_SAVED || saved == FP_AT) {
		value = cfa;
		if (saved == FP_AT && !read_register(s, in, &value))
			return END_no_register;
		if (read_stack(s, &fp, 1, value + offset(rule->fp)))
			return END_fault;
	} else if (saved == FP_IN) {
		if (!read_register(s, in, &fp))
			return END_no_register;
	} else if (saved == FP_LOST) {
		/* No frame pointer, and not the zero of an outermost frame. */
		fp = 1;
	}
	/* Code that took its return address off the stack has an empty frame. */
	if (cfa < s->sp || (cfa == s->sp && !s->exact))
		return END_chain;
	return go_on(s, pc, cfa, fp);
}

/* The page that the kernel keeps for system calls of old programs is in none of their mappings. Its functions have no frame.
 * Source: arch/x86/entry/vsyscall/vsyscall_emu_64.S. */
#define VSYSCALL_PAGE (0xffffffffff600000ULL >> 12)

/* What is known of an address in code that has no table: as `find_frame`. */
static __always_inline u32 find_unlisted(u64 pc)
{
	return pc >> 12 == VSYSCALL_PAGE ? IS_PLAIN | 1 << (1 + PLAIN_FP_BITS) : 0;
}

/* Up to STEPS_PER_CALL frames; WALK_ON, or how the walk ended. */
__attribute__((noinline)) int walk_some(void)
{
	struct scratch *s = this_scratch();
	if (!s)
		return END_fault;
	u64 pc = s->pc, sp = s->sp, fp = s->fp;
	/* 64 bits wide, so that it is spilled as a whole: before 5.16 the verifier forgets smaller values on the stack, and gives
	 * up on a loop whose counter it does not know (5.15: "the sequence of 8193 jumps is too complex"). */
	for (u64 i = 0; i < STEPS_PER_CALL; i++) {
		u64 at = pc - !s->exact;
		if (at - s->map_start >= s->map_size && resolve(at) == NOT_CODE &&
		    (s->head.user_frames > 0 || s->gone))
			return END_not_code;
		u32 found = s->table ? find_frame(s->table, at - s->map_start + s->map_offset) : find_unlisted(pc);
		if (found & IS_STALE) {
			renew_table();
			found = s->table ? find_frame(s->table, at - s->map_start + s->map_offset) & ~IS_STALE : 0;
		}
		if (!(found & IS_PLAIN)) {
			s->pc = pc;
			s->sp = sp;
			s->fp = fp;
			int end = step_rarely(found);
			if (end != WALK_ON)
				return end;
			pc = s->pc;
			sp = s->sp;
			fp = s->fp;
			continue;
		}
		if (!keep_frame(s, s->exact && s->head.user_frames ? pc | ADDRESS_EXACT : pc))
			return END_full;
		u64 cfa = (found & 1 ? fp : sp) + ((u64)(found & (IS_PLAIN - 1)) >> (1 + PLAIN_FP_BITS)) * 8;
		u64 below = (found >> 1) & ((1 << PLAIN_FP_BITS) - 1);
		if (cfa <= sp)
			return END_chain;
		/* Where both are saved they mostly lie beside each other. */
		u64 frame[2];
		if (below == 2) {
			if (read_stack(s, frame, 2, cfa - 16))
				return END_fault;
			fp = frame[0];
		} else {
			if (read_stack(s, &frame[1], 1, cfa - 8))
				return END_fault;
			if (below && read_stack(s, &fp, 1, cfa - below * 8))
				return END_fault;
		}
		sp = cfa;
		pc = frame[1];
		s->exact = 0;
		if (!pc)
			return END_root;
	}
	s->pc = pc;
	s->sp = sp;
	s->fp = fp;
	return WALK_ON;
}

/* Up to CALLS_PER_CALL times as many. */
__attribute__((noinline)) int walk_more(void)
{
	int end = WALK_ON;
	for (u64 i = 0; i < CALLS_PER_CALL && end == WALK_ON; i++)
		end = walk_some();
	return end;
}

/* Walks on from the state; an end, or WALK_WANTS_REGISTERS. */
__attribute__((noinline)) int walk_user(void)
{
	int end = WALK_ON;
	for (u64 i = 0; i < CALLS && end == WALK_ON; i++)
		end = walk_more();
	return end == WALK_ON ? END_full : end;
}

#endif
