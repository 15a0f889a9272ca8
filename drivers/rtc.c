/*
 * The CMOS clock: wall time at boot. Owns ports 0x70 and 0x71, used once.
 */
#include "drivers/drivers.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/machdep.h"
#include "kern/string.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71

#define RTC_A      0x0a
#define A_UPDATING 0x80
#define RTC_B      0x0b
#define B_24H      0x02
#define B_BINARY   0x04
#define HOUR_PM    0x80 /* of a 12-hour clock */

#define UPDATE_POLLS 100000 /* an update takes 2 ms at most; a look takes about a microsecond */

enum field { SEC, MINUTE, HOUR, DAY, MONTH, YEAR, CENTURY, NFIELDS };
static const uint8_t field_reg[NFIELDS] = {0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32};

static uint8_t
cmos_read(uint8_t reg)
{
	outb(CMOS_INDEX, reg);
	return (inb(CMOS_DATA));
}

/* Read all fields while no update is under way; false if the clock never rests. */
static bool
rtc_read_once(uint8_t t[NFIELDS])
{
	int polls = UPDATE_POLLS;

	while (cmos_read(RTC_A) & A_UPDATING) {
		if (--polls == 0)
			return (false);
	}
	for (int i = 0; i < NFIELDS; i++)
		t[i] = cmos_read(field_reg[i]);
	return (true);
}

/* To binary and 24 hours, whatever the clock is set to. */
static void
rtc_normalise(uint8_t t[NFIELDS], uint8_t mode)
{
	bool half = (mode & B_24H) == 0, pm = half && (t[HOUR] & HOUR_PM) != 0;

	if (half)
		t[HOUR] &= ~HOUR_PM;
	for (int i = 0; i < NFIELDS && (mode & B_BINARY) == 0; i++)
		t[i] = (t[i] >> 4) * 10 + (t[i] & 15);
	if (half)
		t[HOUR] = t[HOUR] % 12 + (pm ? 12 : 0);
}

/* From 1970-01-01 to the date, in the Gregorian calendar; the year is taken to begin in March. */
static int64_t
days_since_1970(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	unsigned m = month <= 2 ? month + 9 : month - 3;

	return (365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468);
}

/* An update may begin between two reads of fields: read until two readings agree. */
int
rtc_probe(void)
{
	uint8_t t[NFIELDS], again[NFIELDS];
	int64_t year, days;

	do {
		if (!rtc_read_once(t) || !rtc_read_once(again))
			return (ENODEV);
	} while (memcmp(t, again, sizeof(t)) != 0);
	rtc_normalise(t, cmos_read(RTC_B));
	/* Not every machine keeps the century there. */
	year = t[YEAR] + (t[CENTURY] >= 19 && t[CENTURY] <= 29 ? t[CENTURY] * 100 : 2000);
	if (year < 1970 || t[MONTH] - 1u > 11 || t[DAY] - 1u > 30 || t[HOUR] > 23 ||
	    t[MINUTE] > 59 || t[SEC] > 59) {
		klog(LOG_WARNING, "rtc: no valid date");
		return (ENODEV);
	}
	days = days_since_1970(year, t[MONTH], t[DAY]);
	clock_set_wall((uint64_t)(((days * 24 + t[HOUR]) * 60 + t[MINUTE]) * 60 + t[SEC]) *
		       1000000000);
	return (0);
}
