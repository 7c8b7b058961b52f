/* A small HTTP client for tests, blocking, on 127.0.0.1: whole requests, or bytes as they are
 * given. It asserts nothing, so that any thread may use it. */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct response {
    int status;  /* 0: no answer came */
    char *head;  /* status line and headers, owns the memory of all */
    char *body;  /* NUL-terminated */
    size_t size; /* of the body */
    bool close;  /* the connection ends here */
};

/* A connected socket, which gives up after 120 seconds without a byte; -1: refused. */
int client_open(unsigned port);
bool client_send(int fd, const void *bytes, size_t size);
/* Sends a request that keeps the connection. headers: "Name: value\r\n"..., may be "". */
bool client_send_request(int fd, const char *method, const char *target, const char *headers,
                         const void *body, size_t size);
/* Reads one answer; status 0 when none came. To be freed. */
struct response client_receive(int fd);
/* All of it in a connection of its own. */
struct response client_ask(unsigned port, const char *method, const char *target,
                           const char *headers, const void *body, size_t size);
struct response client_get(unsigned port, const char *target);
struct response client_post_json(unsigned port, const char *target, const char *json);

/* The header's value, cut to the size; false: there is none. */
bool response_header(const struct response *response, const char *name, char *value, size_t size);
void response_free(struct response *response);

#endif
