/* `resnetd healthcheck`: for containers, which have no curl. Asks the daemon on this machine for
 * its readiness; success when it answers 200. The port is the one the daemon itself was given, so
 * that a HEALTHCHECK line holds whatever PORT is. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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
static void read_environment_port(const struct cmd *self, char text[8])
{
    const char *const nothing[] = {self->name, NULL};
    struct options options;
    struct options_error error;
    if (!options_read(&options, 1, (char **)(uintptr_t)nothing, environ, &error))
        cmd_die(self->name, error.exit_code, "%s", error.text);
    for (size_t i = 0; i < options.warnings.count; i++)
        fprintf(stderr, "resnetd %s: %s\n", self->name, options.warnings.item[i]);
    snprintf(text, 8, "%zu", options.port);
    options_free(&options);
}

static in_port_t port_number(const struct cmd *self, const char *text)
{
    char *end;
    const unsigned long port = strtoul(text, &end, 10);
    if (*end || port < 1 || port > 65535)
        cmd_die(self->name, EX_USAGE, "port %s: want a whole number, 1 to 65535", text);
    return htons((in_port_t)port);
}

static int connect_to(const struct cmd *self, in_port_t port, size_t seconds)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = (time_t)seconds};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) ||
        connect(fd, (const struct sockaddr *)&to, sizeof to))
        cmd_die(self->name, EXIT_FAILURE, "port %u: %s", ntohs(port), strerror(errno));
    return fd;
}

int cmd_healthcheck(const struct cmd *self, int argc, char **argv)
{
    char configured[8];
    const char *port = NULL, *path = "/v2/health/ready";
    size_t seconds = 5;
    const struct cmd_option rows[] = {
        {"port", "PORT", CMD_TEXT, &port, 0, 0,
         "default: the daemon's: RESNETD_PORT, PORT, the file of RESNETD_CONFIG, else 8080"},
        {"path", "PATH", CMD_TEXT, &path, 0, 0, "what to ask for, default /v2/health/ready"},
        {"timeout", "S", CMD_SIZE, &seconds, 1, 3600, "seconds to wait, default 5"},
    };
    cmd_parse(self, argc, argv, rows, sizeof rows / sizeof *rows, 0);
    if (!port) {
        read_environment_port(self, configured);
        port = configured;
    }

    const int fd = connect_to(self, port_number(self, port), seconds);
    char line[64] = "";
    dprintf(fd, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    const ssize_t got = recv(fd, line, sizeof line - 1, MSG_WAITALL);
    close(fd);
    if (got > 0) line[strcspn(line, "\r\n")] = 0;
    if (!strncmp(line, "HTTP/1.1 200 ", 13)) return EXIT_SUCCESS;
    cmd_die(self->name, EXIT_FAILURE, "%s: %s", path, *line ? line : "no answer");
}
