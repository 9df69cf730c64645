/* Code that a program writes into its own memory. */
#ifndef MACHINE_CODE_H
#define MACHINE_CODE_H

#include <stdint.h>

#if !defined(__x86_64__)
#error "the machine code below is x86-64"
#endif

/* uint64_t inner(uint64_t seed): a million rounds of arithmetic. */
static const unsigned char inner[] = {
	0x55,                               /* push rbp            */
	0x48, 0x89, 0xe5,                   /* mov  rbp, rsp       */
	0x48, 0x89, 0xf8,                   /* mov  rax, rdi       */
	0xb9, 0x40, 0x42, 0x0f, 0x00,       /* mov  ecx, 1000000   */
	0x48, 0x6b, 0xc0, 0x1f,             /* imul rax, rax, 31   */
	0x48, 0xff, 0xc0,                   /* inc  rax            */
	0xff, 0xc9,                         /* dec  ecx            */
	0x75, 0xf5,                         /* jnz  the imul       */
	0x5d,                               /* pop  rbp            */
	0xc3,                               /* ret                 */
};

typedef uint64_t code(uint64_t);

#endif
