/* The outputs of a network as the answer that was asked for; see infer.h. */
#include <math.h>

#include "clock.h"
#include "encode/answer.h"
#include "encode/protocols.h"
#include "infer.h"
#include "model.h"
#include "server.h"
#include "statistics.h"

static bool check_finite(struct request *request, const struct infer *infer)
{
    const size_t size = infer->job.output_size;
    for (size_t i = 0; i < infer->job.samples * size; i++) {
        if (isfinite(infer->output[i])) continue;
        metrics_failure(request->server->metrics, REASON_ENGINE);
        request_fail(request, 500, "output[%zu][%zu] is not a finite number", i / size, i % size);
        return false;
    }
    return true;
}

static void encode_v2(struct reply *reply, const struct infer *infer, const struct answer *answer)
{
    const struct ingest_v2 *v2 = &infer->result->v2;
    const bool binary =
        v2->outputs && v2->output[0].has_binary ? v2->output[0].binary : v2->binary_output;
    struct buffer tail = {0};
    answer_v2(&reply->body, &tail, answer, binary, v2->outputs ? v2->output[0].classes : 0);
    if (binary) {
        reply->json_size = reply->body.size;
        reply->content_type = "application/octet-stream";
        buffer_append(&reply->body, tail.bytes ? tail.bytes : "", tail.size);
    }
    buffer_free(&tail);
}

/* In the form of the protocol that the request was written in. */
static void encode_json(struct reply *reply, const struct infer *infer, const struct answer *answer)
{
    switch (infer->result->protocol) {
    case PROTOCOL_INFER: answer_json(&reply->body, answer); break;
    case PROTOCOL_V2: encode_v2(reply, infer, answer); break;
    case PROTOCOL_V1_ROWS: answer_v1(&reply->body, answer, false); break;
    case PROTOCOL_V1_COLUMNS: answer_v1(&reply->body, answer, true); break;
    }
}

static void encode(struct request *request, const struct infer *infer)
{
    struct reply *reply = &request->reply;
    const struct answer answer = {.model = infer->model->name,
                                  .version = MODEL_VERSION,
                                  .id = infer->result->id,
                                  .engine = infer->model->engine,
                                  .output = infer->output,
                                  .samples = infer->job.samples,
                                  .top_k = infer->top_k};
    reply->status = 200;
    reply->compressible = true;
    switch (infer->output_form) {
    case OUTPUT_RAW:
        reply->content_type = "application/octet-stream";
        answer_raw(&reply->body, &answer);
        break;
    case OUTPUT_NPY:
        reply->content_type = "application/x-npy";
        answer_npy(&reply->body, &answer);
        break;
    case OUTPUT_LABELS:
        reply->content_type = "application/json";
        answer_labels(&reply->body, &answer);
        break;
    case OUTPUT_JSON:
        reply->content_type = "application/json";
        encode_json(reply, infer, &answer);
        break;
    }
}

static void account(struct request *request, struct infer *infer)
{
    struct buffer *timing = &request->reply.timing;
    const struct job *job = &infer->job;
    infer->stage[STAGE_QUEUE] = job->started - job->pushed;
    infer->stage[STAGE_INFER] = job->finished - job->started;
    infer->stage[STAGE_TOTAL] = clock_ns() - request->began;
    for (enum metrics_stage s = 0; s < STAGES; s++) {
        metrics_observe_stage(infer->model->metrics, s, infer->stage[s]);
        if (s == STAGE_TOTAL) continue;
        buffer_text(timing, metrics_stage_name(s));
        buffer_text(timing, ";dur=");
        buffer_decimal(timing, (infer->stage[s] + NS_PER_US / 2) / NS_PER_US, 3);
        buffer_text(timing, ", ");
    }
    statistics_success(infer->model->statistics, job->samples, infer->stage);
    buffer_text(timing, "batch;desc=\"");
    buffer_decimal(timing, job->batch, 0);
    buffer_text(timing, "\"");
}

void infer_answer(struct request *request, struct infer *infer)
{
    const uint64_t began = clock_ns();
    if (!check_finite(request, infer)) return;
    encode(request, infer);
    infer->stage[STAGE_ENCODE] = clock_ns() - began;
    account(request, infer);
}
