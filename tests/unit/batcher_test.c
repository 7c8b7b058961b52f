/* Batcher and workers with a run of our own: batches are filled, large jobs split, bounds and
 * priorities kept, what can't be in time refused, and every job is done or given back exactly once.
 */
#include "batcher.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "clock.h"
#include "floats.h"
#include "metrics.h"
#include "rate.h"
#include "worker.h"

#include "check_main.h"

enum { INPUT = 3, OUTPUT = 2, MAX_BATCH = 8, MAX_RUNS = 4096 };

/* Longer than this process may have to stand still: no test may depend on that it does not. */
#define DISTANT (86400 * NS_PER_SECOND)

/* The network: outputs are the sum and the largest of a sample's numbers. */
static void network(const float *input, size_t n, float *output)
{
    for (size_t i = 0; i < n; i++, input += INPUT, output += OUTPUT) {
        output[0] = input[0] + input[1] + input[2];
        output[1] = input[0] > input[1] ? input[0] : input[1];
    }
}

/* What the runs do, and what they saw. */
static struct {
    sem_t gate;    /* posted once for each run that may go on, when `gated` */
    sem_t entered; /* posted by each run that began */
    bool gated, failing, until_abandoned;
    uint64_t sample_ns; /* how long each sample takes */
    pthread_mutex_t lock;
    size_t runs, size[MAX_RUNS];
    float seen[MAX_RUNS]; /* the first number of each run */
} world;

static bool run(void *context, size_t index, const struct batch *batch, const float *input,
                float *output, char *error)
{
    (void)context, (void)index;
    sem_post(&world.entered);
    if (world.gated) sem_wait(&world.gate);
    while (world.until_abandoned && !batch_abandoned(batch)) clock_sleep(NS_PER_MS);
    clock_sleep(world.sample_ns * batch->samples);
    pthread_mutex_lock(&world.lock);
    if (world.runs < MAX_RUNS) {
        world.seen[world.runs] = input[0];
        world.size[world.runs++] = batch->samples;
    }
    pthread_mutex_unlock(&world.lock);
    network(input, batch->samples, output);
    if (world.failing || world.until_abandoned) memcpy(error, "broken", 7);
    return !world.failing && !world.until_abandoned;
}

static struct batcher *batcher;
static struct workers *workers;

static void start(size_t count, uint64_t max_delay, size_t queue_samples)
{
    const struct batcher_options options = {.max_batch = MAX_BATCH,
                                            .queue_samples = queue_samples,
                                            .queue_bytes = 1 << 20,
                                            .workers = count,
                                            .max_delay = max_delay,
                                            .stall = 50 * NS_PER_MS};
    memset(&world, 0, sizeof world);
    sem_init(&world.gate, 0, 0);
    sem_init(&world.entered, 0, 0);
    pthread_mutex_init(&world.lock, NULL);
    batcher = batcher_new(&options, NULL);
    ck_assert_ptr_nonnull(batcher);
    const struct worker_options work = {.batcher = batcher,
                                        .workers = count,
                                        .max_batch = MAX_BATCH,
                                        .input_size = INPUT,
                                        .output_size = OUTPUT,
                                        .run = run};
    workers = workers_start(&work);
    ck_assert_ptr_nonnull(workers);
}

static void stop(void)
{
    batcher_close(batcher);
    workers_join(workers);
    batcher_free(batcher);
}

/* A job with its buffers and the knowledge of how often it was done. */
struct client {
    struct job job;
    float input[64 * INPUT], output[64 * OUTPUT];
    atomic_int done;
    sem_t ready;
};

static void client_done(struct job *job)
{
    struct client *client = job->context;
    atomic_fetch_add(&client->done, 1);
    sem_post(&client->ready);
}

static void client_init(struct client *client, size_t samples, float seed)
{
    memset(client, 0, sizeof *client);
    sem_init(&client->ready, 0, 0);
    for (size_t i = 0; i < samples * INPUT; i++) client->input[i] = seed + (float)(i * i % 97);
    client->job = (struct job){.input = client->input,
                               .output = client->output,
                               .samples = samples,
                               .input_size = INPUT,
                               .output_size = OUTPUT,
                               .done = client_done,
                               .context = client};
}

