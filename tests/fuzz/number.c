/* Any bytes as numbers: what is read equals strtod() rounded to float32, wherever the text is
 * split, and the readers of tokens and of runs agree with the one by bytes. */
#include "ingest/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* The number at the beginning, in two pieces; returns its bytes, 0 when there is none. */
static size_t push(const char *text, size_t size, size_t split, float *out)
{
    struct number number = {0};
    const char *at = number_push(&number, text, text + split);
    if (at == text + split) at = number_push(&number, at, text + size);
    if (!number_complete(&number)) return 0;
    *out = number_value(&number);
    return (size_t)(at - text);
}

static void check_token(const char *text, size_t size, size_t split)
{
    char token[MOST + 1];
    float value = 0, again = 0, scanned = 0;
    const size_t length = push(text, size, 0, &value);
    must(push(text, size, split, &again) == length && same(value, again));
    const char *end = number_scan(text, text + size, &scanned);
    must(!end || (length == (size_t)(end - text) && same(value, scanned)));
    if (length == 0) return;
    memcpy(token, text, length);
    token[length] = '\0';
    must(same(value, (float)strtod(token, NULL)));
}

/* All implementations take the same numbers where each takes them. */
static void check_runs(const char *text, size_t size)
{
    static float plain[MOST], other[MOST];
    struct number_text at = {text, text, text + size};
    const size_t count = number_run_plain(&at, plain, MOST);
    for (const struct number_impl *impl = number_impls; impl->name; impl++) {
        if (!impl->available()) continue;
        struct number_text mine = {text, text, text + size};
        const size_t read = impl->run(&mine, other, MOST);
        for (size_t i = 0; i < read && i < count; i++) must(same(plain[i], other[i]));
        must(read == 0 || mine.at[-1] == ',');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1 || size > MOST) return 0;
    char *text = malloc(size - 1 ? size - 1 : 1);
    if (!text) abort();
    memcpy(text, bytes + 1, size - 1);
    check_token(text, size - 1, bytes[0] % size);
    check_runs(text, size - 1);
    free(text);
    return 0;
}
