/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads the memory of a process that is ending. From the moment that its last thread lets go of its memory the helpers for user
 * memory refuse it, while the kernel takes it apart from the low addresses up; short-lived programs spend much of their
 * time there. The stack lies highest and is readable nearly to the end, by the page tables. */
#ifndef PYROPE_GONE_H
#define PYROPE_GONE_H

#include "maps.bpf.h"

/* Of an entry of a page table on x86-64. Source: arch/x86/include/asm/pgtable_types.h. */
#define ENTRY_PRESENT 1ULL
#define ENTRY_LARGE 0x80ULL
#define ENTRY_ADDRESS 0x000ffffffffff000ULL
#define PAGE_SHIFT 12
#define LARGEST_PAGE_SHIFT 30
#define TABLE_SHIFT 9

/* Where the kernel has all physical memory in a row, and the bits of an address above the top table's; 0 while that is not known:
 * `find_memory` finds out. */
struct memory_layout {
	u64 base;
	u64 top_shift;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct memory_layout);
} memory_layout SEC(".maps");

/* Makes the page of a user address the current one; false where it is not in memory. */
__attribute__((noinline)) int find_page(u64 address)
{
	u32 zero = 0;
	struct scratch *s = this_scratch();
	struct memory_layout *layout = bpf_map_lookup_elem(&memory_layout, &zero);
	if (!s || !layout || !layout->base)
		return false;
	struct mm_struct *mm = (void *)s->space.mm;
	u64 table = (u64)BPF_CORE_READ(mm, pgd);
	u64 shift = layout->top_shift;
	s->page = 0;
	for (u64 level = 0; level < 5; level++) {
		u64 entry;
		u64 at = table + ((address >> (shift & 63)) & 511) * 8;
		if (bpf_probe_read_kernel(&entry, sizeof(entry), (void *)at) || !(entry & ENTRY_PRESENT))
			return false;
		u64 below = (1ULL << (shift & 63)) - 1;
		table = layout->base + (entry & ENTRY_ADDRESS);
		if (shift == PAGE_SHIFT || (shift <= LARGEST_PAGE_SHIFT && (entry & ENTRY_LARGE))) {
			table = layout->base + (entry & ENTRY_ADDRESS & ~below) + (address & below);
			s->page_at = table & ~((1ULL << PAGE_SHIFT) - 1);
			s->page = address >> PAGE_SHIFT;
			return true;
		}
		shift -= TABLE_SHIFT;
	}
	return false;
}

/* Reads a word of the process that is ending into `s->word`; false where it is not in memory. */
__attribute__((noinline)) int read_word(u64 address)
{
	struct scratch *s = this_scratch();
	if (!s || (address & 7))
		return false;
	if (s->page != address >> PAGE_SHIFT && !find_page(address))
		return false;
	u64 at = s->page_at + (address & ((1ULL << PAGE_SHIFT) - 1));
	return !bpf_probe_read_kernel(&s->word, sizeof(s->word), (void *)at);
}

/* Reads words of the stack of the task that is sampled; not 0 if they could not be. */
static __always_inline long read_stack(struct scratch *s, u64 *to, u32 words, u64 from)
{
	if (!s->gone)
		return bpf_probe_read_user(to, words * 8, (void *)from);
	for (u32 i = 0; i < words; i++) {
		if (!read_word(from + i * 8))
			return -1;
		to[i] = s->word;
	}
	return 0;
}

/* Which of the places where all physical memory may begin is tried, and what is looked for. */
struct memory_probe {
	u64 address; /* in: of a word of this process's memory */
	u64 word; /* in: what it is */
	u64 first; /* in: how many of the places have been tried */
	u64 found; /* out: not 0 once the layout of memory is known */
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct memory_probe);
} memory_probe SEC(".maps");

#define PLACES_PER_CALL 16

/* The tables of a process lie in that memory, which begins at a multiple of a gigabyte below them. Source:
 * arch/x86/mm/kaslr.c. Run by BPF_PROG_RUN, never attached. */
SEC("raw_tp/find_memory")
int find_memory(struct bpf_raw_tracepoint_args *ctx)
{
	u32 zero = 0;
	struct scratch *s = this_scratch();
	struct memory_layout *layout = bpf_map_lookup_elem(&memory_layout, &zero);
	struct memory_probe *probe = bpf_map_lookup_elem(&memory_probe, &zero);
	(void)ctx;
	if (!s || !layout || !probe)
		return 0;
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	s->space.mm = (u64)mm;
	s->space.sequence = 0;
	u64 below = (u64)BPF_CORE_READ(mm, pgd) >> LARGEST_PAGE_SHIFT;
	for (u64 i = 0; i < PLACES_PER_CALL; i++) {
		layout->base = (below - probe->first - i / 2) << LARGEST_PAGE_SHIFT;
		/* Four tables, or five. */
		layout->top_shift = i & 1 ? 48 : 39;
		s->page = 0;
		if (read_word(probe->address) && s->word == probe->word) {
			probe->found = 1;
			return 0;
		}
	}
	layout->base = 0;
	return 0;
}

#endif
