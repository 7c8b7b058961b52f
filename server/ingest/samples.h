/* Whether a tensor fits a model, and how many samples it has. No state: any thread. */
#ifndef SERVER_INGEST_SAMPLES_H
#define SERVER_INGEST_SAMPLES_H

#include "ingest/ingest.h"
#include "resnet.h"

enum { SAMPLES_ERROR_SIZE = 480 };

/* The samples of a request's tensor, whose dimensions must be those of the model as its layout
 * says. 0: they are not; `error` then has the place, both shapes and the model's name. */
size_t tensor_samples(const struct ingest_result *request, const rn_model_info *info,
                      const char *name, char error[SAMPLES_ERROR_SIZE]);

#endif
