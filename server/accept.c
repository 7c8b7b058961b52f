/* Content negotiation; see accept.h. */
#include "accept.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { WHOLE = 1000, LEAST = 1 };

/* One element of the list: "text/html;level=1;q=0.5". */
struct element {
    const char *name;
    size_t length; /* of the name */
    int q;         /* thousandths, 0 to WHOLE */
};

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t");
}

/* "0", "0.25", "1.000", and what clients write for them: ".2", "1.", more digits, quotes. A weight
 * that is none of these leaves the element the least one: it was named, so it is not refused. */
static int read_q(const char *at)
{
    at = skip_space(at);
    const bool quoted = *at == '"';
    at += quoted;
    const size_t units = strspn(at, "0123456789"), zeros = strspn(at, "0");
    const bool point = at[units] == '.';
    const char *decimals = at + units + point;
    const size_t places = point ? strspn(decimals, "0123456789") : 0;
    const char *end = decimals + places;
    if (units + places == 0) return LEAST;
    end = skip_space(end + (quoted && *end == '"'));
    if (*end && !strchr(",;", *end)) return LEAST;
    if (zeros < units) return WHOLE; /* 1, or more than that */
    int q = 0;
    for (size_t i = 0; i < 3; i++) q = 10 * q + (i < places ? decimals[i] - '0' : 0);
    return q || strspn(decimals, "0") >= places ? q : LEAST;
}

/* The end of what one of `stops` ends, strings in quotes skipped. A quote without its second is a
 * letter like others. */
static const char *skip_to(const char *at, const char *stops)
{
    while (*at && !strchr(stops, *at)) {
        if (*at++ != '"') continue;
        const char *end = at;
        while (*end && *end != '"') end += *end == '\\' && end[1] ? 2 : 1;
        if (*end) at = end + 1;
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
    *element = (struct element){at, trimmed(at, end), WHOLE};
    while (*end == ';') {
        const char *name = skip_space(end + 1), *equals = skip_space(name + (*name != '\0'));
        if ((*name == 'q' || *name == 'Q') && *equals == '=') element->q = read_q(equals + 1);
        end = skip_to(name, ",;");
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
    if (is_name(element, "*/*") || is_name(element, "*")) return 1; /* the latter: Java */
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
        if (exact <= best) continue;
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
        const bool old = element.length > 2 && !strncasecmp(element.name, "x-", 2);
        const struct element plain = {element.name + 2, element.length - 2, element.q};
        if (is_name(&element, name) || (old && is_name(&plain, name))) return element.q;
        if (is_name(&element, "*")) q = element.q;
    }
    return q;
}
