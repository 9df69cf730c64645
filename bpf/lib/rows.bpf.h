/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From a place in a file to the rule that holds there. User space writes what is read here: lines first, then what points
 * to them. crates/unwind/src/span.rs draws the lines. */
#ifndef PYROPE_ROWS_H
#define PYROPE_ROWS_H

#include "maps.bpf.h"

struct line {
	u32 words[LINE_WORDS];
};

/* The rows of all files. Sized at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct line);
} rows SEC(".maps");

/* For each span of code its first line << ROWS_BITS | rows; 0 where there are none. Sized at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct line);
} spans SEC(".maps");

/* Place of a table's number -> the table. The first place is of none: `base` there is how often numbers of before came again. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_TABLES);
	__type(key, u32);
	__type(value, struct table);
} tables SEC(".maps");

/* Number of a rule -> the rule. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_RULES);
	__type(key, u32);
	__type(value, struct rule);
} rules SEC(".maps");

/* Hash of a file's identity -> the tables of the files there: what is left of the tag << TABLE_NUMBER_BITS | number. */
struct file_bucket {
	u64 files[FILES_IN_BUCKET];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FILE_BUCKETS);
	__type(key, u32);
	__type(value, struct file_bucket);
} file_tables SEC(".maps");

/* The rules of places looked up lately, one word each: a tag, and below it an ordinary frame with IS_PLAIN, or the number of
 * the rule. Written by all CPUs; a word is written whole, so that it is right or about another place. A place is the number of
 * a table, and an offset: what is here stays true until the number is used again, before which user space clears all words. */
#define OFFSET_BITS 32
#define PLACE_BITS (TABLE_NUMBER_BITS + OFFSET_BITS)
#define RECENT_BITS 14
#define TAG_BITS (PLACE_BITS - RECENT_BITS)
#define IS_PLAIN (1 << PLAIN_BITS)
#define IS_STALE (1 << (PLAIN_BITS + 1))
/* Never among what was looked up lately: the next sample may find rows. */
#define IS_AWAITED (1 << (PLAIN_BITS + 2))
#define FOUND_MASK ((1ULL << (64 - TAG_BITS)) - 1)
_Static_assert(PLAIN_BITS + 2 <= 64 - TAG_BITS, "a word has room for what was found");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << RECENT_BITS);
	__type(key, u32);
	__type(value, u64);
} recent_rules SEC(".maps");

/* The number of the table of a file; 0 while there is none. A function of its own, for several ask in loops. */
__attribute__((noinline)) int table_of(u64 tag)
{
	/* Bits that the word does not keep; the lowest is always set. */
	u32 index = (tag >> 9) & (FILE_BUCKETS - 1);
	struct file_bucket *bucket = bpf_map_lookup_elem(&file_tables, &index);
	if (!bucket)
		return 0;
	for (u32 i = 0; i < FILES_IN_BUCKET; i++) {
		u64 file = bucket->files[i];
		if (file && ((file ^ tag) >> TABLE_NUMBER_BITS) == 0)
			return file & ((1 << TABLE_NUMBER_BITS) - 1);
	}
	return 0;
}

/* The last of the 32 halves of a line, which ascend, that is not above `place`; the first, if all are. */
static __always_inline u32 index_before(struct line *line, u32 place)
{
	u32 at = 0;
	for (u32 step = 16; step; step >>= 1) {
		u32 next = (at + step) & 31;
		u64 entry = (line->words[next >> 1] >> ((next & 1) * 16)) & 0xffff;
		/* 1 where the entry is not above: the difference of two small numbers has its sign in the top bit. */
		u64 reached = 1 - ((place - entry) >> 63);
		at = (at + step * (u32)reached) & 31;
	}
	return at;
}

/* The last of the rows of a line that is not above `place`; the first, if all are. */
static __always_inline u32 row_before(struct line *line, u32 place)
{
	u64 most = (u64)place << 16 | 0xffff;
	u32 at = 0;
	for (u32 step = 8; step; step >>= 1) {
		u32 next = (at + step) & 15;
		u64 reached = 1 - ((most - line->words[next]) >> 63);
		at = (at + step * (u32)reached) & 15;
	}
	return line->words[at];
}

