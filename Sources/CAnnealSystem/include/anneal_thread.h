#ifndef ANNEAL_THREAD_H
#define ANNEAL_THREAD_H

/// Gives the calling thread a name that `top -H` and debuggers show; Swift does not see pthread_setname_np.
void anneal_name_thread(const char *name);

#endif
