/* Signals; see signals.h. A handler and not a mask: libraries make threads before main() runs,
 * which would not have the mask, and the signal would end the process in one of them. */
#include "signals.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>

static sem_t ended;

/* In any thread, at any moment: only what is safe in a handler. */
static void on_signal(int number)
{
    const int before = errno;
    (void)number;
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    sem_post(&ended);
    errno = before;
}

void signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sem_init(&ended, 0, 0);
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaddset(&action.sa_mask, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void signals_wait(void)
{
    while (sem_wait(&ended) && errno == EINTR) continue;
}
