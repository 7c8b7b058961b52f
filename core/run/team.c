/* The thread team. Each thread takes the tasks of its own share one by one, always the same part of
 * the range, so that what it wrote in one layer it finds in its cache in the next; then those left
 * of others' shares, so that a thread that the system delays delays one task.
 *
 * rn_team_for() publishes a job by raising `generation`; workers that see it take tasks and report
 * in `working`. Both sides spin briefly, since the next layer comes at once, and then sleep on a
 * condition. Who goes to sleep first counts itself in `sleepers` and then looks again; who wakes
 * first changes the state and then looks at `sleepers`: with sequentially consistent atomics one of
 * the two always sees the other. */
#include "run/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

#if defined(__x86_64__) || defined(__i386__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("yield")
#else
#define cpu_relax() ((void)0)
#endif

#define SPINS 2000 /* about 30 microseconds */

/* One thread; the first is the caller of rn_team_for(). */
typedef struct {
    _Alignas(RN_ALIGN) atomic_size_t next; /* task of its share to take */
    rn_team *team;
    size_t index;
    pthread_t thread;
} member;

struct rn_team {
    size_t threads, started; /* started: beside the caller */
    bool pin;
    rn_task *task; /* the job: written before `generation` is raised, read after it was seen */
    void *context;
    size_t tasks;
    _Alignas(RN_ALIGN) atomic_size_t generation;
    _Alignas(RN_ALIGN) atomic_size_t working; /* members that have not finished the job */
    atomic_size_t sleepers;
    atomic_bool stop;
    pthread_mutex_t mutex; /* guards only going to sleep and waking up */
    pthread_cond_t changed;
    member members[];
};

static size_t share_begin(const rn_team *team, size_t thread)
{
    return team->tasks * thread / team->threads;
}

static void take_tasks(rn_team *team, size_t thread)
{
    for (size_t i = 0; i < team->threads; i++) {
        const size_t whose = (thread + i) % team->threads, end = share_begin(team, whose + 1);
        atomic_size_t *next = &team->members[whose].next;
        for (size_t task; (task = atomic_fetch_add_explicit(next, 1, memory_order_relaxed)) < end;)
            team->task(team->context, task, thread);
    }
}

/* Waits until *state is not `old`. */
static void await_change(rn_team *team, atomic_size_t *state, size_t old)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(state, memory_order_acquire) != old) return;
        cpu_relax();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleepers, 1);
    while (atomic_load(state) == old) pthread_cond_wait(&team->changed, &team->mutex);
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void wake_sleepers(rn_team *team)
{
    if (atomic_load(&team->sleepers) == 0) return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->changed);
    pthread_mutex_unlock(&team->mutex);
}

/* The index-th of the CPUs this process may use. */
static void pin_to_cpu(size_t index)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    index %= (size_t)CPU_COUNT(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || index-- > 0) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_setaffinity_np(pthread_self(), sizeof one, &one);
        return;
    }
}

static void *work(void *context)
{
    const member *self = context;
    rn_team *team = self->team;
    if (team->pin) pin_to_cpu(self->index);
    for (size_t seen = 0;;) {
        await_change(team, &team->generation, seen);
        seen++;
        if (atomic_load_explicit(&team->stop, memory_order_relaxed)) return NULL;
        take_tasks(team, self->index);
        if (atomic_fetch_sub(&team->working, 1) == 1) wake_sleepers(team);
    }
}

static void *start_work(void *context)
{
    pthread_setname_np(pthread_self(), "rn-team");
    return work(context);
}

rn_status rn_team_new(rn_team **out, size_t threads, bool pin, rn_error *err)
{
    if (threads < 1 || threads > 1024)
        return rn_fail(err, RN_ERR_ARGUMENT, "%zu threads: 1 to 1024 are possible", threads);
    rn_team *team = rn_alloc_zero(1, sizeof *team + threads * sizeof(member), err);
    if (!team) return RN_ERR_MEMORY;
    team->threads = threads;
    team->pin = pin;
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->changed, NULL);
    for (size_t i = 1; i < threads; i++) {
        member *m = &team->members[i];
        m->team = team;
        m->index = i;
        const int fault = pthread_create(&m->thread, NULL, start_work, m);
        if (fault) {
            rn_team_free(team);
            return rn_fail(err, RN_ERR_MEMORY, "can't start a thread: %s", strerror(fault));
        }
        team->started++;
    }
    *out = team;
    return RN_OK;
}

void rn_team_free(rn_team *team)
{
    if (!team) return;
    atomic_store(&team->stop, true);
    atomic_fetch_add(&team->generation, 1);
    wake_sleepers(team);
    for (size_t i = 1; i <= team->started; i++) pthread_join(team->members[i].thread, NULL);
    pthread_cond_destroy(&team->changed);
    pthread_mutex_destroy(&team->mutex);
    rn_free(team);
}

size_t rn_team_threads(const rn_team *team)
{
    return team ? team->threads : 1;
}

void rn_team_for(rn_team *team, size_t tasks, rn_task *task, void *context)
{
    if (!team || team->threads == 1 || tasks <= 1) {
        for (size_t i = 0; i < tasks; i++) task(context, i, 0);
        return;
    }
    team->task = task;
    team->context = context;
    team->tasks = tasks;
    for (size_t i = 0; i < team->threads; i++)
        atomic_store_explicit(&team->members[i].next, share_begin(team, i), memory_order_relaxed);
    atomic_store_explicit(&team->working, team->threads - 1, memory_order_relaxed);
    atomic_fetch_add(&team->generation, 1);
    wake_sleepers(team);
    take_tasks(team, 0);
    for (size_t left; (left = atomic_load(&team->working)) != 0;)
        await_change(team, &team->working, left);
}

size_t rn_team_cpus(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
    const int count = CPU_COUNT(&allowed);
    return count > 0 ? (size_t)count : 1;
}
