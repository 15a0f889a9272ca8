/*
 * The one ACPI table that start-up needs: the MADT, which says what processors there are, where the
 * IOAPIC is and how the ISA interrupts are wired to it. Read here because the boot page tables show all of the firmware's
 * memory. Each table is believed only as far as its length and checksum go; without any, what is
 * usual holds.
 */
#include "boot/boot.h"
#include "kern/string.h"

#define TABLE_MAX (1u << 20) /* bytes; a longer table is not believed */
#define BIOS_AREA 0xe0000ul
#define BIOS_END  0x100000ul
#define IOAPIC_PA 0xfec00000ul

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_X2APIC = 9 };
#define MADT_ENABLED 1u

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	/* From revision 2 on. */
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum2, reserved[3];
} __packed;
#define RSDP_V1_SIZE 20

struct table {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __packed;

struct madt {
	struct table head;
	uint32_t lapic, flags;
	uint8_t entries[];
} __packed;

struct madt_lapic {
	uint8_t type, length, acpi_id, apic_id;
	uint32_t flags;
} __packed;

struct madt_x2apic {
	uint8_t type, length;
	uint16_t reserved;
	uint32_t apic_id, flags, acpi_id;
} __packed;

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} __packed;

struct madt_override {
	uint8_t type, length, bus, irq;
	uint32_t gsi;
	uint16_t flags;
} __packed;

static bool
sums_to_zero(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (len-- > 0)
		sum += *b++;
	return (sum == 0);
}

/* The table at pa if it is sound, else NULL. */
static const struct table *
get_table(uint64_t pa)
{
	const struct table *t = BOOT_MAP(pa);

	if (pa == 0 || pa > BOOT_MAP_LIMIT - TABLE_MAX || t->length < sizeof(*t) ||
	    t->length > TABLE_MAX || !sums_to_zero(t, t->length))
		return (NULL);
	return (t);
}

static const struct rsdp *
check_rsdp(uint64_t pa)
{
	const struct rsdp *r = BOOT_MAP(pa);

	if (pa == 0 || pa > BOOT_MAP_LIMIT - sizeof(*r) ||
	    memcmp(r->signature, "RSD PTR ", 8) != 0 || !sums_to_zero(r, RSDP_V1_SIZE))
		return (NULL);
	return (r);
}

static const struct rsdp *
find_rsdp(void)
{
	const struct rsdp *r = check_rsdp(bootinfo.rsdp);

	for (uint64_t pa = BIOS_AREA; r == NULL && pa < BIOS_END; pa += 16)
		r = check_rsdp(pa);
	return (r);
}

/* The table that the root table lists under that signature, or NULL. */
static const struct table *
find_table(const char *signature)
{
	const struct rsdp *rsdp = find_rsdp();
	bool wide = rsdp != NULL && rsdp->revision >= 2 && rsdp->xsdt != 0;
	const struct table *root, *t;
	size_t size = wide ? 8 : 4;
	uint64_t pa = 0;

	root = rsdp != NULL ? get_table(wide ? rsdp->xsdt : rsdp->rsdt) : NULL;
	if (root == NULL)
		return (NULL);
	for (size_t off = sizeof(*root); off + size <= root->length; off += size) {
		memcpy(&pa, (const char *)root + off, size);
		t = get_table(pa);
		if (t != NULL && memcmp(t->signature, signature, 4) == 0)
			return (t);
	}
	return (NULL);
}

static void
add_cpu(uint32_t apic_id, uint32_t flags)
{
	if ((flags & MADT_ENABLED) != 0 && bootinfo.ncpus < BOOT_MAX_CPUS)
		bootinfo.apic_ids[bootinfo.ncpus++] = apic_id;
}

static void
parse_entry(const uint8_t *p)
{
	const struct madt_lapic *l = (const void *)p;
	const struct madt_x2apic *x = (const void *)p;
	const struct madt_ioapic *io = (const void *)p;
	const struct madt_override *o = (const void *)p;

	if (p[0] == MADT_IOAPIC && p[1] >= sizeof(*io) && io->gsi_base == 0)
		bootinfo.ioapic_pa = io->address;
	else if (p[0] == MADT_LAPIC && p[1] >= sizeof(*l))
		add_cpu(l->apic_id, l->flags);
	else if (p[0] == MADT_X2APIC && p[1] >= sizeof(*x))
		add_cpu(x->apic_id, x->flags);
	else if (p[0] == MADT_OVERRIDE && p[1] >= sizeof(*o) && o->irq < nitems(bootinfo.irq))
		bootinfo.irq[o->irq] = (struct boot_irq){
		    .gsi = o->gsi, .low = (o->flags & 3) == 3, .level = (o->flags >> 2 & 3) == 3};
}

void
acpi_parse(void)
{
	const struct madt *madt = (const void *)find_table("APIC");
	const uint8_t *p, *end;

	bootinfo.ioapic_pa = IOAPIC_PA;
	for (uint32_t i = 0; i < nitems(bootinfo.irq); i++)
		bootinfo.irq[i].gsi = i;
	if (madt == NULL || madt->head.length < sizeof(*madt))
		return;
	end = (const uint8_t *)madt + madt->head.length;
	for (p = madt->entries; end - p >= 2 && p[1] >= 2 && p[1] <= end - p; p += p[1])
		parse_entry(p);
}
