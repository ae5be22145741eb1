// Counts the memory of the whole process: a program that links this uses our allocation functions.
#ifndef ANNEAL_FUZZ_H
#define ANNEAL_FUZZ_H

#include <stdint.h>

// The exit code of a process that exceeded its limit.
enum { ANNEAL_FUZZ_OVER_LIMIT = 97 };

// From now on the process may allocate at most `limit` more bytes; exceeding it ends the process with
// ANNEAL_FUZZ_OVER_LIMIT.
void anneal_fuzz_watch(int64_t limit);

// Removes the limit; returns the peak of the bytes allocated since `anneal_fuzz_watch`, beyond those before it.
int64_t anneal_fuzz_peak(void);

#endif
