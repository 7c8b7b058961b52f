/* The handlers that routes.def names: one file of this folder for each group. */
#ifndef SERVER_API_API_H
#define SERVER_API_API_H

#include "request.h"

#define ROUTE(method, template, function, ...) extern const struct handler api_##function;
#include "routes.def"
#undef ROUTE

struct model;

/* Why the daemon, or the model alone, takes no requests now; NULL: it does. */
const char *api_not_ready(const struct request *request);
const char *api_model_not_ready(const struct request *request, const struct model *model);

/* The model that the path's {model} and {version} name, retained; NULL: answered with 404. */
struct model *api_model_of_path(struct request *request);

/* Starts an answer of 200 in JSON: its text goes to the buffer. It is sent as it is: NVIDIA's
 * asyncio client asks for compressed answers everywhere, and can read them from infer alone. */
struct buffer *api_begin_json(struct request *request);

#endif
