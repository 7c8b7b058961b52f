/* What `resnetd bench` and its worker share: a session, a full batch of images, and the time of one
 * pass over it. */
#ifndef SERVER_CMD_BENCH_H
#define SERVER_CMD_BENCH_H

#include "cmd/cmd.h"

struct bench {
    const char *name; /* of the model, as the command line has it */
    struct cmd_model_options options;
    rn_model *model;
    const rn_model_info *info;
    rn_session *session;
    size_t batch, threads;
    float *images, *outputs; /* batch * info->input_size, batch * info->output_size */
};

/* One forward pass over the batch, in seconds. Exits when it fails. */
double bench_pass(struct bench *bench);

/* For a benchmark that lets several systems take turns. Fills the batch with the samples of the
 * .npy file `input` (NULL: leaves it as it is), runs it once, and prints ready DIFFERENCE the
 * largest difference from the .npy file `expect`, relative to its largest magnitude ("-" without
 * that file). Then, for each line K on stdin, runs K passes and prints their K times in seconds on
 * one line. Returns the exit code. */
int bench_worker(struct bench *bench, const char *input, const char *expect);

/* --load: times `rounds` processes of the same model and options, with --first, from their start to
 * their first answer, and prints the median. Returns the exit code. */
int bench_load(const struct bench *bench, size_t rounds, bool json);

/* --first: one pass, then a line for bench_load(). */
int bench_first(struct bench *bench, double load_seconds);

#endif
