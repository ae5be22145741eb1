#ifndef ANNEAL_MEMORY_H
#define ANNEAL_MEMORY_H

/// If the address space is limited (`ulimit -v`), makes all threads allocate from one heap: otherwise glibc reserves 64
/// MB per thread. Call before threads are started.
void anneal_fit_address_space(void);

/// Returns the heaps' free pages to the system.
void anneal_trim_heap(void);

#endif
