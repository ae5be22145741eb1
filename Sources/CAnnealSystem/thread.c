#define _GNU_SOURCE
#include "anneal_thread.h"

#include <pthread.h>

// Names longer than 15 bytes are refused, and the thread stays unnamed.
void anneal_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
