/*
 * Loads a BPF program of the name `busy_turns`, says that it is ready, and has the kernel run it over and over. Needs root.
 */
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "workload.h"

enum { TURNS = 8000, REPEAT = 200 };

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

int main(int argc, char **argv)
{
	const uint64_t end = deadline(argc, argv);
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = TURNS },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_1 },
		{ .code = BPF_ALU64 | BPF_SUB | BPF_K, .dst_reg = BPF_REG_1, .imm = 1 },
		{ .code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_1, .off = -3 },
		{ .code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static char packet[64];
	union bpf_attr load, run;
	int program;

	memset(&load, 0, sizeof load);
	load.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	load.insns = (uintptr_t)code;
	load.insn_cnt = sizeof code / sizeof code[0];
	load.license = (uintptr_t) "Dual BSD/GPL";
	strcpy(load.prog_name, "busy_turns");
	program = bpf(BPF_PROG_LOAD, &load);
	if (program < 0) {
		perror("a BPF program");
		return 1;
	}
	memset(&run, 0, sizeof run);
	run.test.prog_fd = (uint32_t)program;
	run.test.data_in = (uintptr_t)packet;
	run.test.data_size_in = sizeof packet;
	run.test.repeat = REPEAT;
	ready();
	while (before(end))
		if (bpf(BPF_PROG_TEST_RUN, &run) != 0) {
			perror("the run of a BPF program");
			return 1;
		}
	return 0;
}
