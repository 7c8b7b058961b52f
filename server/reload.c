/* Reloading; see reload.h. */
#include "reload.h"

#include "log.h"
#include "registry.h"

/* On the loader. Once `asked` is 0 the task may be pushed again. */
static void run(struct task *task)
{
    struct reload *reload = (struct reload *)task;
    size_t asked;
    do {
        asked = atomic_load(&reload->asked);
        registry_reload(reload->registry, &task->cancelled);
    } while (atomic_fetch_sub(&reload->asked, asked) != asked);
}

void reload_ask(struct reload *reload)
{
    if (atomic_fetch_add(&reload->asked, 1)) return;
    reload->task = (struct task){.run = run};
    if (pool_push(reload->loader, &reload->task) == POOL_OK) return;
    atomic_store(&reload->asked, 0);
    LOG(LOG_WARNING, "reload", LOG_TEXT("error", "too many loads and unloads wait already"));
}

void reload_stop(struct reload *reload)
{
    pool_cancel(reload->loader, &reload->task);
}
