/* SPDX-License-Identifier: Apache-2.0 */
/* The program for samples, compiled for the host and given a task of its own making: a program with a dozen functions without
 * frame pointers, a file behind its code, rows for them, and a stack of so many frames.
 *
 *     host count FRAMES SAMPLES     takes samples, as often as is said; each has to be whole
 *     host faults FRAMES            takes a sample for each read that can fail, with that read failing
 *     host unbuilt FRAMES           takes samples of a file without rows
 *     host withdrawn FRAMES         looks rules up while their rows are withdrawn
 *     host again FRAMES             has the number of a table come again, for another file's
 */
#include "../../../../bpf/sample.bpf.c"

int printf(const char *format, ...);
int atoi(const char *text);
int strcmp(const char *one, const char *other);
void exit(int code);
void *memcpy(void *to, const void *from, unsigned long bytes);
void *calloc(unsigned long count, unsigned long bytes);

#define FUNCTIONS 12
#define FUNCTION_BYTES 256
#define CODE 0x555555554000ULL
#define CODE_BYTES 0x10000ULL
#define STACK_TOP 0x7ffffffde000ULL
#define MOST_WORDS 8192
/* What programs without frame pointers have in that register. */
#define NO_POINTER 0x1234567

#define REQUIRE(condition)                                                                          \
	do {                                                                                        \
		if (!(condition)) {                                                                 \
			printf("line %d: not so: %s\n", __LINE__, #condition);                      \
			exit(1);                                                                    \
		}                                                                                   \
	} while (0)

/* ---- the task ---- */

static u64 stack[MOST_WORDS];
static struct inode inode = { .i_ino = 77, .i_generation = 1 };
static struct super_block file_system = { .s_dev = 0x800001 };
static struct dentry root, leaf = { .d_parent = &root, .d_name = { (const unsigned char *)"program" } };
static struct file file = { .f_inode = &inode, .f_path = { &leaf } };
static union {
	struct vm_area_struct area;
	u64 words[32];
} mapping;
static struct mm_struct space;
static struct task_struct task = { .mm = &space, .active_mm = &space, .pid = 42, .tgid = 42, .group_leader = &task, .start_boottime = 9 };
static struct bpf_perf_event_data interrupted;

/* A leaf of the tree of mappings; its lowest byte says what it is, so that it is aligned. */
static u64 node[32] __attribute__((aligned(256)));

/* ---- the maps ---- */

static struct scratch the_scratch;
static struct counters_value the_counters;
static struct stack_scratch the_stack;
static struct path_scratch the_path;
static struct memory_layout the_layout;
static struct line the_rows[64], the_spans[4];
static struct table the_tables[MAX_TABLES];
static struct rule the_rules[FUNCTIONS + 2];
static struct file_bucket the_buckets[FILE_BUCKETS];
static u64 the_recent[1 << RECENT_BITS], the_seen[SEEN_FILES];

#define IN_MAP(name, storage)                                                                       \
	if (map == (void *)&name)                                                                   \
		return number < sizeof(storage) / sizeof((storage)[0]) ? (void *)&(storage)[number] : NULL
#define ONE(name, storage)                                                                          \
	if (map == (void *)&name)                                                                   \
		return number == 0 ? (void *)&(storage) : NULL

/* What user space does while rows are read. */
static void (*withdraws)(void);

void *bpf_map_lookup_elem(void *map, const void *key)
{
	u32 number = *(const u32 *)key;
	ONE(scratch, the_scratch);
	ONE(counters, the_counters);
	ONE(stack_scratch, the_stack);
	ONE(path_scratch, the_path);
	ONE(memory_layout, the_layout);
	if (map == (void *)&rows && withdraws)
		withdraws();
	IN_MAP(rows, the_rows);
	IN_MAP(spans, the_spans);
	IN_MAP(tables, the_tables);
	IN_MAP(rules, the_rules);
	IN_MAP(file_tables, the_buckets);
	IN_MAP(recent_rules, the_recent);
	IN_MAP(seen_files, the_seen);
	REQUIRE(!"a map that is known");
	return NULL;
}

/* ---- the helpers ---- */

/* Number of reads so far, and which of them fails. */
static u32 reads, fails;

static bool failing(void)
{
	return ++reads == fails;
}

long bpf_probe_read_kernel(void *to, u32 bytes, const void *from)
{
	if (failing())
		return -14;
	memcpy(to, from, bytes);
	return 0;
}

long bpf_probe_read_kernel_str(void *to, u32 bytes, const void *from)
{
	if (failing())
		return -14;
	for (u32 i = 0; i < bytes; i++)
		if (!(((char *)to)[i] = ((const char *)from)[i]))
			return i + 1;
	return bytes;
}

long bpf_probe_read_user(void *to, u32 bytes, const void *from)
{
	u64 at = (u64)from - (STACK_TOP - sizeof(stack));
	if (failing() || at > sizeof(stack) || bytes > sizeof(stack) - at)
		return -14;
	memcpy(to, (char *)stack + at, bytes);
	return 0;
}

static u64 now = 1000000;

u64 bpf_ktime_get_ns(void) { return now++; }
u64 bpf_get_current_pid_tgid(void) { return 42ULL << 32 | 42; }
u64 bpf_get_current_cgroup_id(void) { return 1; }
u32 bpf_get_smp_processor_id(void) { return 0; }
long bpf_get_current_comm(void *to, u32 bytes) { return (void)to, (void)bytes, 0; }
struct task_struct *bpf_get_current_task_btf(void) { return &task; }
u64 bpf_get_current_task(void) { return (u64)&task; }
/* Asked for only where kernel code was interrupted, which is not so here. */
static struct pt_regs left_with;
long bpf_task_pt_regs(struct task_struct *of) { return (void)of, (long)&left_with; }
long bpf_get_stack(void *context, void *to, u32 bytes, u64 flags) { return (void)context, (void)to, (void)bytes, (void)flags, -1; }

static union {
	struct sample head;
	u64 words[WORDS + sizeof(struct sample) / 8];
} last;
static u32 samples_out, paths_out, stacks_out, stacks_woken;

u64 bpf_ringbuf_query(void *ring, u64 what) { return (void)ring, (void)what, 0; }

long bpf_ringbuf_output(void *ring, void *record, u64 bytes, u64 flags)
{
	REQUIRE(ring == (void *)&samples);
	switch (*(u8 *)record) {
	case RECORD_SAMPLE:
		REQUIRE(bytes <= sizeof(last));
		memcpy(&last, record, bytes);
		samples_out++;
		stacks_woken += last.head.flags & SAMPLE_STACK && flags & BPF_RB_FORCE_WAKEUP;
		return 0;
	case RECORD_PATH:
		REQUIRE(bytes <= sizeof(struct file_path));
		paths_out++;
		return 0;
	case RECORD_STACK:
		REQUIRE(bytes <= sizeof(struct stack) + MAX_STACK_BYTES);
		stacks_out++;
		return 0;
	}
	REQUIRE(!"a kind that is known");
	return -1;
}

/* ---- the scene ---- */

/* Words of a frame of a function, its return address among them. Every other function saves the frame pointer below that. */
static u32 words_of(u32 function) { return 3 + function % 7; }
static bool saves(u32 function) { return function % 2; }
static u64 address_in(u32 function) { return CODE + function * FUNCTION_BYTES + 100; }

static void make_code(void)
{
	mapping.area = (struct vm_area_struct){ .vm_start = CODE, .vm_end = CODE + CODE_BYTES, .vm_mm = &space, .vm_flags = VM_EXEC, .vm_file = &file };
	inode.i_sb = &file_system;
	root.d_parent = &root;
	/* Nothing, the mapping, nothing. The slots follow the fifteen pivots. */
	node[1] = CODE - 1;
	node[2] = CODE + CODE_BYTES - 1;
	node[3] = ~0ULL;
	node[16 + 1] = (u64)&mapping;
	space.mm_mt.ma_root = (void *)((u64)node | MAPLE_LEAF_64 << 3 | 2);
	space.mm_users.counter = 2;

	struct mapping known = { .ino = inode.i_ino, .dev = file_system.s_dev, .version = file_version(&inode) };
	u64 tag = file_tag(&known);
	u32 number = 1 | 1 << TABLE_BITS, numbers = (1 << TABLE_NUMBER_BITS) - 1;
	the_buckets[(tag >> 9) & (FILE_BUCKETS - 1)].files[0] = (tag & ~(u64)numbers) | number;
	the_tables[1] = (struct table){ .number = number, .spans = 1 };
	the_spans[0].words[0] = FUNCTIONS;
	/* What follows the last row stands above all places. */
	for (u32 i = 0; i < LINE_WORDS; i++)
		the_rows[0].words[i] = 0xffffffff;
	for (u32 function = 0; function < FUNCTIONS; function++) {
		the_rows[0].words[function] = (function * FUNCTION_BYTES) << 16 | (function + 1);
		u32 below = saves(function) ? 2 : 0;
		the_rules[function + 1] = (struct rule){ .kind = RULE_PLAIN, .extra = words_of(function) << (1 + PLAIN_FP_BITS) | below << 1 };
	}
}

/* A stack of so many frames: who called whom from the root on, in turns. */
static void make_stack(u32 frames)
{
	u64 at = MOST_WORDS;
	for (u32 depth = frames; depth-- > 0;) {
		u32 function = depth % FUNCTIONS;
		REQUIRE(at > words_of(function));
		stack[at - 1] = depth + 1 < frames ? address_in((depth + 1) % FUNCTIONS) + 1 : 0;
		if (saves(function))
			stack[at - 2] = NO_POINTER;
		at -= words_of(function);
	}
	interrupted.regs.ip = address_in(0);
	interrupted.regs.sp = STACK_TOP - (MOST_WORDS - at) * 8;
	interrupted.regs.bp = NO_POINTER;
	interrupted.regs.cs = USER_CS_64;
}

static void check_whole(u32 frames)
{
	REQUIRE(last.head.end == END_root);
	REQUIRE(last.head.user_frames == frames);
	REQUIRE(last.head.mappings == 1);
	u64 *words = &last.words[sizeof(struct sample) / 8];
	for (u32 i = 0; i < frames; i++)
		REQUIRE(words[i] == address_in(i % FUNCTIONS) + (i > 0));
	struct mapping *named = (void *)&words[frames];
	REQUIRE(named->start == CODE && named->ino == 77);
}

/* The file has no table, and its code no frame pointers: each sample wants its stack sent, and not all can have that. */
static void check_unbuilt(void)
{
	for (u32 i = 0; i < FILE_BUCKETS; i++)
		the_buckets[i] = (struct file_bucket){};
	now = 5000000; /* Nobody was woken lately. */
	for (u32 i = 0; i < STACKS_PER_SECOND + 30; i++) {
		sample_cpu(&interrupted);
		REQUIRE(last.head.end == END_unbuilt);
		REQUIRE(!(last.head.flags & SAMPLE_STACK) == (i >= STACKS_PER_SECOND));
	}
	REQUIRE(stacks_out == STACKS_PER_SECOND && the_counters.n[COUNTER_stacks] == STACKS_PER_SECOND);
	REQUIRE(the_counters.n[COUNTER_stacks_unsent] == 30);
	REQUIRE(stacks_woken == 1);

	/* With no place left for one more mapping, a frame there is counted and a word of the stack is not. */
	struct scratch *s = &the_scratch;
	s->mapped = MAX_MAPPINGS;
	for (u32 i = 0; i < MAX_MAPPINGS; i++)
		s->maps[i] = (struct remembered){ .used_by = s->number };
	s->scans = true;
	REQUIRE(resolve(CODE) == IS_CODE && the_counters.n[COUNTER_mappings_overflow] == 0);
	s->scans = false;
	REQUIRE(resolve(CODE) == IS_CODE && the_counters.n[COUNTER_mappings_overflow] == 1);
}

static void withdraw_span(void) { the_spans[0].words[0] = SPAN_AWAITED; }
static void withdraw_table(void) { the_tables[1].number = 0; }

/* What was read of rows that go meanwhile is neither used nor remembered. */
static void check_withdrawn(void)
{
	void (*ways[])(void) = { withdraw_span, withdraw_table };
	u32 number = the_tables[1].number;
	for (u32 way = 0; way < 2; way++) {
		make_code();
		withdraws = ways[way];
		REQUIRE(find_frame(number, 100) == IS_STALE);
		for (u32 i = 0; i < 1 << RECENT_BITS; i++)
			REQUIRE(!the_recent[i]);
	}
	withdraws = NULL;
	make_code();
	REQUIRE(find_frame(number, 100) == (IS_PLAIN | the_rules[1].extra));
	u32 remembered = 0;
	for (u32 i = 0; i < 1 << RECENT_BITS; i++)
		remembered += the_recent[i] != 0;
	REQUIRE(remembered == 1);
}

/* The table of another file gets the number that this CPU remembers. */
static void check_again(u32 frames)
{
	space.mm_lock_seq = 1;
	sample_cpu(&interrupted);
	check_whole(frames);
	for (u32 i = 0; i < FILE_BUCKETS; i++)
		the_buckets[i] = (struct file_bucket){};
	sample_cpu(&interrupted);
	/* Nothing was mapped meanwhile: the number holds as long as it is of one table. */
	check_whole(frames);
	the_tables[0].base++;
	sample_cpu(&interrupted);
	REQUIRE(last.head.end == END_unbuilt);
}

int main(int count, char **arguments)
{
	REQUIRE(count >= 3);
	u32 frames = atoi(arguments[2]);
	make_code();
	make_stack(frames);
	if (!strcmp(arguments[1], "count")) {
		REQUIRE(count == 4);
		u32 wanted = atoi(arguments[3]);
		for (u32 i = 0; i < wanted; i++) {
			sample_cpu(&interrupted);
			check_whole(frames);
		}
		REQUIRE(samples_out == wanted && paths_out == 1 && stacks_out == 0);
		return 0;
	}
	if (!strcmp(arguments[1], "unbuilt"))
		return check_unbuilt(), 0;
	if (!strcmp(arguments[1], "withdrawn"))
		return check_withdrawn(), 0;
	if (!strcmp(arguments[1], "again"))
		return check_again(frames), 0;
	/* From scratch each time, so that all reads are made. */
	u32 tried = 0;
	for (fails = 1;; fails++) {
		reads = 0;
		the_scratch = (struct scratch){};
		for (u32 i = 0; i < SEEN_FILES; i++)
			the_seen[i] = 0;
		u32 before = samples_out;
		sample_cpu(&interrupted);
		REQUIRE(samples_out == before + 1);
		if (reads < fails)
			break;
		tried++;
		/* The path's names may fail and the sample be whole; else it ends where the read did. */
		if (last.head.end == END_root)
			check_whole(frames);
		else
			REQUIRE(last.head.end == END_fault || last.head.end == END_not_code || last.head.end == END_chain);
		REQUIRE(last.head.user_frames <= frames && last.head.mappings <= 1);
	}
	REQUIRE(tried > frames);
	check_whole(frames);
	printf("%u reads failed\n", tried);
	return 0;
}
