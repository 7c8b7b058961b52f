/* One request for an answer of a network: what the parts of it share.
 *
 * In the order in which a request walks through them: infer_head.c reads query and headers,
 * infer_body.c makes a tensor of the body and a job of the tensor, infer.c sends both through
 * decoder, queue and worker, infer_answer.c writes what came out. Only server/api/infer*.c look in
 * here. Threads are those of request.h. */
#ifndef SERVER_API_INFER_H
#define SERVER_API_INFER_H

#include "batcher.h"
#include "ingest/ingest.h"
#include "metrics.h"
#include "pool.h"
#include "request.h"

struct model;

enum output_form { OUTPUT_JSON, OUTPUT_RAW, OUTPUT_NPY, OUTPUT_LABELS };

/* request->state: all that one request owns. */
struct infer {
    struct request *request;
    struct model *model; /* retained */
    bool model_in_query; /* else the JSON may name another */
    bool form_known;     /* else the first byte of the body tells */
    enum ingest_form form;
    enum coding coding;
    size_t json_size;                       /* INGEST_V2 */
    char boundary[MULTIPART_BOUNDARY_SIZE]; /* INGEST_MULTIPART */
    enum output_form output_form;
    bool has_top_k, has_timeout, has_priority;
    size_t top_k;
    enum priority priority;
    struct ingest *ingest;
    size_t reading; /* bytes that the body counts for, while it is read */
    const struct ingest_result *result;
    uint64_t stage[STAGES]; /* ns */
    float *output;
    bool decoding; /* suspended for `decode`, else for `job` */
    struct task decode;
    struct job job;
};

/* The begin() of each protocol: the state is made, query and headers are read. */
void infer_begin(struct request *request);
void infer_begin_v2(struct request *request);
void infer_begin_v1(struct request *request);
void infer_begin_torchserve(struct request *request);

/* From here on, false means: answered. */
bool infer_choose_model(struct request *request, struct infer *infer, const char *name);
/* The protocol's numbers: 1 is the highest, 0 the default, and what lies behind 1 no better. */
enum priority infer_priority(uint64_t number);

void infer_body(struct request *request, const void *bytes, size_t size);
/* The body is whole, or given up: what comes of it counts elsewhere. */
void infer_end_reading(const struct request *request, struct infer *infer);
/* The body is whole: what it says beside its pictures counts from here on. */
bool infer_parameters(struct request *request, struct infer *infer);
/* After ingest_finish(): checks the result, or answers with what was wrong, and fills infer->job
 * but for its done(). */
bool infer_prepare(struct request *request, struct infer *infer);

/* The outputs of a job that is done, and what it took. */
void infer_answer(struct request *request, struct infer *infer);

#endif
