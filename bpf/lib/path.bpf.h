/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sends the names of a file that no sample has named before. */
#ifndef PYROPE_PATH_H
#define PYROPE_PATH_H

#include "maps.bpf.h"

#define PATH_NAMES 16
#define NAME_BYTES 256 /* NAME_MAX of every file system, and the NUL */

struct path_scratch {
	union {
		struct file_path record;
		/* Not used here: the object's type information keeps no type that only local variables have. */
		struct process_event event;
	};
	char slack[NAME_BYTES];
};

/* 0 -> the path being collected on a CPU, by its sample. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct path_scratch);
} path_scratch SEC(".maps");

static __always_inline u64 file_tag(struct mapping *m)
{
	u64 tag = (m->ino * 0x9e3779b97f4a7c15ULL) ^ (((u64)m->dev << 32) | m->version);
	tag *= 0xff51afd7ed558ccdULL;
	return (tag ^ (tag >> 29)) | 1;
}

/* False if the ring has no room for it. */
static __always_inline bool send_path(struct mapping *m, struct file *file, u32 tgid)
{
	u32 zero = 0;
	struct path_scratch *p = bpf_map_lookup_elem(&path_scratch, &zero);
	if (!p)
		return false;
	struct file_path *r = &p->record;
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	u32 used = 0, names = 0;
	for (int i = 0; i < PATH_NAMES; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		/* One more name still leaves fewer than MAX_PATH_BYTES. */
		if (!dentry || parent == dentry || used >= MAX_PATH_BYTES - NAME_BYTES)
			break;
		const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
		/* Before 6.8 the verifier forgets a bound when its register is spilled: the mask must stay in the code. */
		u32 at = used;
		barrier_var(at);
		at &= MAX_PATH_BYTES - 1;
		long n = bpf_probe_read_kernel_str(r->text + at, NAME_BYTES, name);
		if (n <= 0)
			break;
		used += (u32)n & (2 * NAME_BYTES - 1);
		names++;
		dentry = parent;
	}
	r->kind = RECORD_PATH;
	r->names = names;
	r->bytes = used;
	r->tgid = tgid;
	r->ino = m->ino;
	r->dev = m->dev;
	r->version = m->version;
	u32 size = sizeof(*r) - MAX_PATH_BYTES + (used & (MAX_PATH_BYTES - 1));
	return !bpf_ringbuf_output(&samples, r, size, BPF_RB_NO_WAKEUP);
}

/* True for a file that was not seen before: its path is on its way, or is sent the next time if the ring is full. */
static __always_inline bool first_sight(struct scratch *s, struct counters_value *c, struct mapping *m,
                                        struct file *file)
{
	u64 tag = file_tag(m);
	/* crates/abi computes it too. */
	u32 index = (tag >> 40) & (SEEN_FILES - 1);
	u64 *seen = bpf_map_lookup_elem(&seen_files, &index);
	if (!seen || *seen == tag)
		return false;
	if (send_path(m, file, s->head.tgid)) {
		*seen = tag;
	} else {
		COUNT(c, paths_lost);
		/* The next sample shall look the mapping up, and not find it remembered. */
		s->space.sequence = 0;
	}
	return true;
}

#endif
