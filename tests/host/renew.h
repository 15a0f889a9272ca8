/*
 * Revocations while a fault of page 3 is in its call: the fault starts over and finds what is new. What
 * the tests of revocation and those of lab 10 share.
 */
#pragma once

#include "device.h"

/* The call has not made its pages yet. */
static inline void
device_renew_before_its_pages(struct space *s)
{
	struct toucher t;

	dev.before = device_nap;
	device_touch_in_thread(&t, s, 3, W);
	device_renew(0, NPAGES); /* nothing to wait for */
	device_gate_open();
	fake_join(t.td);
	T_EQ(t.rv, KERN_SUCCESS);
	T_EQ(dev.calls, 2);
	device_check(s);
}

/* It has: the revocation waits for them. */
static inline void
device_renew_with_its_pages(struct space *s)
{
	struct thread *revoker;
	struct toucher t;

	dev.after = device_nap;
	device_touch_in_thread(&t, s, 3, W);
	revoker = device_renew_in_thread();
	fake_run(revoker);
	T_OK(fake_asleep(revoker)); /* on a busy page */
	device_gate_open();
	fake_join(t.td);
	fake_join(revoker);
	T_EQ(t.rv, KERN_SUCCESS);
	T_EQ(dev.calls, 2);
	device_check(s);
}
