#ifndef ANNEAL_THREAD_H
#define ANNEAL_THREAD_H

/// Names the calling thread for `top -H` and debuggers; Swift does not import pthread_setname_np.
void anneal_name_thread(const char *name);

/// Whether the program has more rights than its user (set-user-ID, capabilities): the system then drops variables of the
/// environment that change how libraries behave.
int anneal_is_privileged(void);

#endif
