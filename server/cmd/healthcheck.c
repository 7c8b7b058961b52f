/* `resnetd healthcheck`: for containers, which have no curl. Asks the daemon on this machine for
 * its readiness; success when it answers 200. Host and port are those that the daemon itself was
 * given, so that a HEALTHCHECK line holds whatever PORT is. */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "options.h"

/* What the daemon finds in the same environment, and what it says about it. */
static void read_environment(const struct cmd *self, char port[8], char host[256])
{
    const char *const nothing[] = {self->name, NULL};
    struct options options;
    struct options_error error;
    if (!options_read(&options, 1, (char **)(uintptr_t)nothing, environ, &error))
        cmd_die(self->name, error.exit_code, "%s", error.text);
    for (size_t i = 0; i < options.warnings.count; i++)
        fprintf(stderr, "resnetd %s: %s\n", self->name, options.warnings.item[i]);
    snprintf(port, 8, "%zu", options.port);
    snprintf(host, 256, "%s", options.host);
    options_free(&options);
}

static void check_port(const struct cmd *self, const char *text)
{
    char *end;
    const unsigned long port = strtoul(text, &end, 10);
    if (*end || port < 1 || port > 65535)
        cmd_die(self->name, EX_USAGE, "port %s: want a whole number, 1 to 65535", text);
}

/* -1: errno says why. */
static int connect_address(const struct addrinfo *address, size_t seconds)
{
    const struct timeval limit = {.tv_sec = (time_t)seconds};
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) &&
        !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) &&
        !connect(fd, address->ai_addr, address->ai_addrlen))
        return fd;
    const int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int connect_host(const struct cmd *self, const char *host, const char *port, size_t seconds)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    const int failed = getaddrinfo(host, port, &hints, &list);
    if (failed) cmd_die(self->name, EXIT_FAILURE, "host %s: %s", host, gai_strerror(failed));
    int fd = -1;
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        fd = connect_address(a, seconds);
    freeaddrinfo(list);
    return fd;
}

/* A daemon that listens on all addresses is reached on the loopback of either family; so is one
 * whose address is only told on its own command line. */
static int connect_to(const struct cmd *self, const char *host, const char *port, size_t seconds)
{
    static const char *const any[] = {"127.0.0.1", "0.0.0.0", "::", "[::]", "localhost"};
    char name[256];
    int fd = -1;
    bool loopback = false;
    for (size_t i = 0; i < sizeof any / sizeof *any; i++) loopback |= !strcmp(host, any[i]);
    snprintf(name, sizeof name, "%s", *host == '[' ? host + 1 : host); /* as in a URL */
    if (*host == '[') name[strcspn(name, "]")] = '\0';
    fd = connect_host(self, loopback ? "127.0.0.1" : name, port, seconds);
    if (fd >= 0) return fd;
    const int reason = errno;
    if (loopback) fd = connect_host(self, "::1", port, seconds);
    if (fd < 0) cmd_die(self->name, EXIT_FAILURE, "%s port %s: %s", host, port, strerror(reason));
    return fd;
}

int cmd_healthcheck(const struct cmd *self, int argc, char **argv)
{
    char configured_port[8], configured_host[256];
    const char *port = NULL, *host = NULL, *path = "/v2/health/ready";
    size_t seconds = 5;
    const struct cmd_option rows[] = {
        {"port", "PORT", CMD_TEXT, &port, 0, 0,
         "default: the daemon's: RESNETD_PORT, PORT, the file of RESNETD_CONFIG, else 8080"},
        {"host", "ADDRESS", CMD_TEXT, &host, 0, 0,
         "default: the daemon's: RESNETD_HOST, the file of RESNETD_CONFIG, else this machine's "
         "loopback"},
        {"path", "PATH", CMD_TEXT, &path, 0, 0, "what to ask for, default /v2/health/ready"},
        {"timeout", "S", CMD_SIZE, &seconds, 1, 3600, "seconds to wait, default 5"},
    };
    cmd_parse(self, argc, argv, rows, sizeof rows / sizeof *rows, 0);
    if (!port || !host) read_environment(self, configured_port, configured_host);
    if (!port) port = configured_port;
    if (!host) host = configured_host;
    check_port(self, port);

    const int fd = connect_to(self, host, port, seconds);
    char line[64] = "";
    dprintf(fd, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    const ssize_t got = recv(fd, line, sizeof line - 1, MSG_WAITALL);
    close(fd);
    if (got > 0) line[strcspn(line, "\r\n")] = 0;
    if (!strncmp(line, "HTTP/1.1 200 ", 13)) return EXIT_SUCCESS;
    cmd_die(self->name, EXIT_FAILURE, "%s: %s", path, *line ? line : "no answer");
}
