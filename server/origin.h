/* Whether a request was made by a web page of another origin, which a browser lets post anything
 * anywhere without asking (a "simple request" of CORS), only not read the answer.
 *
 * Browsers say so in Sec-Fetch-Site (W3C Fetch Metadata) and Origin (RFC 6454, section 7), which no
 * page can forge; clients that are no browsers send neither. No state: any thread. */
#ifndef SERVER_ORIGIN_H
#define SERVER_ORIGIN_H

#include <stdbool.h>

/* The values of Sec-Fetch-Site, Origin and Host; NULL: the request has no such header.
 * Sec-Fetch-Site decides where there is one. It is not sent to every address by http; then the
 * origin's host and port must be those of Host. */
bool origin_is_foreign(const char *site, const char *origin, const char *host);

#endif
