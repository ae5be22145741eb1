// The signals that ask a run to stop, and how the process handles others. The handler is in C: in Swift it could not be
// limited to the few calls that are async-signal-safe.
#ifndef ANNEAL_SIGNALS_H
#define ANNEAL_SIGNALS_H

#include <signal.h>

/// Unblocks all signals for this thread and those that it starts. A parent may have blocked some in the thread that
/// started this process, as Dispatch's threads do, and then neither Ctrl-C nor `timeout` would end it.
void anneal_unblock_signals(void);

/// Blocks the signals that come from outside for this thread and those that it starts, and returns its mask as it was.
/// Signals that the thread's own instructions raise (SIGSEGV, SIGABRT and the like) cannot wait.
sigset_t anneal_block_signals(void);
void anneal_restore_signals(sigset_t mask);

/// From now on SIGINT, SIGTERM, SIGHUP and SIGUSR1 ask for a stop, and SIGUSR2 does nothing but say so. A second SIGINT
/// or SIGTERM ends the process at once. SIGINT and SIGHUP stay ignored if they were (nohup).
/// live_line: whether standard error is a terminal whose last line is redrawn in place; messages erase that line.
/// announces: whether the first request is answered with a line on standard error.
void anneal_watch_stop_signals(int live_line, int announces);

/// The first signal that asked for a stop; 0: none yet.
int anneal_stop_signal(void);

#endif
