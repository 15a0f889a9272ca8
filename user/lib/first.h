/*
 * For programs that are the first of a machine, on Quire or on Linux.
 */
#pragma once

/* Nothing is mounted yet when Linux runs its first program. Quire refuses to, and has it all. */
void prepare_machine(void);
