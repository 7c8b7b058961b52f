/* Origins of web pages; see origin.h. */
#include "origin.h"

#include <string.h>
#include <strings.h>

/* The length of "host:port" without a port that is its scheme's own: what proxies that end TLS pass
 * on need not have it. */
static size_t plain_length(const char *authority, const char *port)
{
    const size_t length = strlen(authority), end = strlen(port);
    return length > end && !strcmp(authority + length - end, port) ? length - end : length;
}

static bool is_own(const char *origin, const char *host)
{
    const bool tls = !strncasecmp(origin, "https://", 8);
    if (!host || (!tls && strncasecmp(origin, "http://", 7) != 0)) return false;
    const char *authority = origin + (tls ? 8 : 7), *port = tls ? ":443" : ":80";
    const size_t length = plain_length(authority, port);
    return length > 0 && length == plain_length(host, port) &&
           !strncasecmp(authority, host, length);
}

bool origin_is_foreign(const char *site, const char *origin, const char *host)
{
    /* "none": its user's own doing, as an address that was typed */
    if (site) return strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
    return origin && !is_own(origin, host);
}