static void client_check(struct client *client, enum job_result result)
{
    sem_wait(&client->ready);
    ck_assert_int_eq(atomic_load(&client->done), 1);
    ck_assert_int_eq(client->job.result, result);
    if (result != JOB_DONE) return;
    float want[64 * OUTPUT];
    network(client->input, client->job.samples, want);
    ck_assert_mem_eq(client->output, want, client->job.samples * OUTPUT * sizeof(float));
}

START_TEST(one_job_is_run_alone)
{
    struct client client;
    start(1, 0, 100);
    client_init(&client, 1, 1);
    ck_assert_int_eq(batcher_push(batcher, &client.job), BATCHER_OK);
    client_check(&client, JOB_DONE);
    ck_assert_uint_eq(client.job.batch, 1);
    ck_assert(client.job.pushed <= client.job.started);
    ck_assert(client.job.started <= client.job.finished);
    stop();
}
END_TEST

START_TEST(waiting_jobs_share_a_batch)
{
    struct client first, client[6];
    start(1, 0, 100);
    world.gated = true;
    client_init(&first, 1, 0);
    batcher_push(batcher, &first.job);
    sem_wait(&world.entered); /* the worker is busy: the others have to wait */
    for (size_t i = 0; i < 6; i++) {
        client_init(&client[i], 2, (float)i);
        ck_assert_int_eq(batcher_push(batcher, &client[i].job), BATCHER_OK);
    }
    for (int i = 0; i < 3; i++) sem_post(&world.gate);
    client_check(&first, JOB_DONE);
    for (size_t i = 0; i < 6; i++) client_check(&client[i], JOB_DONE);
    stop();
    ck_assert_uint_eq(world.runs, 3);
    ck_assert_uint_eq(world.size[0], 1);
    ck_assert_uint_eq(world.size[1], 8); /* 4 jobs of 2 */
    ck_assert_uint_eq(world.size[2], 4);
}
END_TEST

START_TEST(a_large_job_is_split)
{
    struct client large, small;
    start(1, 0, 100);
    world.gated = true;
    client_init(&large, 20, 3);
    client_init(&small, 3, 4);
    batcher_push(batcher, &large.job);
    batcher_push(batcher, &small.job);
    for (int i = 0; i < 3; i++) sem_post(&world.gate);
    client_check(&large, JOB_DONE);
    client_check(&small, JOB_DONE);
    stop();
    ck_assert_uint_eq(world.runs, 3);
    ck_assert_uint_eq(world.size[0], 8);
    ck_assert_uint_eq(world.size[1], 8);
    ck_assert_uint_eq(world.size[2], 7); /* the last 4 and the small one's 3: nothing padded */
    ck_assert_uint_eq(large.job.batch, 8);
}
END_TEST

START_TEST(several_workers_share_a_large_job)
{
    struct client large;
    start(3, 0, 100);
    world.gated = true;
    client_init(&large, 24, 5);
    batcher_push(batcher, &large.job);
    for (int i = 0; i < 3; i++) sem_wait(&world.entered); /* all three are in it at once */
    for (int i = 0; i < 3; i++) sem_post(&world.gate);
    client_check(&large, JOB_DONE);
    stop();
    ck_assert_uint_eq(world.runs, 3);
}
END_TEST

START_TEST(max_delay_waits_for_company)
{
    struct client client[MAX_BATCH];
    start(1, DISTANT, 100);
    for (size_t i = 0; i < MAX_BATCH; i++) {
        client_init(&client[i], 1, (float)i);
        batcher_push(batcher, &client[i].job);
    }
    for (size_t i = 0; i < MAX_BATCH; i++) client_check(&client[i], JOB_DONE);
    ck_assert_uint_eq(world.runs, 1);
    ck_assert_uint_eq(world.size[0], MAX_BATCH);
    stop();
}
END_TEST

START_TEST(max_delay_ends)
{
    struct client client;
    start(1, 30 * NS_PER_MS, 100);
    client_init(&client, 1, 1);
    batcher_push(batcher, &client.job);
    client_check(&client, JOB_DONE);
    ck_assert_uint_ge(client.job.started - client.job.pushed, 30 * NS_PER_MS);
    stop();
}
END_TEST

