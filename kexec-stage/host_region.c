/* SPDX-License-Identifier: GPL-2.0-only */
/* The regions of this host: the ledger's own, and those beside it. */
#include <string.h>

#include "host.h"
#include "qemu.h"

static int describe_ranges(const struct pmem_range *r, int n, char *out, size_t size)
{
	char len[32], start[32];
	size_t at = 0;

	out[0] = '\0';
	for (int i = 0; i < n && at < size; i++) {
		io_format_size(r[i].size, len, sizeof(len));
		io_format_size(r[i].start, start, sizeof(start));
		at += (size_t)snprintf(out + at, size - at, "%s%s!%s", i ? ", " : "", len, start);
	}
	return n;
}

int host_region(const struct config *cfg, struct pmem_range *out, struct err *e)
{
	struct pmem_range ranges[PMEM_RANGES_MAX];
	char list[256];
	int n = pmem_iomem_ranges(ranges, e);

	if (n < 0)
		return -1;
	describe_ranges(ranges, n, list, sizeof(list));
	if (n == 0)
		return err_set(e, ERR_ABSENT,
			       "this kernel has no legacy-pmem region; boot it with memmap=SIZE!START "
			       "(holdover(8) helps to plan it)");
	if (!cfg->have_region && n > 1)
		return err_set(e, ERR_USAGE,
			       "there are several regions (%s); name the one of the ledger in "
			       "holdover.conf: [region] memmap = SIZE!START",
			       list);
	for (int i = 0; i < n; i++) {
		if (cfg->have_region &&
		    (ranges[i].start != cfg->region_start || ranges[i].size != cfg->region_size))
			continue;
		*out = ranges[i];
		return 0;
	}
	return err_set(e, ERR_MISMATCH,
		       "the region that holdover.conf names is not there; this kernel has %s", list);
}

/* Whatever else lies on other regions is none of our business. */
static int scan(struct host *h, struct err *e)
{
	struct pmem_range ranges[PMEM_RANGES_MAX];
	int n = pmem_iomem_ranges(ranges, e);

	for (int i = 0; i < n; i++) {
		struct region r = { .map.fd = -1 };
		struct err why = { 0 };
		unsigned int number;

		if (ranges[i].start == h->store.dev.region_start ||
		    region_open(&r, ranges[i].start, ranges[i].size, NULL, NULL,
				h->ledger.geo.ledger_uuid, &why) < 0)
			continue;
		number = r.stamp.geo.region;
		if (h->region[number].tried) {
			region_close(&r);
			return err_set(e, ERR_MISMATCH,
				       "two regions are stamped as number %u; leave memmap= of one of "
				       "them out",
				       number);
		}
		h->region[number] = r;
	}
	return n < 0 ? -1 : 0;
}

int host_scan(struct host *h, struct err *e)
{
	if (!h->scanned && scan(h, &h->unclear) < 0)
		err_wrap(&h->unclear, "regions");
	h->scanned = true;
	/* Half of an answer is none, whoever asks next. */
	if (h->unclear.kind == ERR_NONE)
		return 0;
	*e = h->unclear;
	return -1;
}

int host_store(struct host *h, unsigned int number, const struct store **out,
	       const struct ledger_geometry **geo, struct err *e)
{
	const struct ledger_geometry *unused;

	if (!geo)
		geo = &unused;
	*out = &h->store;
	*geo = &h->ledger.geo;
	if (!number)
		return 0;
	if (host_scan(h, e) < 0)
		return -1;
	if (number >= LEDGER_REGIONS || !h->region[number].tried)
		return err_set(e, ERR_ABSENT,
			       "region %u of this ledger is not there; check memmap= on the kernel's "
			       "command line",
			       number);
	*out = &h->region[number].store;
	*geo = &h->region[number].stamp.geo;
	return 0;
}

int host_ram(struct host *h, const struct extent *x, struct ram *out, struct err *e)
{
	const struct ledger_geometry *geo;
	const struct store *s;

	if (host_store(h, x->region, &s, &geo, e) < 0 || extent_fits(x, geo, ERR_MISMATCH, e) < 0)
		return -1;
	return store_ram(s, x, out, e);
}

int host_region_number(struct host *h, uint64_t start, uint64_t size, struct err *e)
{
	char at[32], len[32];

	if (h->store.dev.region_start == start && h->store.dev.region_size == size)
		return 0;
	if (host_scan(h, e) < 0)
		return -1;
	for (unsigned int i = 1; i < LEDGER_REGIONS; i++)
		if (h->region[i].tried && h->region[i].store.dev.region_start == start &&
		    h->region[i].store.dev.region_size == size)
			return (int)i;
	io_format_size(start, at, sizeof(at));
	io_format_size(size, len, sizeof(len));
	return err_set(e, ERR_ABSENT,
		       "region %s!%s is not there or not prepared; 'holdover init --add --memmap %s!%s' "
		       "prepares it",
		       len, at, len, at);
}

int host_sealed_region(struct pmem_range *out, struct err *e)
{
	static const char *const copies[] = { HOLDOVER_RUN_DIR "/ticket", HOLDOVER_TICKET_COPY };

	for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
		struct ticket t _cleanup_ticket_ = { 0 };

		if (ticket_load(copies[i], &t, e) == 0) {
			*out = (struct pmem_range){ t.region_start, t.region_size };
			return 1;
		}
		if (e->kind != ERR_ABSENT)
			return -1;
		err_clear(e);
	}
	return 0;
}

void host_explain_missing(struct err *e)
{
	struct pmem_range ranges[PMEM_RANGES_MAX], sealed;
	struct err ignored = { 0 };
	char text[64];
	int n = pmem_iomem_ranges(ranges, &ignored);

	if (host_sealed_region(&sealed, &ignored) > 0) {
		for (int i = 0; i < n; i++)
			if (ranges[i].start == sealed.start && ranges[i].size == sealed.size)
				return;
		describe_ranges(&sealed, 1, text, sizeof(text));
		err_set(e, ERR_MISMATCH,
			"%.600s; VMs are sealed on memmap=%s, which this kernel does not have: start "
			"it with that parameter, by kexec or a reset that keeps memory, then 'holdover "
			"resume'",
			e->msg, text);
	} else if (e->kind == ERR_ABSENT && !strstr(e->msg, "memmap=")) {
		err_set(e, ERR_ABSENT, "%.900s; 'holdover init' prepares the region", e->msg);
	}
}
