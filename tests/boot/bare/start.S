/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way into 64-bit C. QEMU (-kernel) finds the entry in the Xen ELF note PHYS32_ENTRY and starts
 * there in 32-bit protected mode, paging off, EBX pointing to the start info (the PVH boot ABI).
 */
	.section .note.pvh, "a", @note
	.align 4
	.long 4, 4, 18		/* name and descriptor of 4 bytes each; XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long entry32

	.section .text.entry, "ax"
	.code32
	.global entry32
entry32:
	cli
	movl $stack_end, %esp
	/* 4 GiB, virtual as physical, in pages of 2 MiB: present, writable, large. */
	movl $pages, %edi
	movl $0x83, %eax
	movl $2048, %ecx
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b
	movl $pages + 0x3, pdpt
	movl $pages + 0x1003, pdpt + 8
	movl $pages + 0x2003, pdpt + 16
	movl $pages + 0x3003, pdpt + 24
	movl $pdpt + 0x3, pml4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $0x20, %eax	/* PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx	/* EFER: long mode */
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl $0x80000001, %eax	/* paging and protection */
	movl %eax, %cr0
	lgdt gdt_pointer
	ljmp $8, $entry64

	.code64
entry64:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %ebx, %edi
	call bare_main
1:	cli
	hlt
	jmp 1b

/* Exceptions: each one's number is pushed, and never returns. Most of them are never seen. */
	.macro exception number
	.align 16
	pushq $\number
	jmp fault
	.endm
	.global exceptions
	.align 16
exceptions:
	.set i, 0
	.rept 32
	exception i
	.set i, i + 1
	.endr
fault:
	popq %rdi
	andq $~15, %rsp
	call bare_fault
1:	cli
	hlt
	jmp 1b

/* The timer: nothing but that the processor wakes. */
	.global timer_interrupt
	.align 16
timer_interrupt:
	pushq %rax
	movb $0x20, %al
	outb %al, $0x20
	popq %rax
	iretq

	.section .data
	.align 8
gdt:
	.quad 0
	.quad 0x00209a0000000000	/* 64-bit code */
gdt_pointer:
	.word . - gdt - 1
	.long gdt

	.section .bss
	.align 4096
pages:	.skip 4 * 4096
pdpt:	.skip 4096
pml4:	.skip 4096
	.skip 32768
stack_end:
	.section .note.GNU-stack, "", @progbits
