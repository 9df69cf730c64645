// Says how many BPF programs, maps and links the kernel holds. Not a workload: a virtual machine has no bpftool.

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// -1 where the kernel does not tell.
static int count(int command)
{
	int found = 0;
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	while (syscall(SYS_bpf, command, &attr, sizeof(attr)) == 0) {
		attr.start_id = attr.next_id;
		found++;
	}
	return errno == ENOENT ? found : -1;
}

int main(void)
{
	int programs = count(BPF_PROG_GET_NEXT_ID), maps = count(BPF_MAP_GET_NEXT_ID), links = count(BPF_LINK_GET_NEXT_ID);
	printf("%d %d %d\n", programs, maps, links);
	return programs < 0 || maps < 0 || links < 0;
}
