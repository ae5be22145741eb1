#define _GNU_SOURCE
#include "anneal_thread.h"

#include <pthread.h>
#include <sys/auxv.h>

// Names longer than 15 bytes are refused, and the thread stays unnamed.
void anneal_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int anneal_is_privileged(void) { return getauxval(AT_SECURE) != 0; }
