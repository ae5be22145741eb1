#define _GNU_SOURCE
#include "anneal_thread.h"

#include <pthread.h>

// Longer names than 15 bytes are refused, and the thread stays without.
void anneal_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
