/* Which instruction sets the daemon's own loops may use: what --isa allows of what the CPU has, in
 * the names of rn_isa_names(). The engine is told with each model. */
#ifndef SERVER_ISA_H
#define SERVER_ISA_H

#include <stdbool.h>

/* The highest one to use; NULL: the best there is. The name lives on; before any thread and any
 * request: what was chosen once stays. */
void isa_limit(const char *name);
/* Any thread. */
bool isa_allows(const char *name);

#endif
