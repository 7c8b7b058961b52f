/* Requests of POST /infer?model=NAME for one image. */
#ifndef TESTS_BENCH_BODY_H
#define TESTS_BENCH_BODY_H

#include "bench/load.h"
#include "resnet.h"

/* image: info->input_size floats. The request is to be freed; no memory ends the program. */
struct load_request body_raw(const char *model, const rn_model_info *info, const float *image);
/* digits of each number: 9 tell every float32 apart; with 17 it is a double between two of them, as
 * languages without float32 write it. */
struct load_request body_json(const char *model, const rn_model_info *info, const float *image,
                              int digits);
/* The file's bytes as they are: a JPEG, or a PNG by its name. */
struct load_request body_file(const char *model, const char *path);

void body_free(struct load_request *request);

#endif
