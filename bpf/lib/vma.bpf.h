/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From a user address to its mapping, by walking the task's own VMA tree. No lock is taken: a race with munmap can only
 * mislabel an address that was racing anyway, and every read is fault-safe. */
#ifndef PYROPE_VMA_H
#define PYROPE_VMA_H

#include "maps.bpf.h"

#define MAPLE_DEPTH 6 /* 10^6 leaves of 16: more than any address space can hold */
#define RB_DEPTH 40 /* 2 * log2 of the largest vm.max_map_count in use */

/* Node kinds in bits 3 to 6 of an encoded maple node pointer; the node is 256-byte aligned.
 * Source: include/linux/maple_tree.h, enum maple_type. */
enum { MAPLE_DENSE = 0, MAPLE_LEAF_64 = 1, MAPLE_RANGE_64 = 2, MAPLE_ARANGE_64 = 3 };

/* The slot of a node whose range holds addr: the first pivot not below it. A pivot of zero past the first ends the list,
 * and the range of its slot ends where the node does. */
static __always_inline u64 maple_slot(struct scratch *s, u64 addr, u32 pivots, u32 slots)
{
	u32 i = 0;
	for (; i < pivots; i++) {
		u64 pivot = s->node[1 + i];
		if (pivot >= addr || (i > 0 && pivot == 0))
			break;
	}
	return s->node[(slots + i) & 31];
}

static __always_inline u64 maple_find(struct scratch *s, struct mm_struct *mm, u64 addr)
{
	u64 entry = (u64)BPF_CORE_READ(mm, mm_mt.ma_root);
	/* Only the root entry tells a node by bit 1; without it the tree is one mapping or none. */
	if (!(entry & 2))
		return entry;
	for (int depth = 0; depth < MAPLE_DEPTH; depth++) {
		u32 kind = (entry >> 3) & 0xf;
		if (bpf_probe_read_kernel(s->node, sizeof(s->node), (void *)(entry & ~0xffULL)))
			return 0;
		if (kind == MAPLE_ARANGE_64) {
			entry = maple_slot(s, addr, 9, bpf_core_field_offset(struct maple_arange_64, slot) / 8);
			continue;
		}
		entry = maple_slot(s, addr, 15, bpf_core_field_offset(struct maple_range_64, slot) / 8);
		if (kind != MAPLE_RANGE_64)
			return entry;
	}
	return 0;
}

static __always_inline u64 rb_find(struct mm_struct *mm, u64 addr)
{
	u64 rb = bpf_core_field_offset(struct vm_area_struct, vm_rb);
	struct rb_node *node = BPF_CORE_READ(mm, mm_rb.rb_node);
	for (int depth = 0; depth < RB_DEPTH && node; depth++) {
		struct vm_area_struct *vma = (void *)node - rb;
		u64 start = BPF_CORE_READ(vma, vm_start), end = BPF_CORE_READ(vma, vm_end);
		if (addr < start)
			node = BPF_CORE_READ(node, rb_left);
		else if (addr >= end)
			node = BPF_CORE_READ(node, rb_right);
		else
			return (u64)vma;
	}
	return 0;
}

/* Generation and change time in 32 bits: tells a file from what it was before it was overwritten in place. */
static __always_inline u32 file_version(struct inode *inode)
{
	u64 sec, nsec;
	if (bpf_core_field_exists(inode->i_ctime)) {
		sec = BPF_CORE_READ(inode, i_ctime.tv_sec);
		nsec = BPF_CORE_READ(inode, i_ctime.tv_nsec);
	} else if (bpf_core_field_exists(((struct inode___v66 *)inode)->__i_ctime)) {
		struct inode___v66 *v = (void *)inode;
		sec = BPF_CORE_READ(v, __i_ctime.tv_sec);
		nsec = BPF_CORE_READ(v, __i_ctime.tv_nsec);
	} else {
		struct inode___v611 *v = (void *)inode;
		sec = BPF_CORE_READ(v, i_ctime_sec);
		/* The top bit says that somebody asked for the time (I_CTIME_QUERIED, from 6.13). */
		nsec = BPF_CORE_READ(v, i_ctime_nsec) & 0x7fffffff;
	}
	u64 mix = (sec * 1000000000ULL + nsec) * 0x9e3779b97f4a7c15ULL + BPF_CORE_READ(inode, i_generation);
	mix *= 0xff51afd7ed558ccdULL;
	return mix >> 32;
}

#define VMA_WORD(s, field) (s)->vma[(bpf_core_field_offset(struct vm_area_struct, field) / 8) & 31]

/* Fills `m` with the executable mapping at `addr`; false where there is none. */
static __always_inline bool find_mapping(struct scratch *s, u64 addr, struct mapping *m)
{
	struct mm_struct *mm = (void *)s->space.mm;
	u64 vma = bpf_core_type_exists(struct maple_tree) ? maple_find(s, mm, addr) : rb_find(mm, addr);
	if (vma < 4096 || bpf_probe_read_kernel(s->vma, sizeof(s->vma), (void *)vma))
		return false;
	u64 start = VMA_WORD(s, vm_start), end = VMA_WORD(s, vm_end);
	if (addr < start || addr >= end || VMA_WORD(s, vm_mm) != s->space.mm || !(VMA_WORD(s, vm_flags) & VM_EXEC))
		return false;
	m->start = start;
	m->end = end;
	m->offset = VMA_WORD(s, vm_pgoff) << 12;
	m->flags = MAPPING_EXEC;
	m->ino = 0;
	m->dev = 0;
	m->version = 0;
	struct file *file = (void *)VMA_WORD(s, vm_file);
	struct inode *inode = file ? BPF_CORE_READ(file, f_inode) : NULL;
	if (inode) {
		m->flags |= MAPPING_FILE;
		m->ino = BPF_CORE_READ(inode, i_ino);
		m->dev = BPF_CORE_READ(inode, i_sb, s_dev);
		m->version = file_version(inode);
	} else if ((u64)BPF_CORE_READ(mm, context.vdso) == start) {
		m->flags |= MAPPING_VDSO;
		m->offset = 0;
		m->dev = VDSO_DEV;
	}
	return true;
}

#endif
