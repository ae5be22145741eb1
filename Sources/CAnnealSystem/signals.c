#include "anneal_signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Signals are per process, and a handler only receives their number: hence these variables.
static atomic_int stop_signal;
/// The time of the first SIGINT or SIGTERM, in nanoseconds; 0: none yet.
static _Atomic int64_t first_demand;

/// `timeout` sends its signal to the process and to its group, so two within this time count as one.
static const int64_t same_demand = 500 * 1000 * 1000;

/// Whether standard error shows a line that is redrawn in place, over which the terminal has written ^C.
static atomic_int has_live_line;

/// Whether a stop is announced.
static atomic_int announces_stop;

/// Writes a separate line, replacing the line in progress, if there is one.
static void say(const char *text) {
    const char *start = atomic_load(&has_live_line) ? "\r\033[J" : "\n";
    // There may be no reader.
    if (write(STDERR_FILENO, start, strlen(start)) < 0 || write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

static void handle(int number) {
    int error = errno;
    if (number == SIGUSR2) {
        say("SIGUSR2 is ignored; SIGUSR1 saves and stops.\n");
        errno = error;
        return;
    }
    int is_demand = number == SIGINT || number == SIGTERM, none = 0;
    if (atomic_compare_exchange_strong(&stop_signal, &none, number) && atomic_load(&announces_stop))
        say(is_demand ? "Stopping after this step; interrupt again to stop at once.\n" : "Stopping after this step.\n");
    // A closing terminal sends SIGHUP more than once, from the shell and from the system.
    if (is_demand) {
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        int64_t now = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec, first = 0;
        if (!atomic_compare_exchange_strong(&first_demand, &first, now) && now - first > same_demand) _exit(128 + number);
    }
    errno = error;
}

void anneal_unblock_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

sigset_t anneal_block_signals(void) {
    sigset_t outside, before;
    sigfillset(&outside);
    static const int own[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&outside, own[i]);
    pthread_sigmask(SIG_BLOCK, &outside, &before);
    return before;
}

void anneal_restore_signals(sigset_t mask) { pthread_sigmask(SIG_SETMASK, &mask, NULL); }

void anneal_watch_stop_signals(int live_line, int announces) {
    atomic_store(&has_live_line, live_line);
    atomic_store(&announces_stop, announces);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaddset(&action.sa_mask, numbers[i]);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction before;
        int may_be_ignored = numbers[i] == SIGINT || numbers[i] == SIGHUP;
        if (may_be_ignored && sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
        sigaction(numbers[i], &action, NULL);
    }
}

int anneal_stop_signal(void) { return atomic_load(&stop_signal); }
