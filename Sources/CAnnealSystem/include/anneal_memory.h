#ifndef ANNEAL_MEMORY_H
#define ANNEAL_MEMORY_H

/// Where the address space is limited (`ulimit -v`), lets all threads allocate from one heap: glibc reserves 64 MB for each
/// thread otherwise. To be called before threads are started.
void anneal_fit_address_space(void);

/// Returns the heaps' free pages to the system.
void anneal_trim_heap(void);

#endif
