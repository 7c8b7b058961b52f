/* Signals; see signals.h. They are blocked everywhere and taken by sigwait(): there is no handler.
 */
#include "signals.h"

#include <pthread.h>
#include <signal.h>

static sigset_t ending_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

void signals_block(void)
{
    const sigset_t set = ending_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int signals_wait(void)
{
    const sigset_t set = ending_signals();
    int number = 0;
    sigwait(&set, &number);
    return number;
}

void signals_release(void)
{
    const sigset_t set = ending_signals();
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
