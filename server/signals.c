/* Signals; see signals.h. Handlers and not a mask: libraries make threads before main() runs,
 * which would not have the mask, and the signal would end the process in one of them. */
#include "signals.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

static sem_t arrived;
static atomic_bool ending;

/* In any thread, at any moment: only what is safe in a handler. */
static void on_signal(int number)
{
    const int before = errno;
    if (number != SIGHUP) {
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        atomic_store(&ending, true);
    }
    sem_post(&arrived);
    errno = before;
}

void signals_catch(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    enum { COUNT = sizeof numbers / sizeof *numbers };
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sem_init(&arrived, 0, 0);
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < COUNT; i++) sigaddset(&action.sa_mask, numbers[i]);
    for (int i = 0; i < COUNT; i++) sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

enum signals_event signals_wait(void)
{
    while (sem_wait(&arrived) && errno == EINTR) continue;
    return atomic_load(&ending) ? SIGNALS_END : SIGNALS_RELOAD;
}
