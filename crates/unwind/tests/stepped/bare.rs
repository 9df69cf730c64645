//! Programs whose code no table describes.

use crate::built::{Folder, clang};
use crate::check::{Seen, Settings, run};
use crate::programs::fine;

const C: &str = r#"
#define _GNU_SOURCE
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))

static volatile long sink;
static jmp_buf back;

APART static long add(int count, ...)
{
	va_list list;
	long sum = 0;

	va_start(list, count);
	for (int i = 0; i < count; i++)
		sum += va_arg(list, long);
	va_end(list);
	return sum;
}

APART static void on_signal(int signal)
{
	sink += add(3, (long)signal, 2L, 3L);
}

APART static long kinds(int kind, long n)
{
	switch (kind) {
	case 0: return add(2, n, 1L);
	case 1: sink += n; return sink;
	case 2: return strlen("some text") + n;
	case 3: return n * 3;
	case 4: sink = labs(n); return add(1, n);
	case 5: return add(8, 1L, 2L, 3L, 4L, 5L, 6L, 7L, n);
	case 6: return n ^ 5;
	case 7: if (n > 1000000) abort(); return n - 1;
	default: return 0;
	}
}

APART static long sized(long n)
{
	char *space = alloca(16 + n * 8);

	memset(space, (int)n, 16);
	return space[n & 15] + add(2, n, n);
}

APART static long large(long n)
{
	volatile char space[70000];

	space[n & 0xffff] = 1;
	return space[n & 0xff] + add(1, n);
}

/* Most calls need no stack at all. */
APART static long seldom(long n)
{
	if (__builtin_expect(n & 3, 1))
		return n + 1;
	return sized(n) + kinds((int)n & 7, n) + sized(n + 1);
}

APART static long deep(long n)
{
	long pad[8];

	pad[n & 7] = n;
	if (n == 0)
		return add(2, 4L, 5L);
	return deep(n - 1) + pad[n & 7];
}

APART static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

APART static void leave(int n)
{
	if (n > 2)
		longjmp(back, n);
	sink += n;
}

APART static double real(double x)
{
	return x * 1.5 + (double)deep(3);
}

static long (*volatile indirect)(long) = deep;

APART static void run(void)
{
	int list[40];
	char text[100];

	for (int i = 0; i < 40; i++)
		list[i] = (i * 7919) % 101;
	qsort(list, 40, sizeof list[0], compare);
	for (int i = 0; i < 24; i++)
		sink += kinds(i & 7, i) + seldom(i) + sized(i);
	sink += indirect(20) + large(3) + (long)real(2.5);
	for (int i = 0; i < 5; i++)
		if (!setjmp(back))
			leave(i);
	snprintf(text, sizeof text, "%d %s %5.2f", list[3], "text", real(1));
	sink += (long)strlen(text);
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	char *copy = strdup(text);
	sink += strcmp(copy, text);
	free(copy);
}

int main(void)
{
	kill(getpid(), SIGTRAP);
	run();
	return 0;
}
"#;

/// Functions that compilers would write otherwise.
const ASSEMBLY: &str = r#"
	.text
	.globl run
	.type run, @function
run:
	push %rbp
	mov %rsp, %rbp
	push %rbx
	sub $24, %rsp
	mov $20, %ebx
1:	mov %rbx, %rdi
	call framed
	mov %rbx, %rdi
	call bare
	mov %rbx, %rdi
	call saved_by_move
	mov %rbx, %rdi
	call by_table
	mov %rbx, %rdi
	call aligned
	mov %rbx, %rdi
	call in_loop
	call entered
	mov %rbx, %rdi
	call by_agreement
	call aligned_without
	call aligned_more
	dec %ebx
	jnz 1b
	add $24, %rsp
	pop %rbx
	pop %rbp
	ret
	.size run, .-run

	.type framed, @function
framed:
	push %rbp
	mov %rsp, %rbp
	push %r12
	push %r12
	call leaf
	lea -8(%rbp), %rsp
	pop %r12
	leave
	ret
	.size framed, .-framed

	/* The frame pointer is a register like others. */
	.type bare, @function
bare:
	push %rbx
	push %rbp
	sub $8, %rsp
	mov %rdi, %rbp
	xor %ebx, %ebx
	test $1, %edi
	jz 2f
	pushfq
	pushq $5
	call leaf
	add $8, %rsp
	popfq
2:	add $8, %rsp
	pop %rbp
	pop %rbx
	jmp leaf
	.size bare, .-bare

	.type saved_by_move, @function
saved_by_move:
	lea -40(%rsp), %rsp
	mov %rbp, 24(%rsp)
	mov $7, %ebp
	call leaf
	mov 24(%rsp), %rbp
	lea 40(%rsp), %rsp
	ret
	.size saved_by_move, .-saved_by_move

	.type by_table, @function
by_table:
	push %rbx
	and $3, %edi
	lea table(%rip), %rax
	movslq (%rax,%rdi,4), %rdx
	add %rdx, %rax
	jmp *%rax
	.p2align 4
10:	call leaf
	jmp 14f
11:	mov $1, %eax
	pop %rbx
	ret
12:	sub $16, %rsp
	call leaf
	add $16, %rsp
13:	nop
14:	pop %rbx
	ret
	.size by_table, .-by_table
	.section .rodata
	.p2align 2
table:	.long 10b - table, 11b - table, 12b - table, 13b - table
	.text

	.type aligned, @function