START_TEST(the_queue_is_bounded)
{
    struct client running, waiting, refused, never;
    start(1, 0, 10);
    world.gated = true;
    client_init(&running, 4, 1);
    client_init(&waiting, 6, 2);
    client_init(&refused, 1, 3);
    client_init(&never, 11, 4);
    ck_assert_int_eq(batcher_push(batcher, &never.job), BATCHER_TOO_LARGE);
    ck_assert_int_eq(batcher_push(batcher, &running.job), BATCHER_OK);
    sem_wait(&world.entered);
    ck_assert_int_eq(batcher_push(batcher, &waiting.job), BATCHER_OK);
    ck_assert_int_eq(batcher_push(batcher, &refused.job), BATCHER_FULL);
    ck_assert_uint_eq(batcher_retry_after(batcher), 1);
    for (int i = 0; i < 3; i++) sem_post(&world.gate);
    client_check(&running, JOB_DONE);
    client_check(&waiting, JOB_DONE);
    ck_assert_int_eq(batcher_push(batcher, &refused.job), BATCHER_OK);
    client_check(&refused, JOB_DONE);
    ck_assert_int_eq(atomic_load(&never.done), 0);
    stop();
}
END_TEST

/* All jobs of a batch but the last are told that another follows. */
START_TEST(the_last_of_a_batch_knows_it)
{
    enum { JOBS = 3 };
    struct client running, client[JOBS];
    size_t last = 0;
    start(1, 0, 100);
    world.gated = true;
    client_init(&running, 1, 1);
    ck_assert_int_eq(batcher_push(batcher, &running.job), BATCHER_OK);
    sem_wait(&world.entered);
    for (size_t i = 0; i < JOBS; i++) {
        client_init(&client[i], 1, 1);
        client[i].job.more = i % 2;
        ck_assert_int_eq(batcher_push(batcher, &client[i].job), BATCHER_OK);
    }
    for (int i = 0; i < 2; i++) sem_post(&world.gate);
    client_check(&running, JOB_DONE);
    ck_assert(!running.job.more);
    for (size_t i = 0; i < JOBS; i++) {
        client_check(&client[i], JOB_DONE);
        ck_assert_uint_eq(client[i].job.batch, JOBS);
        last += !client[i].job.more;
    }
    ck_assert_uint_eq(last, 1);
    stop();
}
END_TEST

START_TEST(retry_after_follows_the_measured_rate)
{
    struct client slow, queued;
    start(1, 0, 100);
    world.gated = true;
    client_init(&slow, 1, 1);
    batcher_push(batcher, &slow.job);
    sem_wait(&world.entered);
    clock_sleep(300 * NS_PER_MS);
    sem_post(&world.gate);
    client_check(&slow, JOB_DONE); /* measured: 0.3 s a sample, or more */
    client_init(&queued, 20, 1);
    batcher_push(batcher, &queued.job);
    const double most = 20 * (double)(slow.job.finished - slow.job.started) / 1e9 + 1;
    const unsigned seconds = batcher_retry_after(batcher);
    ck_assert_uint_ge(seconds, 6);
    ck_assert(seconds <= (most < 60 ? most : 60));
    for (int i = 0; i < 3; i++) sem_post(&world.gate);
    client_check(&queued, JOB_DONE);
    stop();
}
END_TEST

/* The first job is taken whatever its deadline: nothing is known yet. Returns what it took, which
 * is the rate from now on, at least `sample_ns`. */
static uint64_t measure(uint64_t sample_ns)
{
    struct client first;
    world.sample_ns = sample_ns;
    client_init(&first, 1, 1);
    first.job.deadline = clock_ns() + 1;
    ck_assert_int_eq(batcher_push(batcher, &first.job), BATCHER_OK);
    client_check(&first, JOB_DONE);
    sem_wait(&world.entered);
    world.sample_ns = 0;
    return first.job.finished - first.job.started;
}

/* A job in the worker until the gate opens: while there is one, no other is let in to measure the
 * rate anew. */
static void occupy(struct client *running)
{
    world.gated = true;
    client_init(running, 1, 1);
    ck_assert_int_eq(batcher_push(batcher, &running->job), BATCHER_OK);
    sem_wait(&world.entered);
}

/* What a push with so much time left is answered; again where this process stood still between the
 * two. */
