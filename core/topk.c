/* The best classes of an answer: rn_top_k() of resnet.h. */
#include <math.h>

#include "base/size.h"
#include "resnet.h"

/* Whether class a stands before class b: larger first, then the lower class. NaN stands last. */
static bool before(const float *logits, size_t a, size_t b)
{
    if (logits[a] > logits[b]) return true;
    if (isnan(logits[b]) && !isnan(logits[a])) return true;
    return a < b && logits[a] == logits[b];
}

size_t rn_top_k(const float *logits, size_t classes, size_t k, size_t *cls, float *score)
{
    const size_t count = rn_min(k, classes);
    size_t held = 0; /* cls[0 .. held) is sorted: insert each class that beats the last */
    for (size_t c = 0; c < classes && count; c++) {
        if (held == count && !before(logits, c, cls[held - 1])) continue;
        size_t at = held < count ? held++ : held - 1;
        for (; at > 0 && before(logits, c, cls[at - 1]); at--) cls[at] = cls[at - 1];
        cls[at] = c;
    }
    if (!count) return 0;
    const double most = (double)logits[cls[0]];
    double sum = 0;
    for (size_t c = 0; c < classes; c++) sum += exp((double)logits[c] - most);
    for (size_t i = 0; i < count; i++) score[i] = (float)(exp((double)logits[cls[i]] - most) / sum);
    return count;
}
