/*
 * The few things every file needs: integer types, small macros, linker sets.
 * Owns nothing; includes no header of ours, so the host tests take it as it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define nitems(a)        (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)        ((a) < (b) ? (a) : (b))
#define MAX(a, b)        ((a) > (b) ? (a) : (b))
#define roundup2(x, n)   (((x) + ((n)-1)) & ~((__typeof__(x))(n)-1))
#define rounddown2(x, n) ((x) & ~((__typeof__(x))(n)-1))
#define powerof2(x)      ((((x)-1) & (x)) == 0)

#define container_of(p, type, field) ((type *)((char *)(p)-offsetof(type, field)))

#define __packed                  __attribute__((packed))
#define __aligned_to(n)           __attribute__((aligned(n)))
#define __slow_path               __attribute__((noinline, cold))
#define __noreturn                __attribute__((noreturn))
#define __unused                  __attribute__((unused))
#define __predict_true(e)         __builtin_expect(!!(e), 1)
#define __predict_false(e)        __builtin_expect(!!(e), 0)
#define __printf_like(fmt, first) __attribute__((format(printf, fmt, first)))

/*
 * Linker sets: an array of pointers that the linker gathers from all objects, so that a module
 * adds itself to a list (statistics, sysctls, devices) without a table that knows every module.
 */
#define SET_ENTRY(set, sym)                                                                  \
	static void *const __set_##set##_##sym __attribute__((section("set_" #set), used)) = \
	    (void *)&(sym)
#define SET_DECLARE(set, type) extern type *const __start_set_##set[], *const __stop_set_##set[]
#define SET_FOREACH(pvar, set) for (pvar = __start_set_##set; pvar < __stop_set_##set; pvar++)