static void expect_within(struct client *client, enum priority priority, size_t samples,
                          uint64_t ns, enum batcher_answer want)
{
    enum batcher_answer answer;
    uint64_t began;
    do {
        client_init(client, samples, 1);
        client->job.priority = priority;
        began = clock_ns();
        client->job.deadline = began + ns;
        answer = batcher_push(batcher, &client->job);
    } while (answer != want && answer != BATCHER_OK && clock_ns() - began > ns / 10);
    ck_assert_int_eq(answer, want);
}

START_TEST(what_cannot_be_in_time_is_refused)
{
    struct client running, waiting, client;
    start(1, 0, 100);
    const uint64_t rate = measure(100 * NS_PER_MS);
    occupy(&running);
    expect_within(&client, PRIORITY_NORMAL, 1, rate / 5, BATCHER_LATE);
    expect_within(&client, PRIORITY_NORMAL, 40, 20 * rate, BATCHER_LATE);
    expect_within(&waiting, PRIORITY_NORMAL, 8, DISTANT, BATCHER_OK);
    expect_within(&client, PRIORITY_NORMAL, 1, 6 * rate, BATCHER_BUSY);
    expect_within(&client, PRIORITY_NORMAL, 1, rate / 5, BATCHER_LATE);
    /* what has priority waits for none of the eight */
    expect_within(&client, PRIORITY_HIGH, 1, 6 * rate, BATCHER_OK);
    for (int i = 0; i < 3; i++) sem_post(&world.gate);
    client_check(&running, JOB_DONE);
    client_check(&waiting, JOB_DONE);
    client_check(&client, JOB_DONE);
    stop();
}
END_TEST

START_TEST(workers_share_what_is_estimated)
{
    struct client running, client;
    start(4, 0, 100);
    const uint64_t rate = measure(50 * NS_PER_MS);
    occupy(&running);
    /* 32 samples: 32 times the rate for one worker, 8 for four */
    expect_within(&client, PRIORITY_NORMAL, 32, 6 * rate, BATCHER_LATE);
    expect_within(&client, PRIORITY_NORMAL, 32, 20 * rate, BATCHER_OK);
    for (int i = 0; i < 5; i++) sem_post(&world.gate);
    client_check(&running, JOB_DONE);
    client_check(&client, JOB_DONE);
    stop();
}
END_TEST

/* False: it proves nothing, as this process stood still. */
static bool old_rate_is_measured_anew(void)
{
    struct client client;
    const uint64_t began = clock_ns(), rate = measure(300 * NS_PER_MS);
    client_init(&client, 1, 1);
    client.job.deadline = clock_ns() + rate / 2;
    const enum batcher_answer soon = batcher_push(batcher, &client.job);
    if (soon == BATCHER_OK) {
        client_check(&client, JOB_DONE);
        ck_assert_uint_gt(clock_ns() - began - rate, RATE_LASTS);
        return false;
    }
    ck_assert_int_eq(soon, BATCHER_LATE);
    clock_sleep(RATE_LASTS + 100 * NS_PER_MS);
    expect_within(&client, PRIORITY_NORMAL, 1, rate / 2, BATCHER_OK);
    client_check(&client, JOB_DONE);
    if (client.job.finished - client.job.started > rate / 4) return false;
    expect_within(&client, PRIORITY_NORMAL, 1, rate / 2, BATCHER_OK);
    client_check(&client, JOB_DONE);
    return true;
}

/* A rate that was bad once does not lock everybody out for ever. */
START_TEST(an_old_rate_is_measured_anew)
{
    bool proven;
    do {
        start(1, 0, 100);
        proven = old_rate_is_measured_anew();
        stop();
    } while (!proven);
}
END_TEST

/* Each job is named by its first number; the runs are of one sample. */
static void push_named(struct client *client, float name, enum priority priority)
{
    client_init(client, MAX_BATCH, name);
    client->job.priority = priority;
    ck_assert_int_eq(batcher_push(batcher, &client->job), BATCHER_OK);
}

