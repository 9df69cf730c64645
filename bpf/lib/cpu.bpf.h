/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* CPUs that come and go, also when the machine sleeps. A perf event does not outlive its CPU's absence, however short:
 * user space opens all anew when this counted. */
#ifndef PYROPE_CPU_H
#define PYROPE_CPU_H

#include "maps.bpf.h"

/* (cpu, target state, step, callback); for each of about a hundred steps, and when a driver that follows them is loaded. */
SEC("raw_tp/cpuhp_enter")
int on_cpu_step(struct bpf_raw_tracepoint_args *ctx)
{
	struct counters_value *c = this_counters();
	(void)ctx;
	if (c)
		COUNT(c, cpu_steps);
	return 0;
}

#endif
