/* Mistakes are counted as Damerau and Levenshtein do ("optimal string alignment"); see nearest.h.
 */
#include "nearest.h"

#include <ctype.h>
#include <string.h>

static int letter(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t count_mistakes(const struct nearest *nearest, const char *name, size_t length)
{
    const char *word = nearest->word;
    /* For beginnings of the word: the mistakes to this and the two shorter beginnings of the name.
     */
    size_t row[3][NEAREST_LONGEST + 1];
    for (size_t i = 0; i <= nearest->length; i++) row[0][i] = i;
    for (size_t n = 1; n <= length; n++) {
        size_t *now = row[n % 3];
        const size_t *before = row[(n + 2) % 3], *earlier = row[(n + 1) % 3];
        now[0] = n;
        for (size_t i = 1; i <= nearest->length; i++) {
            const int mine = letter(word[i - 1]), other = letter(name[n - 1]);
            now[i] = least(least(before[i], now[i - 1]) + 1, before[i - 1] + (mine != other));
            if (i > 1 && n > 1 && mine == letter(name[n - 2]) && other == letter(word[i - 2]))
                now[i] = least(now[i], earlier[i - 2] + 1);
        }
    }
    return row[length % 3][nearest->length];
}

void nearest_begin(struct nearest *nearest, const char *word, size_t length)
{
    *nearest = (struct nearest){.word = word, .length = length, .mistakes = length / 3 + 1};
}

void nearest_try(struct nearest *nearest, const char *name)
{
    const size_t length = strlen(name);
    if (length > NEAREST_LONGEST || nearest->length > NEAREST_LONGEST) return;
    const size_t mistakes = count_mistakes(nearest, name, length);
    if (mistakes >= nearest->mistakes) return;
    nearest->mistakes = mistakes;
    nearest->name = name;
}
