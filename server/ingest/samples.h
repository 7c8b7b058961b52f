/* Whether a tensor fits a model, and how many samples it has. No state: any thread. */
#ifndef SERVER_INGEST_SAMPLES_H
#define SERVER_INGEST_SAMPLES_H

#include "ingest/ingest.h"
#include "resnet.h"

/* Accepts N x C x H x W, C x H x W (one sample), and N x (C * H * W) where `flat` says that the
 * form has no shape of its own. 0: none of these; `error` then has the two shapes and the model's
 * name. */
size_t tensor_samples(const struct tensor *tensor, const rn_model_info *info, const char *name,
                      bool flat, char error[240]);

#endif
