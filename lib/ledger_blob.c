/* SPDX-License-Identifier: GPL-2.0-only */
/* Device-state blobs: bytes under the ticket's MAC, described by a blob_ref. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>

#include "ledger_impl.h"

static int blob_range(const struct ledger *l, const char *vm_name, uint64_t offset, uint64_t len,
		      enum err_kind kind, struct err *e)
{
	const struct ledger_area *a = &l->area[LEDGER_BLOBS];

	if (!len)
		return err_set(e, kind, "ledger: device state of VM %s is empty", vm_name);
	if (offset > a->size || len > a->size - offset)
		return err_set(e, kind,
			       "ledger: device state of VM %s: no room for %" PRIu64
			       " bytes at %" PRIu64 " of %" PRIu64 "; make the ledger larger",
			       vm_name, len, offset, a->size);
	return 0;
}

static int blob_mac(const uint8_t key[TICKET_KEY], const char *vm_name, uint64_t generation,
		    const void *data, size_t len, uint8_t mac[LEDGER_MAC], struct err *e)
{
	static const uint8_t domain[32] = "holdover blob";
	le64 gen = htole64(generation), n = htole64(len);
	uint8_t name[VM_NAME_MAX + 1] = { 0 };
	crypto_generichash_state st;
	size_t used = strnlen(vm_name, sizeof(name));

	if (!used || used == sizeof(name))
		return err_set(e, ERR_USAGE, "ledger: \"%s\" is no VM name", vm_name);
	memcpy(name, vm_name, used);
	crypto_generichash_init(&st, key, TICKET_KEY, LEDGER_MAC);
	crypto_generichash_update(&st, domain, sizeof(domain));
	crypto_generichash_update(&st, name, sizeof(name));
	crypto_generichash_update(&st, (const uint8_t *)&gen, sizeof(gen));
	crypto_generichash_update(&st, (const uint8_t *)&n, sizeof(n));
	crypto_generichash_update(&st, data, len);
	crypto_generichash_final(&st, mac, LEDGER_MAC);
	sodium_memzero(&st, sizeof(st));
	return 0;
}

int ledger_blob_write(struct ledger *l, const char *vm_name, uint64_t generation,
		      const uint8_t key[TICKET_KEY], const void *data, size_t len,
		      struct blob_ref *ref, struct err *e)
{
	struct blob_ref got = { .offset = ref->offset, .length = len };
	uint64_t at = l->area[LEDGER_BLOBS].offset + ref->offset;

	if (blob_range(l, vm_name, ref->offset, len, ERR_REFUSED, e) < 0 ||
	    blob_mac(key, vm_name, generation, data, len, got.mac, e) < 0)
		return -1;
	got.xxh3 = hash_xxh3(data, len, 0);
	if (media_store(&l->media, at, data, len, e) < 0 ||
	    media_verify(&l->media, at, data, len, "device state", e) < 0)
		return err_wrap(e, "VM %s", vm_name);
	*ref = got;
	return 0;
}

static int blob_check(const void *data, const char *vm_name, uint64_t generation,
		      const uint8_t key[TICKET_KEY], const struct blob_ref *ref, struct err *e)
{
	uint8_t mac[LEDGER_MAC];

	if (hash_xxh3(data, ref->length, 0) != ref->xxh3)
		return err_set(e, ERR_CHECKSUM,
			       "ledger: device state of VM %s does not match its checksum: it is damaged",
			       vm_name);
	if (blob_mac(key, vm_name, generation, data, ref->length, mac, e) < 0)
		return -1;
	if (sodium_memcmp(mac, ref->mac, LEDGER_MAC))
		return err_set(
			e, ERR_CHECKSUM,
			"ledger: device state of VM %s was changed, or belongs to another VM or jump: its MAC does not match",
			vm_name);
	return 0;
}

int ledger_blob_read(const struct ledger *l, const char *vm_name, uint64_t generation,
		     const uint8_t key[TICKET_KEY], const struct blob_ref *ref, struct err *e)
{
	const uint8_t *src = l->media.base + l->area[LEDGER_BLOBS].offset;
	_cleanup_close_ int fd = -1;
	void *map;
	int r;

	if (blob_range(l, vm_name, ref->offset, ref->length, ERR_FORMAT, e) < 0)
		return -1;
	fd = io_memfd("holdover-state", src + ref->offset, ref->length, e);
	if (fd < 0)
		return err_wrap(e, "VM %s: device state", vm_name);
	/* Sealed before it is checked, so nobody can change it afterwards. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return err_sys(e, errno, "VM %s: device state: sealing its copy", vm_name);
	map = mmap(NULL, ref->length, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, errno, "VM %s: device state: mapping its copy", vm_name);
	r = blob_check(map, vm_name, generation, key, ref, e);
	munmap(map, ref->length);
	return r < 0 ? -1 : steal_fd(&fd);
}
