/* The functions of c/tree.h by hand, with frames that no compiler makes: main → turn → heavy → leaf; turn → light → leaf; turn →
 * leaf. Each frame is described, and none is found by rbp. */
	.text

/* rdi: rounds; keeps everything but rax and rdi. Pushes and pops in the loop, so that the frame differs between instructions. */
	.type leaf, @function
leaf:
	.cfi_startproc
	mov	$6364136223846793005, %rax
1:	push	%rax
	.cfi_adjust_cfa_offset 8
	imul	$3, %rax, %rax
	pop	%rax
	.cfi_adjust_cfa_offset -8
	lea	7(%rax, %rax, 4), %rax
	dec	%rdi
	jnz	1b
	ret
	.cfi_endproc
	.size leaf, . - leaf

/* An aligned frame: where the caller's ends is on the stack, below rbx. */
	.type heavy, @function
heavy:
	.cfi_startproc
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	mov	%rsp, %rbx
	.cfi_def_cfa_register %rbx
	and	$-256, %rsp
	sub	$768, %rsp
	push	%rbx
	/* DW_CFA_def_cfa_expression: DW_OP_breg7 0, DW_OP_deref, DW_OP_plus_uconst 16 */
	.cfi_escape 0x0f, 0x05, 0x77, 0x00, 0x06, 0x23, 0x10
	mov	$1800000, %edi
	call	leaf
	pop	%rbx
	.cfi_def_cfa %rbx, 16
	mov	%rbx, %rsp
	.cfi_def_cfa_register %rsp
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
	.cfi_endproc
	.size heavy, . - heavy

/* rbp is an ordinary register here. */
	.type light, @function
light:
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	mov	$12345, %ebp
	sub	$4096, %rsp
	.cfi_adjust_cfa_offset 4096
	mov	$900000, %edi
	call	leaf
	add	$4096, %rsp
	.cfi_adjust_cfa_offset -4096
	pop	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	ret
	.cfi_endproc
	.size light, . - light

	.globl turn
	.type turn, @function
turn:
	.cfi_startproc
	sub	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	heavy
	call	light
	mov	$300000, %edi
	call	leaf
	add	$8, %rsp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size turn, . - turn

	.section .note.GNU-stack, "", @progbits
