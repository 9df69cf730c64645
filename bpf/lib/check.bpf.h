/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What user space asks once at start: which pid it has in the host's pid namespace, and whether the VMA walk finds an
 * address whose mapping it knows. Run by BPF_PROG_RUN, never attached. */
#ifndef PYROPE_CHECK_H
#define PYROPE_CHECK_H

#include "maps.bpf.h"
#include "vma.bpf.h"

struct self_check {
	u64 address; /* in: an address of this process's code */
	u64 start; /* out: its mapping; 0 when the walk found none */
	u64 end;
	u64 ino;
	u32 tgid; /* out: as the host's pid namespace counts */
	u32 done;
};

/* 0 -> question and answer. Written by user space, then by self_check. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct self_check);
} self_checks SEC(".maps");

SEC("raw_tp/self_check")
int self_check(struct bpf_raw_tracepoint_args *ctx)
{
	u32 zero = 0;
	struct self_check *check = bpf_map_lookup_elem(&self_checks, &zero);
	struct scratch *s = this_scratch();
	(void)ctx;
	if (!check || !s)
		return 0;
	struct task_struct *task = (void *)bpf_get_current_task();
	check->tgid = bpf_get_current_pid_tgid() >> 32;
	s->space.mm = (u64)BPF_CORE_READ(task, mm);
	s->space.sequence = 0;
	s->mapped = 0;
	struct mapping *m = &s->maps[0].m;
	if (find_mapping(s, check->address, m)) {
		check->start = m->start;
		check->end = m->end;
		check->ino = m->ino;
	}
	check->done = 1;
	return 0;
}

#endif
