/*
 * Time: the TSC as the clock, the local APIC's one-shot counter as the alarm, and the PIT, once, as
 * the standard both are measured by.
 */
#include "amd64/amd64.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/thread.h"

#define NS_PER_S   1000000000ul
#define PIT_HZ     1193182ul
#define PIT_TICKS  1193 /* 1 ms */
#define PIT_DATA2  0x42
#define PIT_CMD    0x43
#define PORT_61    0x61 /* bit 0: channel 2 counts; bit 1: speaker; bit 5: it has counted down */
#define TSC_MIN    (100ul << 20) /* Hz; less is a mistake of measuring, as is more than: */
#define TSC_MAX    (20ul << 30)
#define TRIES      8
#define POLL_LIMIT 10000000

static uint64_t tsc_hz; /* (c) */
uint64_t tsc_start, ns_per_tsc;
static uint64_t apic_per_ns; /* (c) the same */

struct sample {
	uint64_t tsc, apic; /* that passed in PIT_TICKS */
	uint64_t error; /* TSC ticks by which the moment of the end is uncertain */
};

/*
 * False when the PIT never ends. An emulator may be interrupted anywhere, also between an answer
 * "not yet" and our next instruction: the end lies after the TSC that was read before the last such
 * answer.
 */
static bool
measure(struct sample *s)
{
	uint8_t port = inb(PORT_61) & 0xfc;
	uint64_t start, before, now, not_yet;

	outb(PORT_61, port | 1);
	outb(PIT_CMD, 0xb0); /* channel 2, low then high byte, mode 0 */
	outb(PIT_DATA2, PIT_TICKS & 0xff);
	before = rdtsc();
	outb(PIT_DATA2, PIT_TICKS >> 8); /* starts it */
	apic_timer_set(UINT32_MAX);
	start = now = not_yet = rdtsc();
	s->error = start - before;
	for (int i = 0; (inb(PORT_61) & 0x20) == 0; i++) {
		if (i == POLL_LIMIT)
			return (false);
		not_yet = now;
		now = rdtsc();
	}
	s->apic = UINT32_MAX - apic_timer_count();
	now = rdtsc();
	apic_timer_set(0);
	s->error += now - not_yet;
	s->tsc = now - start;
	return (true);
}

/* The best of a few; one is enough unless an emulator was interrupted just then. */
static bool
calibrate(struct sample *best)
{
	struct sample s;

	*best = (struct sample){0};
	best->error = UINT64_MAX;
	for (int i = 0; i < TRIES; i++) {
		if (!measure(&s))
			return (false);
		if (s.error < best->error)
			*best = s;
		if (best->error < best->tsc / 256)
			break;
	}
	return (best->apic != 0 && best->tsc > TSC_MIN / 1000 && best->tsc < TSC_MAX / 1000);
}

void
timer_init(void)
{
	struct sample s;

	if (!calibrate(&s)) {
		s = (struct sample){.tsc = PIT_TICKS * NS_PER_S / PIT_HZ,
				    .apic = PIT_TICKS * NS_PER_S / PIT_HZ};
		klog(LOG_WARNING, "the PIT gives no standard: clocks are taken for 1 GHz");
	}
	tsc_hz = s.tsc * PIT_HZ / PIT_TICKS;
	ns_per_tsc = (NS_PER_S << 32) / tsc_hz;
	apic_per_ns = ((s.apic * PIT_HZ / PIT_TICKS) << 32) / NS_PER_S;
	tsc_start = rdtsc();
	klog(LOG_INFO, "TSC %lu MHz, APIC timer %lu MHz", tsc_hz / 1000000,
	     s.apic * PIT_HZ / PIT_TICKS / 1000000);
	sched_clock(cpu_now()); /* what was armed until now, the measuring has undone */
}

uint64_t
cpu_now(void)
{
	return (clock_now());
}

void
cpu_take_times(uint64_t *user, uint64_t *system)
{
	struct pcpu *pc = pcpu_self();
	uint64_t now = rdtsc(), all = now - pc->pc_asked_at;

	*user = (unsigned __int128)pc->pc_user * ns_per_tsc >> 32;
	*system = (unsigned __int128)(all - pc->pc_user) * ns_per_tsc >> 32;
	pc->pc_asked_at = now;
	pc->pc_user = 0;
}

uint64_t
cpu_tsc_hz(void)
{
	return (tsc_hz);
}

/* An alarm further off than the counter reaches rings early; sched_clock finds nothing due then and
 * arms it again. */
void
cpu_timer_arm(uint64_t at)
{
	uint64_t now = cpu_now(), ns;
	unsigned __int128 ticks;

	if (at == 0) {
		apic_timer_set(0);
		return;
	}
	ns = at > now ? at - now : 0;
	ticks = (unsigned __int128)ns * apic_per_ns >> 32;
	apic_timer_set(ticks == 0 ? 1 : ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks);
}

void
timer_interrupt(void)
{
	apic_eoi();
	sched_clock(cpu_now());
}
