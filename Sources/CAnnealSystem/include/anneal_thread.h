#ifndef ANNEAL_THREAD_H
#define ANNEAL_THREAD_H

/// Names the calling thread for `top -H` and debuggers; Swift does not import pthread_setname_np.
void anneal_name_thread(const char *name);

#endif
