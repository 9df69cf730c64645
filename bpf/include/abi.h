/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the kernel side and user space say to each other. Read by the C and mirrored in crates/abi;
 * a test compares sizes and offsets with the BTF of the built object. Includes nothing. */
#ifndef PYROPE_ABI_H
#define PYROPE_ABI_H

#define MAX_USER_FRAMES 1024
/* Of a deeper stack the innermost frames and the outermost OUTER_FRAMES are kept, and what lies between is only counted. */
#define OUTER_FRAMES 256 /* a power of two */
#define INNER_FRAMES (MAX_USER_FRAMES - OUTER_FRAMES)
#define MAX_DEPTH 8192
#define MAX_KERNEL_FRAMES 127
#define MAX_MAPPINGS 32
#define COMM_LEN 16
#define MAX_STACK_BYTES 16384 /* of a struct stack; a power of two */
#define REGISTERS 17 /* general registers and instruction pointer */
#define MAX_PATH_BYTES 1024
#define SEEN_FILES 8192 /* places where the kernel side notes whose path it sent; a power of two */

/* Unwind rows; crates/unwind/src/span.rs draws how they lie in lines. */
#define LINE_WORDS 16
#define SPAN_BITS 14 /* bytes of a file that share a run of lines, as a power of two */
#define ROWS_BITS 12 /* of the pointer to a span's lines: how many rows they hold; the others: the first line */
#define SPAN_AWAITED (1 << ROWS_BITS) /* in place of a pointer: the rows of this span come when they are asked for */
#define TABLE_BITS 12 /* of the number of a table: its place; the others: how often the place was used before */
#define MAX_TABLES (1 << TABLE_BITS)
#define TABLE_NUMBER_BITS 20
#define MAX_RULES 65536
#define FILE_BUCKETS 2048
#define FILES_IN_BUCKET 8
/* The device of the vDSO, which is in no file system: there is no such one. */
#define VDSO_DEV 0xffffffffU

enum record_kind {
	RECORD_SAMPLE = 1,
	RECORD_PATH = 2,
	RECORD_FORK = 3,
	RECORD_EXEC = 4,
	RECORD_EXIT = 5,
	RECORD_STACK = 6,
};

/* struct sample.flags */
enum sample_flag {
	SAMPLE_IN_KERNEL = 1, /* the interrupted code was the kernel's */
	SAMPLE_KTHREAD = 2, /* the task is a kernel thread */
	SAMPLE_IN_SYSCALL = 4, /* user registers are those of a system call: the first user address is a return address */
	SAMPLE_STACK = 8, /* the last struct stack of this CPU belongs to it */
};

/* struct mapping.flags */
enum mapping_flag {
	MAPPING_EXEC = 1,
	MAPPING_FILE = 2, /* backed by a file: the identity fields are set */
	MAPPING_VDSO = 4,
};

/* struct stack.flags */
enum stack_flag {
	STACK_EXACT = 1, /* pc is where the thread was interrupted, not a return address */
	STACK_REGISTERS = 2, /* `registers` are those of the frame */
};

/* In a user address of a sample, other than the first: not a return address, but where the thread was interrupted. */
#define ADDRESS_EXACT (1ULL << 63)

/* How to get from a frame to its caller. Registers have the numbers of `struct scratch`. */
enum rule_kind {
	RULE_UNKNOWN = 0, /* no table speaks of the place */
	RULE_PLAIN = 1, /* an ordinary frame: `extra` is all of it */
	RULE_FRAME = 2, /* the end of the frame is register `base` plus `cfa`, the return address is at the end plus `extra` or
			 * in register `ra` */
	RULE_DEREF = 3, /* the end is the word at `base` plus `cfa`, plus `extra` */
	RULE_PLT = 4, /* the stack pointer plus 8, and 8 more once the last four bits of the address reach `cfa` */
	RULE_SIGNAL = 5, /* the kernel keeps the interrupted registers above the stack pointer */
	RULE_OUTERMOST = 6, /* there is no caller */
	RULE_FRAME_POINTER = 7, /* frame pointer and return address lie where the frame pointer points */
	RULE_ABSENT = 8, /* the rows of the file found no room */
	RULE_OTHER_STACK = 9, /* the same, on another stack, which may lie anywhere */
	RULE_AWAITED = 10, /* the rows of the span come when a stack asks for them */
};

/* struct rule.fp: what of the caller's frame pointer; FP_AT and FP_IN with a register in the upper four bits */
enum rule_fp {
	FP_SAME = 0, /* still in its register */
	FP_SAVED = 1, /* at the end of the frame plus `fp` */
	FP_AT = 2, /* where a register points, plus `fp` */
	FP_IN = 3, /* in a register */
	FP_LOST = 4, /* nowhere */
};