START_TEST(high_goes_first_and_normal_is_not_starved)
{
    enum { HIGH = 9, NORMAL = 3 };
    static const float order[1 + HIGH + NORMAL] = {0,   100, 101, 102, 200, 103, 104,
                                                   105, 201, 106, 107, 108, 202};
    struct client first, high[HIGH], normal[NORMAL];
    start(1, 0, 200);
    world.gated = true;
    push_named(&first, 0, PRIORITY_NORMAL);
    sem_wait(&world.entered);
    for (size_t i = 0; i < NORMAL; i++) push_named(&normal[i], 200 + (float)i, PRIORITY_NORMAL);
    for (size_t i = 0; i < HIGH; i++) push_named(&high[i], 100 + (float)i, PRIORITY_HIGH);
    for (size_t i = 0; i < 1 + HIGH + NORMAL; i++) sem_post(&world.gate);
    client_check(&first, JOB_DONE);
    for (size_t i = 0; i < HIGH; i++) client_check(&high[i], JOB_DONE);
    for (size_t i = 0; i < NORMAL; i++) client_check(&normal[i], JOB_DONE);
    stop();
    ck_assert_uint_eq(world.runs, 1 + HIGH + NORMAL);
    ck_assert_mem_eq(world.seen, order, sizeof order);
}
END_TEST

/* What room a batch has behind the high jobs is the normal ones'. */
START_TEST(priorities_share_a_batch)
{
    struct client first, high, normal;
    start(1, 0, 100);
    world.gated = true;
    client_init(&first, 1, 0);
    batcher_push(batcher, &first.job);
    sem_wait(&world.entered);
    client_init(&normal, 7, 1);
    client_init(&high, 3, 2);
    high.job.priority = PRIORITY_HIGH;
    batcher_push(batcher, &normal.job);
    batcher_push(batcher, &high.job);
    for (int i = 0; i < 3; i++) sem_post(&world.gate);
    client_check(&first, JOB_DONE);
    client_check(&high, JOB_DONE);
    client_check(&normal, JOB_DONE);
    stop();
    ck_assert_uint_eq(world.runs, 3);
    ck_assert_uint_eq(world.size[1], 8);
    ck_assert(world.seen[1] == high.input[0]);
    ck_assert_uint_eq(world.size[2], 2);
}
END_TEST

START_TEST(a_cancelled_job_leaves_the_queue)
{
    struct client running, cancelled[PRIORITIES], last;
    start(1, 0, 11);
    world.gated = true;
    client_init(&running, 1, 1);
    batcher_push(batcher, &running.job);
    sem_wait(&world.entered);
    for (size_t i = 0; i < PRIORITIES; i++) {
        client_init(&cancelled[i], 5, 2);
        cancelled[i].job.priority = (enum priority)i;
        ck_assert_int_eq(batcher_push(batcher, &cancelled[i].job), BATCHER_OK);
    }
    client_init(&last, 10, 3);
    ck_assert_int_eq(batcher_push(batcher, &last.job), BATCHER_FULL);
    for (size_t i = 0; i < PRIORITIES; i++)
        ck_assert(batcher_cancel(batcher, &cancelled[i].job)); /* and it is ours again */
    ck_assert_int_eq(batcher_push(batcher, &last.job), BATCHER_OK);
    for (int i = 0; i < 3; i++) sem_post(&world.gate);
    client_check(&running, JOB_DONE);
    client_check(&last, JOB_DONE);
    stop();
    ck_assert_uint_eq(world.runs, 3);
    for (size_t i = 0; i < PRIORITIES; i++) ck_assert_int_eq(atomic_load(&cancelled[i].done), 0);
}
END_TEST

/* Both ends of a push: a job that is not in the queue yet, or not any more. */
START_TEST(a_cancelled_job_is_not_pushed)
{
    struct client client;
    start(1, 0, 100);
    client_init(&client, 1, 1);
    ck_assert(!batcher_cancel(batcher, &client.job));
    ck_assert_int_eq(batcher_push(batcher, &client.job), BATCHER_CANCELLED);
    client_init(&client, 1, 1);
    ck_assert_int_eq(batcher_push(batcher, &client.job), BATCHER_OK);
    client_check(&client, JOB_DONE);
    ck_assert(!batcher_cancel(batcher, &client.job));
    stop();
    ck_assert_int_eq(atomic_load(&client.done), 1);
}
END_TEST

