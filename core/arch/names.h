/* One naming for all files: torchvision's. Other namings (Hugging Face, CIFAR repositories,
 * ...) are rows of a table of patterns; what stands in front of all names is found by subtree.h.
 *
 * An index over the tensors, which keep the names that the file gave them: errors show those. */
#ifndef RN_ARCH_NAMES_H
#define RN_ARCH_NAMES_H

#include "formats/tensors.h"

#define RN_NAME 256 /* bytes of a name that a network's layer may have */

typedef struct {
    char *name; /* in torchvision's naming */
    rn_tensor *tensor;
} rn_name;

typedef enum { RN_NAMING_TORCHVISION, RN_NAMING_HUGGING_FACE, RN_NAMING_TIMM_V2 } rn_naming;

typedef struct {
    rn_name *entry; /* sorted by name */
    size_t count;
    rn_naming naming; /* the file's */
} rn_names;

/* Indexes the tensors whose names begin with `prefix`, which is taken off (rn_subtree_find()).
 * tensors: sorted; must outlive the index. translate false: names are taken as they are. */
rn_status rn_names_init(rn_names *names, const rn_tensors *tensors, const char *prefix,
                        bool translate, rn_error *err);

/* Gives the tensor that name of ours instead of the one it has; one outside of the index, which
 * then must be used as well, is added. */
rn_status rn_names_rename(rn_names *names, rn_tensor *tensor, const char *ours, rn_error *err);

/* Whether the name, in any naming, is ours. */
bool rn_names_is(const char *theirs, const char *ours);

/* NULL when there is none. */
rn_tensor *rn_names_find(const rn_names *names, const char *name);

/* Whether some name begins with that. */
bool rn_names_have(const rn_names *names, const char *prefix);

/* What the file would call it, into text. Returns text. */
char *rn_names_original(const rn_names *names, const char *name, char text[RN_NAME]);

void rn_names_release(rn_names *names);

#endif
