/* The limit put on instruction sets; see isa.h. */
#include "isa.h"

#include <stddef.h>
#include <string.h>

#include "resnet.h"

static const char *highest;

void isa_limit(const char *name)
{
    highest = name;
}

/* The names rise, and each includes those before it. */
bool isa_allows(const char *name)
{
    for (const char *const *isa = rn_isa_names(); *isa; isa++) {
        if (!strcmp(*isa, name)) return true;
        if (highest && !strcmp(*isa, highest)) return false;
    }
    return false;
}
