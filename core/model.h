/* The model: everything that is made at load and never changes after that. */
#ifndef RN_MODEL_H
#define RN_MODEL_H

#include <stdatomic.h>

#include "arch/arch.h"
#include "formats/tensors.h"
#include "graph/graph.h"
#include "plan/plan.h"
#include "resnet.h"

struct rn_model {
    atomic_size_t references;
    rn_tensors tensors; /* empty once the plan has packed the weights */
    rn_graph graph;
    rn_arch arch;
    rn_plan plan;
    rn_model_info info;
    char digest[65];
};

#endif
