/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef PYROPE_MAPS_H
#define PYROPE_MAPS_H

#include "core.h"
#include "../include/abi.h"
#include "knobs.bpf.h"

/* Words for kernel frames, user frames and the mappings behind them; a power of two, so that an index can be masked. */
#define WORDS 2048
#define MAPPING_WORDS (sizeof(struct mapping) / 8)
_Static_assert(MAX_KERNEL_FRAMES + MAX_USER_FRAMES + MAX_MAPPINGS * MAPPING_WORDS <= WORDS, "a full sample fits");

/* Registers in the order in which the kernel keeps them for a signal, which is the order of `struct rule` too. Source:
 * arch/x86/include/uapi/asm/sigcontext.h. */
enum { REG_R8 = 0, REG_RDI = 8, REG_RSI, REG_RBP, REG_RBX, REG_RDX, REG_RAX, REG_RCX, REG_RSP, REG_RIP };
_Static_assert(REG_RIP == REGISTERS - 1, "the instruction pointer comes last");

/* A mapping that this CPU found lately. A cache line. */
struct remembered {
	struct mapping m;
	u32 used_by; /* the last sample that had an address in it */
	u32 table; /* of its file; 0 where it had none when it was looked for */
	u64 pad;
};
_Static_assert(sizeof(struct remembered) == 64, "struct remembered");

/* State of the sample being taken on a CPU. What each sample needs lies together, for at this rate it comes from memory anew
 * each time. `head` and `words` are contiguous: they are the record. */
struct scratch {
	/* The walk: the frame that comes next. */
	u64 pc;
	u64 fp;
	u64 sp;
	u32 exact; /* pc is where the thread was interrupted, not a return address */
	u8 known; /* `regs` are the registers there */
	u8 unbuilt; /* whether a frame lay in a file without rows */
	u8 urgent; /* the sample names a file not seen before, or has the first stack of its second: somebody waits for what it asks for */
	u8 gone; /* the process is ending: its memory is read by the page tables */
	/* The mapping that the last address lay in, and the table of its file; 0 where it has none. */
	u64 map_start;
	u64 map_size;
	u64 map_offset;
	u32 map_flags;
	u32 table;
	/* What was remembered is of this address space, and holds for the next sample too if nothing was mapped or unmapped
	 * since. */
	struct address_space {
		u64 mm;
		u64 nonce; /* tells an address space from a later one at the same place in memory */
		u64 sequence;
	} space;
	u32 mapped;
	u32 victim;
	u32 number; /* of the sample */
	u32 numbers_age; /* as of which the tables of what is remembered are */
	/* Which of the remembered mappings this sample has addresses in, in the order of their first use: as many as
	 * head.mappings. */
	u8 order[MAX_MAPPINGS];
	struct sample head;
	u64 words[WORDS];
	struct remembered maps[MAX_MAPPINGS];
	u64 regs[REGISTERS];
	/* The first frame whose rows are not there, as struct stack has it. */
	struct {
		u64 pc;
		u64 sp;
		u64 fp;
		u32 frames;
		u8 exact;
		u8 known;
		u8 pad[2];
		u64 regs[REGISTERS];
	} stop;
	/* Of a process that is ending: the number of the page that was read last, where the kernel has it, and a word of it. */
	u64 page;
	u64 page_at;
	u64 word;
	u64 scans; /* what is looked up is no frame, but a word that may be one */
	struct mapping found; /* what was looked up, for this CPU did not remember it */
	u64 node[32]; /* one maple node */
	u64 vma[32]; /* the head of one vm_area_struct */
};
_Static_assert(sizeof(struct scratch) <= 32768, "one element of a per-CPU array is at most 32 KiB");

/* Samples and paths. Written by sample_cpu, read by one user thread. Sized at load. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} samples SEC(".maps");

/* exec, fork and exit of processes. Apart from the samples, so that a storm of either leaves the other whole. */
#define PROC_EVENTS_BYTES (256 << 10)
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PROC_EVENTS_BYTES);
} proc_events SEC(".maps");

/* 0 -> the state above. Written only by the CPU's own sample, whose interrupt cannot nest. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* enum counter -> how often. Written by each CPU for itself, summed by user space, never reset. */
struct counters_value {
	u64 n[COUNTERS];
	u64 woken; /* when this CPU last woke user space */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct counters_value);
} counters SEC(".maps");

/* Files whose path was sent: hash of the identity -> the identity's tag. Written by the sample that sent it; user space writes
 * zero where it has forgotten the file. Direct-mapped; a collision costs one more path record, never a sample. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SEEN_FILES);
	__type(key, u32);
	__type(value, u64);
} seen_files SEC(".maps");

static __always_inline struct scratch *this_scratch(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&scratch, &zero);
}

static __always_inline struct counters_value *this_counters(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&counters, &zero);
}

#define COUNT(c, name) ((c)->n[COUNTER_##name]++)

/* How long ago a CPU must have woken user space for a record to do so again: a wake-up costs several microseconds on a
 * virtual machine. A file that was not seen before has to be
 * opened while its process lives, which may be a few milliseconds; a process that runs another program only wants a look. */
#define GAP_NEVER ~0ULL
#define GAP_FILE 1000000ULL
#define GAP_PROCESS 5000000ULL
/* What a ring that fills waits. */
#define GAP_FULL 5000000ULL

/* The flags of a ring submission: wake when the last wake-up is longer ago than `gap`, or when the ring holds `full` bytes. */
static __always_inline u64 wake_flags(struct counters_value *c, void *ring, u64 full, u64 gap, u64 now)
{
	u64 since = now - c->woken;
	if (since <= gap && (since <= GAP_FULL || bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < full))
		return BPF_RB_NO_WAKEUP;
	c->woken = now;
	COUNT(c, wakeups);
	return BPF_RB_FORCE_WAKEUP;
}

#endif
