/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Just the kernel fields that are read. Offsets are patched at load from the running kernel's BTF (CO-RE), so the
 * order and the holes here mean nothing. A `___suffix` is another shape of the same type in other kernels. */
#ifndef PYROPE_CORE_H
#define PYROPE_CORE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
typedef signed long long s64;

/* Names that libbpf's own headers use. */
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;

enum { false = 0, true = 1 };
typedef _Bool bool;

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, sp;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct super_block {
	u32 s_dev;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	u32 i_generation;
	struct timespec64 i_ctime; /* until 6.5 */
};

/* 13bc24457850 (6.6) renamed the field. */
struct inode___v66 {
	struct timespec64 __i_ctime;
};

/* 3aa63a569c64 (6.11) split it. */
struct inode___v611 {
	s64 i_ctime_sec;
	u32 i_ctime_nsec;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
};

struct rb_node {
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct mm_struct;

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct file *vm_file;
	struct rb_node vm_rb; /* until 6.0 */
};

struct maple_tree {
	void *ma_root;
};

struct maple_range_64 {
	void *parent;
	unsigned long pivot[15];
	void *slot[16];
};

struct maple_arange_64 {
	void *parent;
	unsigned long pivot[9];
	void *slot[10];
};

struct mm_context {
	void *vdso;
};

struct mm_struct {
	struct {
		int counter;
	} mm_users;
	void *pgd;
	int mm_lock_seq; /* from 6.4: 5e31275cc997; goes up with every change of the mappings */
	unsigned long start_stack;
	unsigned long arg_start;
	struct maple_tree mm_mt; /* from 6.1: 524e00b36e8c */
	struct rb_root mm_rb; /* until 6.0 */
	struct mm_context context;
};

/* eb449bd96954 (6.13) made it the counter of a lock, odd while somebody holds it. */
struct seqcount {
	unsigned int sequence;
};
struct mm_struct___v613 {
	struct seqcount mm_lock_seq;
};

struct signal_struct {
	struct {
		int counter;
	} live;
};

struct task_struct {
	struct mm_struct *mm;
	struct mm_struct *active_mm;
	int pid;
	int tgid;
	unsigned int flags;
	void *stack;
	struct task_struct *group_leader;
	u64 start_boottime;
	struct signal_struct *signal;
};

#pragma clang attribute pop

/* The uapi context of perf_event programs; its offsets are stable. */
struct user_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

struct bpf_perf_event_data {
	struct user_regs regs;
	__u64 sample_period;
	__u64 addr;
};

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

/* uapi/linux/bpf.h */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_ANY = 0,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};
/* Only the member whose presence is asked for; the value is patched from the running kernel. */
enum bpf_func_id___core {
	BPF_FUNC_task_pt_regs___core = 175,
	BPF_FUNC_get_current_task_btf___core = 158,
};

/* linux/sched.h, linux/mm.h: stable for the kernels this loads on. */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000
#define PF_IO_WORKER 0x00000010
#define VM_EXEC 0x4

#endif