/* The part that waits behind the first batch is dropped too. */
START_TEST(a_run_stops_when_its_only_job_is_gone)
{
    struct client client;
    start(1, 0, 100);
    world.until_abandoned = true;
    client_init(&client, 20, 1);
    batcher_push(batcher, &client.job);
    sem_wait(&world.entered);
    ck_assert(!batcher_cancel(batcher, &client.job));
    client_check(&client, JOB_CANCELLED);
    stop();
    ck_assert_uint_eq(world.runs, 1);
}
END_TEST

START_TEST(a_run_stops_when_all_are_gone)
{
    struct client one, two;
    start(1, DISTANT, 100);
    world.until_abandoned = true;
    client_init(&one, 1, 1);
    client_init(&two, MAX_BATCH - 1, 2); /* the batch is full: both are in it */
    batcher_push(batcher, &one.job);
    batcher_push(batcher, &two.job);
    sem_wait(&world.entered);
    ck_assert(!batcher_cancel(batcher, &one.job));
    clock_sleep(20 * NS_PER_MS);
    ck_assert_int_eq(atomic_load(&one.done), 0); /* its neighbour still wants the batch */
    ck_assert(!batcher_cancel(batcher, &two.job));
    client_check(&one, JOB_CANCELLED);
    client_check(&two, JOB_CANCELLED);
    stop();
}
END_TEST

START_TEST(a_failure_reaches_every_job_of_the_batch)
{
    struct client client[3];
    start(1, DISTANT, 100);
    world.failing = true;
    for (size_t i = 0; i < 3; i++) client_init(&client[i], i == 2 ? 30 : 1, (float)i);
    for (size_t i = 0; i < 3; i++) batcher_push(batcher, &client[i].job);
    for (size_t i = 0; i < 3; i++) {
        client_check(&client[i], JOB_FAILED);
        ck_assert_str_eq(client[i].job.error, "broken");
    }
    world.failing = false;
    client_init(&client[0], MAX_BATCH, 0);
    batcher_push(batcher, &client[0].job);
    client_check(&client[0], JOB_DONE);
    stop();
}
END_TEST

START_TEST(closing_finishes_what_is_queued)
{
    struct client client[8], late;
    start(2, DISTANT, 100);
    for (size_t i = 0; i < 7; i++) {
        client_init(&client[i], 1, (float)i);
        batcher_push(batcher, &client[i].job);
    }
    batcher_close(batcher);
    client_init(&late, 1, 1);
    ck_assert_int_eq(batcher_push(batcher, &late.job), BATCHER_CLOSED);
    for (size_t i = 0; i < 7; i++) client_check(&client[i], JOB_DONE);
    stop();
}
END_TEST

/* As a watcher from outside sees it; an empty queue has nothing to move. */
START_TEST(a_queue_stands_still)
{
    struct client client;
    start(1, 0, 100);
    world.gated = true;
    clock_sleep(80 * NS_PER_MS);
    ck_assert(batcher_moves(batcher));
    client_init(&client, 1, 1);
    batcher_push(batcher, &client.job);
    sem_wait(&world.entered);
    clock_sleep(80 * NS_PER_MS);
    ck_assert(!batcher_moves(batcher));
    sem_post(&world.gate);
    client_check(&client, JOB_DONE);
    ck_assert(batcher_moves(batcher));
    stop();
}
END_TEST

static void *many_pushes(void *seed)
{
    for (size_t i = 0; i < 400; i++) {
        struct client client;
        client_init(&client, 1 + (i * 7 + *(size_t *)seed) % 20, (float)i);
        client.job.priority = i % 3 == 0 ? PRIORITY_HIGH : PRIORITY_NORMAL;
        if (i % 5 == 0) client.job.deadline = clock_ns() + DISTANT;
        while (batcher_push(batcher, &client.job) == BATCHER_FULL) clock_sleep(10000);
        if (i % 7 == 0 && batcher_cancel(batcher, &client.job))
            ck_assert_int_eq(atomic_load(&client.done), 0);
        else if (i % 7 == 0)
            sem_wait(&client.ready);
        else
            client_check(&client, JOB_DONE);
        sem_destroy(&client.ready);
    }
    return NULL;
}

