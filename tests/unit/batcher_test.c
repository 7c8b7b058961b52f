/* Batcher and workers with a run of our own: batches are filled, large jobs split, the bounds and
 * deadlines kept, and every job is done exactly once. */
#include "batcher.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "clock.h"
#include "worker.h"

#include "check_main.h"

enum { INPUT = 3, OUTPUT = 2, MAX_BATCH = 8, MAX_RUNS = 4096 };

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
    pthread_mutex_t lock;
    size_t runs, size[MAX_RUNS];
} world;

static bool run(void *context, size_t index, const struct batch *batch, const float *input,
                float *output, char *error)
{
    (void)context, (void)index;
    sem_post(&world.entered);
    if (world.gated) sem_wait(&world.gate);
    while (world.until_abandoned && !batch_abandoned(batch)) clock_sleep(NS_PER_MS);
    pthread_mutex_lock(&world.lock);
    if (world.runs < MAX_RUNS) world.size[world.runs++] = batch->samples;
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
                                            .max_delay = max_delay};
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
    start(1, 60 * NS_PER_SECOND, 100);
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
    client_check(&slow, JOB_DONE); /* measured: 0.3 s a sample */
    client_init(&queued, 20, 1);
    batcher_push(batcher, &queued.job);
    const unsigned seconds = batcher_retry_after(batcher);
    ck_assert_uint_ge(seconds, 6);
    ck_assert_uint_le(seconds, 12);
    for (int i = 0; i < 3; i++) sem_post(&world.gate);
    client_check(&queued, JOB_DONE);
    stop();
}
END_TEST

START_TEST(a_deadline_ends_a_waiting_job)
{
    struct client running, late, later;
    start(1, 0, 100);
    world.gated = true;
    client_init(&running, 1, 1);
    client_init(&late, 1, 2);
    client_init(&later, 1, 3);
    batcher_push(batcher, &running.job);
    sem_wait(&world.entered);
    later.job.deadline = clock_ns() + 60 * NS_PER_SECOND;
    late.job.deadline = clock_ns() + 20 * NS_PER_MS;
    batcher_push(batcher, &later.job);
    batcher_push(batcher, &late.job);
    client_check(&late, JOB_EXPIRED); /* while the worker is still busy */
    ck_assert(late.job.finished >= late.job.deadline);
    for (int i = 0; i < 2; i++) sem_post(&world.gate);
    client_check(&running, JOB_DONE);
    client_check(&later, JOB_DONE);
    stop();
}
END_TEST

START_TEST(a_deadline_ends_a_running_job)
{
    struct client client;
    start(1, 0, 100);
    world.until_abandoned = true;
    client_init(&client, 20, 1); /* the part that waits behind the first batch is dropped too */
    client.job.deadline = clock_ns() + 20 * NS_PER_MS;
    batcher_push(batcher, &client.job);
    client_check(&client, JOB_EXPIRED);
    stop();
    ck_assert_uint_eq(world.runs, 1);
}
END_TEST

START_TEST(a_cancelled_job_leaves_the_queue)
{
    struct client running, cancelled;
    start(1, 0, 100);
    world.gated = true;
    client_init(&running, 1, 1);
    client_init(&cancelled, 5, 2);
    batcher_push(batcher, &running.job);
    sem_wait(&world.entered);
    batcher_push(batcher, &cancelled.job);
    batcher_cancel(batcher, &cancelled.job);
    client_check(&cancelled, JOB_CANCELLED);
    sem_post(&world.gate);
    client_check(&running, JOB_DONE);
    stop();
    ck_assert_uint_eq(world.runs, 1);
}
END_TEST

START_TEST(a_run_stops_when_all_are_gone)
{
    struct client one, two;
    start(1, 50 * NS_PER_MS, 100);
    world.until_abandoned = true;
    client_init(&one, 1, 1);
    client_init(&two, 1, 2);
    batcher_push(batcher, &one.job);
    batcher_push(batcher, &two.job);
    sem_wait(&world.entered);
    batcher_cancel(batcher, &one.job);
    clock_sleep(20 * NS_PER_MS);
    ck_assert_int_eq(atomic_load(&one.done), 0); /* its neighbour still wants the batch */
    batcher_cancel(batcher, &two.job);
    client_check(&one, JOB_CANCELLED);
    client_check(&two, JOB_CANCELLED);
    stop();
}
END_TEST

START_TEST(a_failure_reaches_every_job_of_the_batch)
{
    struct client client[3];
    start(1, 50 * NS_PER_MS, 100);
    world.failing = true;
    for (size_t i = 0; i < 3; i++) client_init(&client[i], i == 2 ? 30 : 1, (float)i);
    for (size_t i = 0; i < 3; i++) batcher_push(batcher, &client[i].job);
    for (size_t i = 0; i < 3; i++) {
        client_check(&client[i], JOB_FAILED);
        ck_assert_str_eq(client[i].job.error, "broken");
    }
    world.failing = false;
    client_init(&client[0], 1, 0);
    batcher_push(batcher, &client[0].job);
    client_check(&client[0], JOB_DONE);
    stop();
}
END_TEST

START_TEST(closing_finishes_what_is_queued)
{
    struct client client[8], late;
    start(2, 60 * NS_PER_SECOND, 100);
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

static void *many_pushes(void *seed)
{
    for (size_t i = 0; i < 400; i++) {
        struct client client;
        client_init(&client, 1 + (i * 7 + *(size_t *)seed) % 20, (float)i);
        if (i % 5 == 0) client.job.deadline = clock_ns() + 60 * NS_PER_SECOND;
        while (batcher_push(batcher, &client.job) == BATCHER_FULL) clock_sleep(10000);
        client_check(&client, JOB_DONE);
        sem_destroy(&client.ready);
    }
    return NULL;
}

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

int main(void)
{
    Suite *suite = suite_create("batcher");
    TCase *tests = tcase_create("batcher");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, one_job_is_run_alone);
    tcase_add_test(tests, waiting_jobs_share_a_batch);
    tcase_add_test(tests, a_large_job_is_split);
    tcase_add_test(tests, several_workers_share_a_large_job);
    tcase_add_test(tests, max_delay_waits_for_company);
    tcase_add_test(tests, max_delay_ends);
    tcase_add_test(tests, the_queue_is_bounded);
    tcase_add_test(tests, retry_after_follows_the_measured_rate);
    tcase_add_test(tests, a_deadline_ends_a_waiting_job);
    tcase_add_test(tests, a_deadline_ends_a_running_job);
    tcase_add_test(tests, a_cancelled_job_leaves_the_queue);
    tcase_add_test(tests, a_run_stops_when_all_are_gone);
    tcase_add_test(tests, a_failure_reaches_every_job_of_the_batch);
    tcase_add_test(tests, closing_finishes_what_is_queued);
    tcase_add_test(tests, many_clients_and_workers);
    return run_suite(suite);
}
