/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the kernel side and user space say to each other. Read by the C and mirrored in crates/abi;
 * a test compares sizes and offsets with the BTF of the built object. Includes nothing. */
#ifndef PYROPE_ABI_H
#define PYROPE_ABI_H

#define MAX_USER_FRAMES 1024
#define MAX_KERNEL_FRAMES 127
#define MAX_MAPPINGS 32
#define COMM_LEN 16
#define MAX_PATH_BYTES 512

enum record_kind {
	RECORD_SAMPLE = 1,
	RECORD_PATH = 2,
	RECORD_FORK = 3,
	RECORD_EXEC = 4,
	RECORD_EXIT = 5,
};

/* struct sample.flags */
enum sample_flag {
	SAMPLE_IN_KERNEL = 1, /* the interrupted code was the kernel's */
	SAMPLE_KTHREAD = 2, /* the task is a kernel thread */
	SAMPLE_IN_SYSCALL = 4, /* user registers are those of a system call: the first user address is a return address */
};

/* struct mapping.flags */
enum mapping_flag {
	MAPPING_EXEC = 1,
	MAPPING_FILE = 2, /* backed by a file: the identity fields are set */
	MAPPING_VDSO = 4,
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
 * exact, the others are return addresses), then `mappings` struct mapping. */
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
	u32 pad;
	char comm[COMM_LEN]; /* of the thread; empty when it was not read */
};

/* The names on the way from a file up to the root of its file system, leaf first, each ended by a NUL. Sent once for a
 * file that the kernel side has not seen before, so that the file keeps a name when its process is gone. */
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

_Static_assert(sizeof(struct mapping) == 48, "struct mapping");
_Static_assert(sizeof(struct sample) == 64, "struct sample");
_Static_assert(sizeof(struct file_path) == 536, "struct file_path");
_Static_assert(sizeof(struct process_event) == 32, "struct process_event");

#endif
