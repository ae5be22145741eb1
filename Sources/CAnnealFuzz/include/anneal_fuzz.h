// Counts the memory of the whole process: the allocation functions are ours in a program that links this.
#ifndef ANNEAL_FUZZ_H
#define ANNEAL_FUZZ_H

#include <stdint.h>

// The exit code of a process that wanted more than it may.
enum { ANNEAL_FUZZ_OVER_LIMIT = 97 };

// From now on at most `limit` bytes more than now; who wants more ends the process with ANNEAL_FUZZ_OVER_LIMIT.
void anneal_fuzz_watch(int64_t limit);

// No limit any more; returns the most bytes that were held since `anneal_fuzz_watch`, beyond those before it.
int64_t anneal_fuzz_peak(void);

#endif
