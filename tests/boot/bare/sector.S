/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A boot sector for a guest that QEMU shall know no program of (lib/bootdisk.py makes the disk): the BIOS enters
 * here, and the guest in the sectors behind it is entered as QEMU's -kernel would.
 *
 *	sector 1	address of the entry, 12 bytes of nothing, the start info
 *	sector 2 to 65	what lies from 1 MiB on
 */
	.set sector_1, 0x7e00
	.set program, 0x8000
	.set program_size, 64 * 512

	.text
	.code16
	.global _start
_start:
	ljmp $0, $1f
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	movw $request, %si
	movb $0x42, %ah		/* extended read, of the drive in DL */
	int $0x13
	jc fail
	inb $0x92, %al		/* A20 */
	orb $2, %al
	outb %al, $0x92
	cli
	lgdt gdt_pointer
	movl $1, %eax
	movl %eax, %cr0
	ljmp $8, $protected
fail:
	cli
	hlt
	jmp fail

	.code32
protected:
	movw $16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	cld
	movl $program, %esi
	movl $0x100000, %edi
	movl $program_size / 4, %ecx
	rep movsl
	/* The rest of its megabyte is zero, as the ELF image has it. */
	xorl %eax, %eax
	movl $(0x100000 - program_size) / 4, %ecx
	rep stosl
	movl $sector_1 + 16, %ebx
	jmp *sector_1

	.align 4
request:
	.byte 16, 0
	.word 65, sector_1, 0
	.quad 1
	.align 8
gdt:
	.quad 0
	.quad 0x00cf9a000000ffff	/* code */
	.quad 0x00cf92000000ffff	/* data */
gdt_pointer:
	.word . - gdt - 1
	.long gdt
	.org 510
	.word 0xaa55
	.section .note.GNU-stack, "", @progbits
