/* What the vector readers of runs share. Any thread. */
#ifndef INGEST_NUMBER_X86_H
#define INGEST_NUMBER_X86_H

#include "ingest/number.h"

/* One step of number_run_avx2(): at most some two thousand bytes of text. 0: the next token is not
 * simple, or too near to the text's end. */
number_run_fn number_window_avx2;

#endif
