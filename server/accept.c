/* Content negotiation; see accept.h. */
#include "accept.h"

#include <string.h>
#include <strings.h>

/* One element of the list: "text/html;level=1;q=0.5". */
struct element {
    const char *name;
    size_t length; /* of the name */
    int q;         /* thousandths; -1: not to be read */
};

/* "0", "0.25", "1.000"; -1: anything else. */
static int read_q(const char *text, size_t length)
{
    int q = 0, unit = 1000;
    if (length < 1 || length > 5 || (*text != '0' && *text != '1')) return -1;
    if (length > 1 && text[1] != '.') return -1;
    for (size_t i = 0; i < length; i++) {
        if (i == 1) continue;
        if (text[i] < '0' || text[i] > '9') return -1;
        q += (text[i] - '0') * unit;
        unit /= 10;
    }
    return q > 1000 ? -1 : q;
}

/* The end of what one of `stops` ends, strings in quotes skipped. */
static const char *skip_to(const char *at, const char *stops)
{
    while (*at && !strchr(stops, *at)) {
        if (*at++ != '"') continue;
        while (*at && *at != '"') at += *at == '\\' && at[1] ? 2 : 1;
        at += *at == '"';
    }
    return at;
}

static size_t trimmed(const char *text, const char *end)
{
    while (end > text && strchr(" \t", end[-1])) end--;
    return (size_t)(end - text);
}

/* Reads the element at `at`; the place behind it, NULL: there is none. */
static const char *next_element(const char *at, struct element *element)
{
    at += strspn(at, ", \t");
    if (!*at) return NULL;
    const char *end = skip_to(at, ",;");
    *element = (struct element){at, trimmed(at, end), 1000};
    while (*end == ';') {
        const char *parameter = end + 1 + strspn(end + 1, " \t");
        end = skip_to(parameter, ",;");
        if (strncasecmp(parameter, "q=", 2) == 0)
            element->q = read_q(parameter + 2, trimmed(parameter + 2, end));
    }
    return end;
}

static int is_name(const struct element *element, const char *name)
{
    return element->length == strlen(name) && !strncasecmp(element->name, name, element->length);
}

/* How exactly the element means the type: 0 not at all, 1 as all types are meant, 2 as all of its
 * family ("image" and a star), 3 by its name. */
static int match(const struct element *element, const char *type)
{
    const size_t family = strcspn(type, "/") + 1;
    if (is_name(element, type)) return 3;
    if (is_name(element, "*/*")) return 1;
    return element->length == family + 1 && element->name[family] == '*' &&
                   !strncasecmp(element->name, type, family)
               ? 2
               : 0;
}

static int type_q(const char *header, const char *type)
{
    struct element element;
    int q = 0, best = 0;
    for (const char *at = header; (at = next_element(at, &element));) {
        const int exact = match(&element, type);
        if (element.q < 0 || exact <= best) continue;
        best = exact;
        q = element.q;
    }
    return q;
}

int accept_type(const char *header, const char *const *offers, size_t count)
{
    int best = ACCEPT_NONE, best_q = 0;
    if (!header || !header[strspn(header, ", \t")]) return 0;
    for (size_t i = 0; i < count; i++) {
        const int q = type_q(header, offers[i]);
        if (q <= best_q) continue;
        best = (int)i;
        best_q = q;
    }
    return best;
}

int accept_encoding_q(const char *header, const char *name, int absent)
{
    struct element element;
    int q = absent;
    for (const char *at = header ? header : ""; (at = next_element(at, &element));) {
        if (element.q < 0) continue;
        if (is_name(&element, name)) return element.q;
        if (is_name(&element, "*")) q = element.q;
    }
    return q;
}
