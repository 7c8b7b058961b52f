/* A small HTTP client for tests; see client.h. */
#include "client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int client_open(unsigned port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((in_port_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = 120};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (!connect(fd, (const struct sockaddr *)&address, sizeof address)) return fd;
    close(fd);
    return -1;
}

bool client_send(int fd, const void *bytes, size_t size)
{
    for (const char *at = bytes; size;) {
        const ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool client_send_request(int fd, const char *method, const char *target, const char *headers,
                         const void *body, size_t size)
{
    char head[2048];
    const int length =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: test\r\n%sContent-Length: %zu\r\n\r\n",
                 method, target, headers, size);
    return length > 0 && (size_t)length < sizeof head && client_send(fd, head, (size_t)length) &&
           client_send(fd, body, size);
}

/* Receives until *size holds at least `want` bytes, or the end; grows the memory. */
static char *receive(int fd, char *bytes, size_t *size, size_t want)
{
    while (*size < want) {
        char *more = realloc(bytes, want + 1);
        if (!more) break;
        bytes = more;
        const ssize_t got = recv(fd, bytes + *size, want - *size, 0);
        if (got < 0 && errno == EINTR) continue; /* a process that was stopped for a while */
        if (got <= 0) break;
        *size += (size_t)got;
    }
    if (bytes) bytes[*size] = '\0';
    return bytes;
}

struct response client_receive(int fd)
{
    struct response response = {0};
    char *bytes = NULL, *end = NULL, value[32];
    size_t size = 0;
    do { /* byte by byte: what follows belongs to the next answer */
        const size_t before = size;
        bytes = receive(fd, bytes, &size, size + 1);
        if (size == before) break;
        end = size >= 4 ? bytes + size - 4 : NULL;
    } while (!end || memcmp(end, "\r\n\r\n", 4));
    response.head = bytes;
    if (!end || memcmp(end, "\r\n\r\n", 4) || strncmp(bytes, "HTTP/1.1 ", 9)) return response;
    const int status = (int)strtol(bytes + 9, NULL, 10);
    if (status == 100) { /* the answer proper follows */
        free(bytes);
        return client_receive(fd);
    }
    const bool sized = response_header(&response, "Content-Length", value, sizeof value);
    const size_t body = sized ? strtoul(value, NULL, 10) : 0, head = size;
    bytes = receive(fd, bytes, &size, head + body);
    response.head = bytes;
    if (size != head + body) return response;
    response.status = status;
    response.size = body;
    response.close = response_header(&response, "Connection", value, sizeof value) &&
                     !strcasecmp(value, "close");
    response.body = bytes + head;
    return response;
}

struct response client_ask(unsigned port, const char *method, const char *target,
                           const char *headers, const void *body, size_t size)
{
    struct response response = {0};
    const int fd = client_open(port);
    if (fd < 0) return response;
    client_send_request(fd, method, target, headers, body, size);
    response = client_receive(fd);
    close(fd);
    return response;
}

struct response client_get(unsigned port, const char *target)
{
    return client_ask(port, "GET", target, "", "", 0);
}

struct response client_post_json(unsigned port, const char *target, const char *json)
{
    return client_ask(port, "POST", target, "Content-Type: application/json\r\n", json,
                      strlen(json));
}

bool response_header(const struct response *response, const char *name, char *value, size_t size)
{
    const size_t length = strlen(name);
    for (const char *line = response->head; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, length) || line[length] != ':') continue;
        line += length + 1 + strspn(line + length + 1, " ");
        snprintf(value, size, "%.*s", (int)strcspn(line, "\r\n"), line);
        return true;
    }
    return false;
}

void response_free(struct response *response)
{
    free(response->head);
    *response = (struct response){0};
}
