/* What json_bench.c sees of simdjson. Both return the count of numbers, 0 on failure; the text is
 * followed by simdjson_padding() bytes. */
#ifndef TESTS_BENCH_JSON_SIMDJSON_H
#define TESTS_BENCH_JSON_SIMDJSON_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

size_t simdjson_dom(const char *text, size_t size, float *out);
size_t simdjson_ondemand(const char *text, size_t size, float *out, int nested);
size_t simdjson_padding(void);

#ifdef __cplusplus
}
#endif
#endif