#define RA_ON_STACK 0xff

/* An ordinary frame in PLAIN_BITS: the return address lies right below its end, which is the stack pointer plus a number, or
 * the frame pointer if the lowest bit is set; the next PLAIN_FP_BITS say how many words below the end the caller's frame
 * pointer is saved, 0 that it is still in its register; the others are the number, in words. */
#define PLAIN_FP_BITS 8
#define PLAIN_CFA_BITS 15
#define PLAIN_BITS (1 + PLAIN_FP_BITS + PLAIN_CFA_BITS)
/* What is added to an offset of a rule, so that none is negative. */
#define OFFSET_BIAS 0x80000000U

struct rule {
	u8 kind;
	u8 base;
	u8 fp_kind;
	u8 ra; /* a register, or RA_ON_STACK */
	u32 cfa; /* in bytes, plus OFFSET_BIAS; likewise the others, but for `extra` of RULE_PLAIN */
	u32 fp;
	u32 extra;
};

/* The rows of one file: pointers for spans first_span up to first_span + spans, from `base` on in the map of spans. */
struct table {
	u32 number; /* 0 in a free place */
	u32 base; /* in words */
	u32 first_span;
	u32 spans;
	u32 otherwise; /* the rule of places that no span has */
	u32 awaited; /* the rule of places whose rows come when they are asked for */
};

/* One executable mapping that the sample's user addresses lie in. Addresses in bytes. */
struct mapping {
	u64 start;
	u64 end;
	u64 offset; /* of start in the file, in bytes */
	u64 ino;
	u32 dev; /* kernel encoding: major << 20 | minor */
	u32 version; /* mixed from inode generation and change time, so that a file overwritten in place is another file */
	u32 flags;
	u32 pad;
};

/* A sample. After the head follow `kernel_frames` u64 (leaf first), `user_frames` u64 (leaf first; the first is
 * exact, the others are return addresses unless ADDRESS_EXACT is set), then `mappings` struct mapping. */
struct sample {
	u8 kind;
	u8 flags;
	u8 end; /* enum walk_end */
	u8 mappings;
	u16 kernel_frames;
	u16 user_frames;
	u32 tgid;
	u32 tid;
	u64 ktime; /* CLOCK_MONOTONIC, ns */
	u64 start_time; /* of the thread group leader, CLOCK_BOOTTIME, ns */
	u64 cgroup; /* id in the version 2 hierarchy; 0 when it was not read */
	u32 cpu;
	u32 left_out; /* user frames between the first INNER_FRAMES and the others, which begin at (left_out % OUTER_FRAMES) and go round */
	char comm[COMM_LEN]; /* of the thread; empty when it was not read */
};

/* Where a walk came to code of a file without unwind rows: the registers there, and the stack from `sp` up, for user space to
 * walk once it has the rows. Sent before the sample that it belongs to, which has the same `cpu` and `ktime`. After it follow
 * `bytes` of the stack. */
struct stack {
	u8 kind;
	u8 flags;
	u16 frames; /* user frames of the sample that come before this one */
	u32 bytes;
	u64 ktime;
	u32 cpu;
	u32 pad;
	u64 pc;
	u64 sp;
	u64 fp;
	u64 registers[REGISTERS]; /* in the order in which the kernel keeps them for a signal */
};

/* The names on the way from a file up to the root of its file system, leaf first, each ended by a NUL. Sent once for a
 * file that the kernel side has not seen before, or was told to forget, so that the file keeps a name when its process is
 * gone. */
struct file_path {
	u8 kind;
	u8 names;
	u16 bytes;
	u32 tgid;
	u64 ino;
	u32 dev;
	u32 version;
	char text[MAX_PATH_BYTES];
};

struct process_event {
	u8 kind;
	u8 pad[3];
	u32 tgid;
	u64 ktime; /* CLOCK_MONOTONIC, ns */
	u64 start_time; /* of the thread group leader, CLOCK_BOOTTIME, ns */
	u32 parent; /* fork only */
	u32 pad2;
};

enum counter {
#define COUNTER(name, text) COUNTER_##name,
#include "counters.def"
#undef COUNTER
	COUNTERS,
};

enum walk_end {
#define END(name, complete, text) END_##name,
#include "ends.def"
#undef END
	ENDS,
};

_Static_assert(sizeof(struct rule) == 16, "struct rule");
_Static_assert(sizeof(struct table) == 24, "struct table");
_Static_assert(sizeof(struct mapping) == 48, "struct mapping");
_Static_assert(sizeof(struct sample) == 64, "struct sample");
_Static_assert(sizeof(struct stack) == 184, "struct stack");
_Static_assert(sizeof(struct file_path) == 1048, "struct file_path");
_Static_assert(sizeof(struct process_event) == 32, "struct process_event");

#endif
