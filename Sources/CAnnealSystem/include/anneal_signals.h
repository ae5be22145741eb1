// The signals that ask a run to stop. A handler in C: only it may do so little in so few calls that it is safe anywhere.
#ifndef ANNEAL_SIGNALS_H
#define ANNEAL_SIGNALS_H

/// From now on SIGINT, SIGTERM, SIGHUP and SIGUSR1 ask for a stop, and SIGUSR2 does nothing; each says so on standard error.
/// A second SIGINT or SIGTERM ends the process at once. SIGINT and SIGHUP stay ignored where they are (nohup).
void anneal_watch_stop_signals(void);

/// The first signal that asked for a stop; 0: none yet.
int anneal_stop_signal(void);

#endif
