/* SPDX-License-Identifier: GPL-2.0-only */
/* Manifest slots: JSON under the ticket's MAC. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "ledger_impl.h"

int ledger_generation(const struct ledger *l, uint64_t *gen, struct err *e)
{
	struct err why = { .kind = ERR_NONE };
	struct slot_pair pair;
	struct slot_head head;
	unsigned int slot;

	pair_of(l, LEDGER_MANIFESTS, &pair);
	if (pair_newest(l, &pair, &head, &slot, &why) == 0) {
		*gen = head.seq;
		return 0;
	}
	if (why.kind != ERR_ABSENT) {
		*e = why;
		return -1;
	}
	*gen = 0;
	return 0;
}

static void manifest_mac(const uint8_t key[TICKET_KEY], const struct ledger_manifest_media *m,
			 uint64_t generation, const void *json, size_t len, uint8_t mac[LEDGER_MAC])
{
	static const uint8_t domain[32] = "holdover manifest";
	le64 gen = htole64(generation), n = htole64(len);
	crypto_generichash_state st;

	crypto_generichash_init(&st, key, TICKET_KEY, LEDGER_MAC);
	crypto_generichash_update(&st, domain, sizeof(domain));
	crypto_generichash_update(&st, m->ledger_uuid, 16);
	crypto_generichash_update(&st, (const uint8_t *)&gen, sizeof(gen));
	crypto_generichash_update(&st, m->ticket_id, 16);
	crypto_generichash_update(&st, (const uint8_t *)&n, sizeof(n));
	crypto_generichash_update(&st, json, len);
	crypto_generichash_final(&st, mac, LEDGER_MAC);
	sodium_memzero(&st, sizeof(st));
}

int ledger_manifest_write(struct ledger *l, uint64_t generation, const uint8_t key[TICKET_KEY],
			  const uint8_t ticket_id[16], const void *json, size_t len, struct err *e)
{
	struct ledger_manifest_media m = { .mac = { 0 } };
	_cleanup_free_ uint8_t *payload = NULL;
	struct slot_pair pair;

	pair_of(l, LEDGER_MANIFESTS, &pair);
	if (!generation)
		return err_set(e, ERR_USAGE,
			       "ledger: generation 0 means that no manifest was sealed");
	ledger_key_id(key, m.ticket_id);
	if (memcmp(m.ticket_id, ticket_id, 16))
		return err_set(
			e, ERR_USAGE,
			"ledger: the ticket id to seal the manifest under is not that of the key");
	memcpy(m.ledger_uuid, l->geo.ledger_uuid, 16);
	manifest_mac(key, &m, generation, json, len, m.mac);
	payload = malloc(sizeof(m) + len);
	if (!payload)
		return err_sys(e, ENOMEM, "ledger: manifest of %zu bytes", len);
	memcpy(payload, &m, sizeof(m));
	memcpy(payload + sizeof(m), json, len);
	return pair_write(l, &pair, generation, payload, sizeof(m) + len, e);
}

static int manifest_verify(const struct ledger_manifest_media *m, uint64_t generation,
			   const uint8_t *key, const void *json, size_t len, struct err *e)
{
	uint8_t id[16], mac[LEDGER_MAC];

	ledger_key_id(key, id);
	/* An id is no secret: it only tells "replayed" from "tampered with". */
	if (memcmp(id, m->ticket_id, 16))
		return err_set(e, ERR_STALE,
			       "ledger: manifest %" PRIu64
			       " was sealed under another ticket than the one at hand",
			       generation);
	manifest_mac(key, m, generation, json, len, mac);
	if (sodium_memcmp(mac, m->mac, LEDGER_MAC))
		return err_set(e, ERR_CHECKSUM,
			       "ledger: manifest %" PRIu64
			       " was changed after it had been sealed: its MAC does not match",
			       generation);
	return 0;
}

int ledger_manifest_read(const struct ledger *l, const uint8_t *key, struct buf *json,
			 uint64_t *generation, uint8_t ticket_id[16], struct err *e)
{
	_cleanup_free_ uint8_t *payload = NULL;
	struct ledger_manifest_media m;
	struct slot_pair pair;
	struct slot_head head;
	struct cursor c;
	unsigned int slot;
	char *text;

	pair_of(l, LEDGER_MANIFESTS, &pair);
	if (pair_newest(l, &pair, &head, &slot, e) < 0)
		return -1;
	payload = malloc(head.length + 1);
	if (!payload)
		return err_sys(e, ENOMEM, "ledger: manifest of %" PRIu64 " bytes", head.length);
	if (pair_payload(l, &pair, slot, &head, payload, e) < 0)
		return -1;
	c.at = payload;
	c.left = head.length;
	if (cursor_take(&c, &m, sizeof(m), "ledger: the manifest", e) < 0)
		return -1;
	if (memcmp(m.ledger_uuid, l->geo.ledger_uuid, 16))
		return err_set(e, ERR_MISMATCH,
			       "ledger: manifest %" PRIu64 " belongs to another ledger", head.seq);
	if (key && manifest_verify(&m, head.seq, key, c.at, c.left, e) < 0)
		return -1;
	text = malloc(c.left + 1);
	if (!text)
		return err_sys(e, ENOMEM, "ledger: manifest of %zu bytes", c.left);
	memcpy(text, c.at, c.left);
	text[c.left] = '\0';
	json->data = text;
	json->len = c.left;
	if (generation)
		*generation = head.seq;
	if (ticket_id)
		memcpy(ticket_id, m.ticket_id, 16);
	return 0;
}
