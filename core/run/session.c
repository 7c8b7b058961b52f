/* A session: arenas, scratch and a thread team for one caller.
 *
 * A batch is run in two ways. As long as there are as many images as threads, each thread takes
 * images of its own through all layers, a sub-batch at a time, with an arena of its own: no thread
 * waits for another between layers. What is left over goes through with the whole team splitting
 * each layer. */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "model.h"
#include "run/exec.h"
#include "run/team.h"

#define SUB_BATCH ((size_t)4)

struct rn_session {
    rn_model *model;
    rn_team *team;
    size_t threads;
    rn_arena *arena; /* one per thread; the first also serves the whole team */
    double *seconds; /* per step, of the calling thread; NULL without profile */
    rn_session_options opt;
    size_t bytes;
};

/* One thread's arena. The scratch of the first must do for the team and for the thread alone. */
static rn_status new_arena(rn_session *s, rn_arena *arena, size_t images, size_t threads,
                           rn_error *err)
{
    const rn_plan *plan = &s->model->plan;
    size_t floats, scratch = rn_plan_scratch(plan, images, threads);
    if (threads > 1) scratch = rn_max(scratch, rn_plan_scratch(plan, images, 1));
    if (!rn_size_mul(plan->arena_size, images, &floats)) return rn_fail_memory(err, SIZE_MAX);
    arena->samples = images;
    arena->values = rn_alloc(floats, sizeof(float), err);
    arena->scratch = rn_alloc(scratch, sizeof(float), err);
    if (!arena->values || !arena->scratch) return RN_ERR_MEMORY;
    s->bytes += (floats + scratch) * sizeof(float);
    return RN_OK;
}

static rn_status set_up(rn_session *s, rn_error *err)
{
    const size_t images = s->opt.sub_batch ? s->opt.sub_batch : SUB_BATCH;
    rn_status status = rn_team_new(&s->team, s->threads, s->opt.pin, err);
    if (status != RN_OK) return status;
    s->arena = rn_alloc_zero(s->threads, sizeof *s->arena, err);
    if (!s->arena) return RN_ERR_MEMORY;
    for (size_t i = 0; status == RN_OK && i < s->threads; i++)
        status = new_arena(s, &s->arena[i], images, i == 0 ? s->threads : 1, err);
    if (status != RN_OK || !s->opt.profile) return status;
    s->seconds = rn_alloc_zero(s->model->plan.count, sizeof *s->seconds, err);
    return s->seconds ? RN_OK : RN_ERR_MEMORY;
}

rn_status rn_session_new(rn_session **out, rn_model *model, const rn_session_options *opt,
                         rn_error *err)
{
    rn_session *s = rn_alloc_zero(1, sizeof *s, err);
    if (!s) return RN_ERR_MEMORY;
    s->model = rn_model_retain(model);
    if (opt) s->opt = *opt;
    s->threads = rn_max(s->opt.threads, 1);
    const rn_status status = set_up(s, err);
    if (status == RN_OK)
        *out = s;
    else
        rn_session_free(s);
    return status;
}

/* One run of a batch, shared by the threads. */
typedef struct {
    rn_session *session;
    const float *images;
    float *outputs;
    size_t each; /* images that each thread takes */
    atomic_bool cancelled;
} batch;

/* Images [first, first + count) of the batch, through one arena. */
static void run_images(batch *b, size_t first, size_t count, rn_arena *arena, rn_team *team)
{
    const rn_session *s = b->session;
    rn_pass pass = {
        .plan = &s->model->plan,
        .team = team,
        .seconds = arena == &s->arena[0] ? s->seconds : NULL,
        .cancelled = s->opt.cancelled,
        .context = s->opt.context,
    };
    for (size_t done = 0; done < count && !atomic_load(&b->cancelled); done += pass.n) {
        const float *const in = b->images + (first + done) * s->model->info.input_size;
        float *const out = b->outputs + (first + done) * s->model->info.output_size;
        pass.n = rn_min(count - done, arena->samples);
        pass.in = &in;
        pass.out = &out;
        if (!rn_exec(&pass, arena)) atomic_store(&b->cancelled, true);
    }
}

/* task: the images of one arena. Which thread works on it does not matter. */
static void run_share(void *context, size_t task, size_t thread)
{
    (void)thread;
    batch *b = context;
    run_images(b, task * b->each, b->each, &b->session->arena[task], NULL);
}

rn_status rn_session_run(rn_session *session, const float *images, size_t n, float *outputs,
                         rn_error *err)
{
    if (n == 0) return rn_fail(err, RN_ERR_ARGUMENT, "a batch of no images");
    batch b = {.session = session, .images = images, .outputs = outputs};
    b.each = session->threads > 1 ? n / session->threads : 0;
    const size_t shared = b.each * session->threads;
    if (shared) rn_team_for(session->team, session->threads, run_share, &b);
    run_images(&b, shared, n - shared, &session->arena[0], session->team);
    if (atomic_load(&b.cancelled)) return rn_fail(err, RN_ERR_CANCELLED, "cancelled");
    return RN_OK;
}

void rn_session_profile(rn_session *session, double *seconds)
{
    const size_t bytes = session->model->plan.count * sizeof *seconds;
    memset(seconds, 0, bytes);
    if (!session->seconds) return;
    memcpy(seconds, session->seconds, bytes);
    memset(session->seconds, 0, bytes);
}

size_t rn_session_bytes(const rn_session *session)
{
    return session->bytes;
}

void rn_session_free(rn_session *session)
{
    if (!session) return;
    for (size_t i = 0; session->arena && i < session->threads; i++) {
        rn_free(session->arena[i].values);
        rn_free(session->arena[i].scratch);
    }
    rn_team_free(session->team);
    rn_free(session->arena);
    rn_free(session->seconds);
    rn_model_release(session->model);
    rn_free(session);
}
