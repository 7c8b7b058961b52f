/* POST /infer, and the calls of other protocols for the same: the body becomes a tensor while it
 * arrives, waits for a worker, and comes back as the network's answer; see infer.h. */
#include "infer.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "api.h"
#include "clock.h"
#include "model.h"
#include "options.h"
#include "server.h"
#include "statistics.h"

static void job_done(struct job *job)
{
    if (job->more)
        request_resume_with_next(job->context);
    else
        request_resume(job->context);
}

/* The job that could not be pushed: why not. */
static void refuse_job(struct request *request, struct infer *infer, enum batcher_answer answer)
{
    const struct options *options = request->server->options;
    const char *name = infer->model->name;
    enum metrics_reason reason = REASON_DRAINING;
    switch (answer) {
    case BATCHER_TOO_LARGE: /* counted by release(), as all that is the request's own fault */
        request_fail(request, 413,
                     "input: %zu samples are more than --queue-samples (%zu) or --queue-bytes "
                     "(%zu) ever allow",
                     infer->job.samples, options->queue_samples, options->queue_bytes);
        return;
    case BATCHER_FULL:
        reason = REASON_QUEUE_FULL;
        request_fail(request, 429, "the queue of model %s is full", name);
        break;
    case BATCHER_BUSY:
        reason = REASON_TOO_LATE;
        request_fail(request, 429, "the deadline is nearer than the end of model %s's queue", name);
        break;
    case BATCHER_LATE:
        reason = REASON_TOO_LATE;
        request_fail(request, 504, "model %s takes longer than the deadline leaves", name);
        break;
    case BATCHER_CANCELLED: return; /* HTTP knows why */
    default: request_fail(request, 503, "the server is stopping");
    }
    metrics_failure(request->server->metrics, reason);
    if (request->reply.status == 429)
        request->reply.retry_after = batcher_retry_after(infer->model->batcher);
}

static void push(struct request *request, struct infer *infer)
{
    struct model *model = infer->model;
    atomic_fetch_add(&model->metrics->requests[infer->priority], 1);
    request->phase = PHASE_QUEUED;
    if (!request_suspend(request)) {
        refuse_job(request, infer, BATCHER_CLOSED);
        return;
    }
    const enum batcher_answer answer = batcher_push(model->batcher, &infer->job);
    if (answer == BATCHER_OK) return; /* from here on the request may be gone already */
    refuse_job(request, infer, answer);
    request_resume(request);
}

static bool abandon(struct request *request)
{
    struct infer *infer = request->state;
    if (infer->decoding) return pool_cancel(request->server->decoders, &infer->decode);
    const bool out = batcher_cancel(infer->model->batcher, &infer->job);
    if (!out) request->phase = PHASE_COMPUTING;
    return out;
}

/* The body has been made a result, or not: on with the request. */
static void take_result(struct request *request, struct infer *infer)
{
    if (!infer_prepare(request, infer)) return;
    infer->job.done = job_done;
    infer->stage[STAGE_PARSE] += clock_ns() - request->read;
    push(request, infer);
}

static struct infer *infer_of(struct task *decode)
{
    return (struct infer *)(void *)((char *)decode - offsetof(struct infer, decode));
}

/* On a decoder. */
static void run_decode(struct task *task)
{
    struct infer *infer = infer_of(task);
    infer->result = ingest_finish(infer->ingest);
    request_resume(infer->request);
}

/* The picture that no decoder is to have: why not. */
static void refuse_picture(struct request *request, enum pool_answer answer)
{
    const struct server *server = request->server;
    if (answer == POOL_CANCELLED) return; /* HTTP knows why */
    if (answer == POOL_FULL)
        request_fail(request, 429,
                     "as many pictures wait as --decoder-queue and --queue-bytes allow: %zu, %zu",
                     server->options->decoder_queue, server->options->queue_bytes);
    else
        request_fail(request, 429, "the deadline is nearer than the end of the decoders' queue");
    metrics_failure(server->metrics, answer == POOL_FULL ? REASON_QUEUE_FULL : REASON_TOO_LATE);
    request->reply.retry_after = pool_retry_after(server->decoders);
}

/* To a decoder, and from there to finish(). */
static void decode(struct request *request, struct infer *infer)
{
    infer->decode = (struct task){.run = run_decode,
                                  .priority = infer->priority,
                                  .bytes = ingest_to_decode(infer->ingest),
                                  .deadline = request->deadline};
    infer->decoding = true;
    request->phase = PHASE_DECODING;
    if (!request_suspend(request)) {
        refuse_job(request, infer, BATCHER_CLOSED);
        return;
    }
    const enum pool_answer answer = pool_push(request->server->decoders, &infer->decode);
    if (answer == POOL_OK) return; /* from here on the request may be gone already */
    refuse_picture(request, answer);
    request_resume(request);
}

static void end(struct request *request)
{
    struct infer *infer = request->state;
    infer->stage[STAGE_READ] = request->read - request->began - infer->stage[STAGE_PARSE];
    infer_end_reading(request, infer);
    if (!infer->ingest) { /* not a byte came */
        request_fail(request, 400, "the body is empty");
        return;
    }
    if (ingest_to_decode(infer->ingest)) {
        if (infer_parameters(request, infer)) decode(request, infer);
        return;
    }
    infer->result = ingest_finish(infer->ingest);
    take_result(request, infer);
}

static void finish(struct request *request)
{
    struct infer *infer = request->state;
    if (request->reply.status) return; /* refused: see push() */
    if (infer->decoding) {
        infer->decoding = false;
        take_result(request, infer);
        return;
    }
    snprintf(request->reply.digest, sizeof request->reply.digest, "%s", infer->model->digest);
    if (infer->job.result == JOB_DONE) {
        infer_answer(request, infer);
        return;
    }
    metrics_failure(request->server->metrics, REASON_ENGINE);
    request_fail(request, 500, "the engine failed: %s", infer->job.error);
}

static void release(struct request *request)
{
    struct infer *infer = request->state;
    if (!infer) return;
    const unsigned status = request->reply.status;
    const bool counted = request->dropped; /* by HTTP, whatever had been wrong before */
    if (!counted && status >= 400 && status < 429)
        metrics_failure(request->server->metrics, REASON_INPUT);
    if (infer->model && status != 200)
        statistics_fail(infer->model->statistics, clock_ns() - request->began);
    infer_end_reading(request, infer);
    ingest_free(infer->ingest);
    free(infer->output);
    model_release(infer->model);
    free(infer);
}

/* They differ in how a request begins. */
#define HANDLER(first)                                                                          \
    {                                                                                           \
        .begin = (first), .body = infer_body, .end = end, .finish = finish, .abandon = abandon, \
        .release = release                                                                      \
    }
const struct handler api_infer = HANDLER(infer_begin);
const struct handler api_v2_infer = HANDLER(infer_begin_v2);
const struct handler api_v1_predict = HANDLER(infer_begin_v1);
const struct handler api_torchserve_predict = HANDLER(infer_begin_torchserve);
