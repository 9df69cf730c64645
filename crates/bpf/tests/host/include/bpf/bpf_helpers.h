/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the place of libbpf's header where the programs are compiled for the host: host.c has the functions. */
#ifndef PYROPE_HOST_HELPERS_H
#define PYROPE_HOST_HELPERS_H

#define SEC(name)
#define __always_inline inline __attribute__((always_inline))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) __typeof__(value) *name
#define barrier_var(variable) __asm__ volatile("" : "+r"(variable))
#define NULL ((void *)0)

struct task_struct;

void *bpf_map_lookup_elem(void *map, const void *key);
long bpf_probe_read_kernel(void *to, u32 bytes, const void *from);
long bpf_probe_read_kernel_str(void *to, u32 bytes, const void *from);
long bpf_probe_read_user(void *to, u32 bytes, const void *from);
u64 bpf_ktime_get_ns(void);
u64 bpf_get_current_pid_tgid(void);
u64 bpf_get_current_cgroup_id(void);
u32 bpf_get_smp_processor_id(void);
long bpf_get_current_comm(void *to, u32 bytes);
struct task_struct *bpf_get_current_task_btf(void);
u64 bpf_get_current_task(void);
long bpf_task_pt_regs(struct task_struct *task);
long bpf_get_stack(void *context, void *to, u32 bytes, u64 flags);
u64 bpf_ringbuf_query(void *ring, u64 what);
long bpf_ringbuf_output(void *ring, void *record, u64 bytes, u64 flags);

#endif