aligned:
	push %rbp
	mov %rsp, %rbp
	and $-64, %rsp
	sub $64, %rsp
	call leaf
	mov %rbp, %rsp
	pop %rbp
	ret
	.size aligned, .-aligned

	/* Something is on the stack in each turn. */
	.type in_loop, @function
in_loop:
	mov $5, %ecx
3:	push %rcx
	sub $16, %rsp
	call leaf
	add $16, %rsp
	pop %rcx
	loop 3b
	ret
	.size in_loop, .-in_loop

	.type entered, @function
entered:
	enter $32, $0
	call leaf
	leave
	ret
	.size entered, .-entered

	.type by_agreement, @function
by_agreement:
	push %rbp
	push %rbp
	call two_begins
	mov %ebx, %ebp
	call second_begin
	pop %rbp
	pop %rbp
	ret
	.size by_agreement, .-by_agreement

	/* The stack pointer is kept in a register while it is aligned. */
	.type aligned_without, @function
aligned_without:
	mov %rsp, %rcx
	and $-16, %rsp
	sub $48, %rsp
	call leaf
	sub $32, %rsp
	call leaf
	mov %rcx, %rsp
	ret
	.size aligned_without, .-aligned_without

	/* So much that the distance is not known; the way back is on the stack. */
	.type aligned_more, @function
aligned_more:
	mov %rsp, %rcx
	and $-32, %rsp
	sub $96, %rsp
	mov %rcx, 64(%rsp)
	call leaf
	push %rax
	xor %ecx, %ecx
	pop %rax
	mov 64(%rsp), %rsp
	ret
	.size aligned_more, .-aligned_more

	/* It is called at two places, has something in the frame pointer, and goes on behind another function. */
	.type two_begins, @function
two_begins:
	mov %edi, %ebp
	.type second_begin, @function
second_begin:
	test $1, %ebp
	jz behind
again:	lea 1(%rbp), %eax
	xor %ebp, %ebp
	ret

	/* No symbol has a type or a size here. */
leaf:
	push %rdi
	call 4f
4:	pop %rax
	pop %rdi
	ret
behind:
	inc %ebp
	jmp again

	.section .note.GNU-stack, "", @progbits
"#;

const MAIN: &str = r#"
#include <signal.h>
#include <unistd.h>
extern void run(void);
int main(void) { kill(getpid(), SIGTRAP); run(); return 0; }
"#;

/// No tables, but for what the C library's own files bring.
const BARE: [&str; 5] = ["-g0", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-exceptions", "-w"];

fn step(compiler: &str, arguments: &[&str], sources: &[(&str, &str)]) -> Seen {
    let folder = Folder::new();
    let arguments = [&BARE[..], arguments].concat();
    let program = folder.c(compiler, &arguments, sources, "c-program");
    let settings = Settings {
        arguments: &[],
        from_trap: true,
        most: 200_000,
        only: Some("c-program"),
        stacks_move: false,
        walk: 0,
        may_be_unknown: true,
    };
    let seen = run(&program, &settings);
    assert_eq!(seen.code, 0, "the program has failed");
    assert!(seen.right > 300, "{seen:?}");
    seen
}

#[track_caller]
fn c(compiler: &str, arguments: &[&str]) {
    fine(&step(compiler, arguments, &[("main.c", C)]));
}

/// Where functions begin is to be found out, so that some have no rules. None may be wrong.
#[track_caller]
fn stripped(compiler: &str, arguments: &[&str], sources: &[(&str, &str)]) {
    let seen = step(compiler, &[arguments, &["-s"]].concat(), sources);
    assert!(seen.wrong.is_empty(), "{:#?}", seen.wrong);
    assert!(seen.right * 2 > seen.unknown, "{seen:?}");
}

#[test]
fn gcc_optimized() {
    c("gcc", &["-O2"]);
}

#[test]
fn gcc_for_size() {
    c("gcc", &["-Os"]);
}

#[test]
fn gcc_as_written() {
    c("gcc", &["-O0"]);
}

#[test]
fn gcc_with_frame_pointers() {
    c("gcc", &["-O2", "-fno-omit-frame-pointer"]);
}

#[test]
fn gcc_with_checks() {
    c("gcc", &["-O2", "-fcf-protection=full", "-fstack-protector-strong", "-fstack-clash-protection"]);
}

#[test]
fn gcc_stripped() {
    stripped("gcc", &["-O2"], &[("main.c", C)]);
}

#[test]
fn clang_optimized() {
    c(&clang(), &["-O2"]);
}

#[test]
fn clang_as_written() {
    c(&clang(), &["-O0"]);
}

#[test]
fn clang_with_frame_pointers() {
    c(&clang(), &["-O2", "-fno-omit-frame-pointer"]);
}

#[test]
fn clang_stripped() {
    stripped(&clang(), &["-O2"], &[("main.c", C)]);
}

#[test]
fn musl() {
    let seen = step("musl-gcc", &["-O2", "-static"], &[("main.c", C)]);
    fine(&seen);
    assert!(seen.unusual.contains_key("Signal"), "{:?}", seen.unusual);
}

#[test]
fn musl_stripped() {
    stripped("musl-gcc", &["-Os", "-static"], &[("main.c", C)]);
}

#[test]
fn assembly() {
    fine(&step("gcc", &["-O2"], &[("main.c", MAIN), ("run.S", ASSEMBLY)]));
}

#[test]
fn assembly_stripped() {
    stripped("gcc", &["-O2"], &[("main.c", MAIN), ("run.S", ASSEMBLY)]);
}
