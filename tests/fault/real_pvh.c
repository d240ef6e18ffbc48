/* SPDX-License-Identifier: GPL-2.0-only */
#include "real_pvh.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "scope.h"

#define LOAD_AT 0x100000u

/* inc [COUNTER]; tell the serial port; wait; again */
static const uint8_t program[] = {
	0x66, 0xba, 0xf8, 0x03,		    /* mov dx, 0x3f8 */
	0xff, 0x05, 0x00, 0x02, 0x10, 0x00, /* loop: inc dword [0x100200] */
	0xb0, 0x2e, 0xee,		    /* mov al, '.'; out dx, al */
	0xb9, 0x80, 0x84, 0x1e, 0x00,	    /* mov ecx, 2000000 */
	0x49, 0x75, 0xfd,		    /* wait: dec ecx; jnz wait */
	0xeb, 0xed,			    /* jmp loop */
};

struct pvh {
	Elf32_Ehdr head;
	Elf32_Phdr load, note;
	Elf32_Nhdr nhdr;
	char owner[4];
	uint32_t entry;
	uint8_t code[0x300];
};

void real_pvh_write(const char *path)
{
	static struct pvh f;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	f.head = (Elf32_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = LOAD_AT,
		.e_phoff = offsetof(struct pvh, load),
		.e_ehsize = sizeof(Elf32_Ehdr),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 2,
	};
	f.load = (Elf32_Phdr){
		PT_LOAD,	offsetof(struct pvh, code), LOAD_AT, LOAD_AT, sizeof(f.code),
		sizeof(f.code), PF_R | PF_W | PF_X,	    4
	};
	f.note = (Elf32_Phdr){ PT_NOTE, offsetof(struct pvh, nhdr), 0, 0, 20, 20, PF_R, 4 };
	/* XEN_ELFNOTE_PHYS32_ENTRY */
	f.nhdr = (Elf32_Nhdr){ 4, 4, 18 };
	memcpy(f.owner, "Xen", 4);
	f.entry = LOAD_AT;
	memcpy(f.code, program, sizeof(program));
	if (fd < 0 || write(fd, &f, sizeof(f)) != sizeof(f)) {
		fprintf(stderr, "real PVH: %s cannot be written\n", path);
		exit(1);
	}
	close(fd);
}
