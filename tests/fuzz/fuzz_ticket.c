/* SPDX-License-Identifier: GPL-2.0-only */
/* What the initrd brings as a ticket. The first byte says whether its checksum is made right first. */
#include <stddef.h>

#include "fuzz.h"
#include "ledger_impl.h"
#include "ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t text[1024], again[TICKET_FILE_SIZE];
	struct ticket_media m;
	struct err e = { 0 };
	struct ticket t;
	int rc;

	if (size < 1 || size > sizeof(text))
		return 0;
	memcpy(text, data + 1, --size);
	if (size == sizeof(m) && (data[0] & 1)) {
		memcpy(&m, text, sizeof(m));
		m.xxh3 = htole64(hash_xxh3(&m, offsetof(struct ticket_media, xxh3), 0));
		memcpy(text, &m, sizeof(m));
	}
	rc = ticket_decode(text, size, &t, &e);
	fuzz_check(rc, &e);
	if (rc < 0)
		return 0;
	/* What is one of this version is written as it was read. */
	ticket_encode(&t, again);
	memcpy(&m, text, sizeof(m));
	if (size != sizeof(again) || le16toh(m.major) != LEDGER_MAJOR ||
	    (m.minor == htole16(LEDGER_MINOR) && memcmp(again, text, size)))
		abort();
	return 0;
}