/* A model that is reloaded: the old queue and the new one are counted together. */
START_TEST(two_queues_in_one_gauge)
{
    struct model_metrics gauge = {0};
    const struct batcher_options options = {
        .max_batch = MAX_BATCH, .queue_samples = 100, .queue_bytes = 1000000, .workers = 1};
    struct batcher *two[2];
    struct job job[2];
    float input[3 * INPUT] = {0}, output[3 * OUTPUT];
    for (size_t i = 0; i < 2; i++) {
        two[i] = batcher_new(&options, &gauge);
        job[i] = (struct job){.input = input,
                              .output = output,
                              .samples = i + 2,
                              .input_size = INPUT,
                              .output_size = OUTPUT};
        ck_assert_int_eq(batcher_push(two[i], &job[i]), BATCHER_OK);
    }
    ck_assert_uint_eq(atomic_load(&gauge.queue_samples), 5);
    ck_assert(batcher_cancel(two[0], &job[0]));
    ck_assert_uint_eq(atomic_load(&gauge.queue_samples), 3);
    ck_assert_uint_eq(atomic_load(&gauge.queue_bytes), 3 * (INPUT + OUTPUT) * sizeof(float));
    ck_assert(batcher_cancel(two[1], &job[1]));
    ck_assert_uint_eq(atomic_load(&gauge.queue_samples), 0);
    for (size_t i = 0; i < 2; i++) {
        batcher_close(two[i]);
        batcher_free(two[i]);
    }
}
END_TEST

START_TEST(many_clients_and_workers)
{
    enum { CLIENTS = 16 };
    pthread_t thread[CLIENTS];
    size_t seed[CLIENTS];
    start(3, 20 * NS_PER_US, 64);
    for (size_t i = 0; i < CLIENTS; i++) {
        seed[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, many_pushes, &seed[i]), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) pthread_join(thread[i], NULL);
    stop();
    for (size_t i = 0; i < world.runs; i++) ck_assert_uint_le(world.size[i], MAX_BATCH);
}
END_TEST

/* A model's memory goes with it: nobody may ask for blocks of that size again. */
START_TEST(workers_leave_no_memory_behind)
{
    const struct batcher_options options = {.max_batch = MAX_BATCH, .workers = 2};
    batcher = batcher_new(&options, NULL);
    const struct worker_options work = {.batcher = batcher,
                                        .workers = 2,
                                        .max_batch = MAX_BATCH,
                                        .input_size = 1 << 16,
                                        .output_size = 1 << 15,
                                        .run = run};
    workers = workers_start(&work);
    ck_assert_ptr_nonnull(workers);
    stop();
    ck_assert_uint_eq(floats_kept(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batcher");
    TCase *tests = tcase_create("batcher");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, one_job_is_run_alone);
    tcase_add_test(tests, waiting_jobs_share_a_batch);
    tcase_add_test(tests, a_large_job_is_split);
    tcase_add_test(tests, a_queue_stands_still);
    tcase_add_test(tests, several_workers_share_a_large_job);
    tcase_add_test(tests, max_delay_waits_for_company);
    tcase_add_test(tests, max_delay_ends);
    tcase_add_test(tests, the_queue_is_bounded);
    tcase_add_test(tests, the_last_of_a_batch_knows_it);
    tcase_add_test(tests, retry_after_follows_the_measured_rate);
    tcase_add_test(tests, what_cannot_be_in_time_is_refused);
    tcase_add_test(tests, workers_share_what_is_estimated);
    tcase_add_test(tests, an_old_rate_is_measured_anew);
    tcase_add_test(tests, high_goes_first_and_normal_is_not_starved);
    tcase_add_test(tests, priorities_share_a_batch);
    tcase_add_test(tests, a_cancelled_job_leaves_the_queue);
    tcase_add_test(tests, a_cancelled_job_is_not_pushed);
    tcase_add_test(tests, a_run_stops_when_its_only_job_is_gone);
    tcase_add_test(tests, a_run_stops_when_all_are_gone);
    tcase_add_test(tests, a_failure_reaches_every_job_of_the_batch);
    tcase_add_test(tests, closing_finishes_what_is_queued);
    tcase_add_test(tests, two_queues_in_one_gauge);
    tcase_add_test(tests, many_clients_and_workers);
    tcase_add_test(tests, workers_leave_no_memory_behind);
    return run_suite(suite);
}
