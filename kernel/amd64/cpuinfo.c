/*
 * /proc/cpuinfo: what CPUID says of the processor, in Linux's words.
 */
#include "amd64/amd64.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/sysctl.h"

/* Names of the feature bits from the lowest on, "" where Linux has none. */
static const char one_edx[] = "fpu,vme,de,pse,tsc,msr,pae,mce,cx8,apic,,sep,mtrr,pge,mca,cmov,pat,"
			      "pse36,pn,clflush,,dts,acpi,mmx,fxsr,sse,sse2,ss,ht,tm,ia64,pbe";
static const char one_ecx[] = "pni,pclmulqdq,dtes64,monitor,ds_cpl,vmx,smx,est,tm2,ssse3,cid,sdbg,"
			      "fma,cx16,xtpr,pdcm,,pcid,dca,sse4_1,sse4_2,x2apic,movbe,popcnt,"
			      "tsc_deadline_timer,aes,xsave,,avx,f16c,rdrand,hypervisor";
static const char ext_edx[] = ",,,,,,,,,,,syscall,,,,,,,,mp,nx,,mmxext,,,fxsr_opt,pdpe1gb,rdtscp,,"
			      "lm,3dnowext,3dnow";
static const char ext_ecx[] = "lahf_lm,cmp_legacy,svm,extapic,cr8_legacy,abm,sse4a,misalignsse,"
			      "3dnowprefetch";
static const char seven_ebx[] = "fsgsbase,tsc_adjust,,bmi1,hle,avx2,,smep,bmi2,erms,invpcid,rtm";

/* Text in the making, cut at size. */
struct out {
	char *buf;
	size_t size;
	int len;
};
#define PUT(o, ...)                                                         \
	((o)->len += ksnprintf((o)->buf + MIN((size_t)(o)->len, (o)->size), \
			       (o)->size - MIN((size_t)(o)->len, (o)->size), __VA_ARGS__))

static void
put_flags(struct out *o, const char *names, uint32_t bits)
{
	const char *end;

	for (int i = 0; i < 32 && *names != '\0'; i++, names = end + (*end == ',')) {
		for (end = names; *end != ',' && *end != '\0'; end++)
			;
		if ((bits >> i & 1) != 0 && end > names)
			PUT(o, " %.*s", (int)(end - names), names);
	}
}

static void
put_cpu(struct out *o, unsigned cpu)
{
	struct cpuid zero = cpuid(0, 0), one = cpuid(1, 0), ext = cpuid(0x80000001, 0);
	struct cpuid seven = zero.eax >= 7 ? cpuid(7, 0) : (struct cpuid){0};
	struct cpuid addr = cpuid(0x80000008, 0);
	uint32_t vendor[4] = {zero.ebx, zero.edx, zero.ecx};
	uint32_t family = one.eax >> 8 & 15, model = one.eax >> 4 & 15;
	uint64_t khz = cpu_tsc_hz() / 1000;

	if (family == 6 || family == 15)
		model |= one.eax >> 12 & 0xf0;
	if (family == 15)
		family += one.eax >> 20 & 0xff;
	PUT(o, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", cpu,
	    (char *)vendor, family, model);
	PUT(o, "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %lu.%03lu\n", cpu_name(),
	    one.eax & 15, khz / 1000, khz % 1000);
	PUT(o, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n", cpu_count(),
	    cpu, cpu_count());
	PUT(o, "apicid\t\t: %u\n", pcpus[cpu].pc_apic_id);
	PUT(o, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
	    zero.eax);
	put_flags(o, one_edx, one.edx);
	put_flags(o, ext_edx, ext.edx);
	put_flags(o, one_ecx, one.ecx);
	put_flags(o, ext_ecx, ext.ecx);
	put_flags(o, seven_ebx, seven.ebx);
	PUT(o, "\nbogomips\t: %lu.%02lu\nclflush size\t: %u\ncache_alignment\t: %u\n", khz / 500,
	    khz / 5 % 100, one.ebx >> 8 & 0xff ? (one.ebx >> 8 & 0xff) * 8 : 64,
	    one.ebx >> 8 & 0xff ? (one.ebx >> 8 & 0xff) * 8 : 64);
	PUT(o, "address sizes\t: %u bits physical, %u bits virtual\n\n", addr.eax & 0xff,
	    addr.eax >> 8 & 0xff);
}

static int
cpuinfo_show(char *buf, size_t size)
{
	struct out o = {buf, size, 0};

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++)
		put_cpu(&o, cpu);
	return (o.len);
}
SYSCTL(cpuinfo, "/cpuinfo", cpuinfo_show, NULL);