/* The number of the rule of an offset in the file of a table; 0 where none is known, IS_STALE when the number is of no table any
 * more: it made room for others; with IS_AWAITED where rows come when they are asked for. */
__attribute__((noinline)) int find_rule(u32 number, u64 offset)
{
	u32 slot = number & (MAX_TABLES - 1);
	struct table *table = bpf_map_lookup_elem(&tables, &slot);
	if (!table || table->number != number)
		return IS_STALE;
	u64 span = (offset >> SPAN_BITS) - table->first_span;
	if (span >= table->spans)
		return table->otherwise & 0xffff;
	u32 place = offset & ((1 << SPAN_BITS) - 1);
	u64 at = table->base + span;
	u32 key = at / LINE_WORDS;
	struct line *line = bpf_map_lookup_elem(&spans, &key);
	if (!line)
		return 0;
	volatile u32 *place_of_pointer = &line->words[at & (LINE_WORDS - 1)];
	u32 pointer = *place_of_pointer;
	u32 count = pointer & ((1 << ROWS_BITS) - 1);
	u32 first = pointer >> ROWS_BITS;
	if (!count)
		return pointer ? IS_AWAITED | (table->awaited & 0xffff) : table->otherwise & 0xffff;
	u32 blocks = (count + LINE_WORDS - 1) / LINE_WORDS;
	if (blocks > 1) {
		u32 indexes = (blocks + 2 * LINE_WORDS - 1) / (2 * LINE_WORDS);
		u32 chosen = 0;
		/* More than one line of them is rare: code with a change every few bytes. */
		for (u32 i = 1; i < 8; i++) {
			if (i >= indexes)
				break;
			key = first + i;
			line = bpf_map_lookup_elem(&rows, &key);
			if (!line || (line->words[0] & 0xffff) > place)
				break;
			chosen = i;
		}
		key = first + chosen;
		line = bpf_map_lookup_elem(&rows, &key);
		if (!line)
			return 0;
		first += indexes + chosen * 2 * LINE_WORDS + index_before(line, place);
	}
	line = bpf_map_lookup_elem(&rows, &first);
	if (!line)
		return 0;
	u32 row = row_before(line, place);
	/* Withdrawn while it was read, all of it or the span. */
	if (*(volatile u32 *)&table->number != number || *place_of_pointer != pointer)
		return IS_STALE;
	return row & 0xffff;
}

/* What is known of an offset in the file of a table: an ordinary frame with IS_PLAIN, or the number of a rule. By way of what
 * was looked up lately. */
static __always_inline u32 find_frame(u32 table, u64 offset)
{
	if (offset >> OFFSET_BITS)
		return 0;
	/* Odd, so that multiplying is one to one within the bits of a place. */
	u64 mixed = (((u64)table << OFFSET_BITS | offset) * 0x9e3779b97f4a7c15ULL) & ((1ULL << PLACE_BITS) - 1);
	u32 slot = mixed >> TAG_BITS;
	u64 tag = mixed << (64 - TAG_BITS);
	u64 *recent = bpf_map_lookup_elem(&recent_rules, &slot);
	if (!recent)
		return 0;
	u64 word = *recent;
	if (word && (word & ~FOUND_MASK) == tag)
		return word & FOUND_MASK;
	u32 found = find_rule(table, offset);
	if (found & IS_STALE)
		return IS_STALE;
	bool awaited = found & IS_AWAITED;
	found &= 0xffff;
	if (awaited)
		return found;
	struct rule *rule = bpf_map_lookup_elem(&rules, &found);
	if (rule && rule->kind == RULE_PLAIN)
		found = IS_PLAIN | (rule->extra & (IS_PLAIN - 1));
	*recent = tag | found;
	return found;
}

#endif
