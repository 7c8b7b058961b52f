/* The listening socket, and how it is given up without losing a client. No state: any thread. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stddef.h>

/* Listens on the first usable address of `host`; -1: `error` says why, and errno, EINVAL when the
 * host is not known. */
int listener_open(const char *host, size_t port, char *error, size_t error_size);
unsigned listener_port(int fd);

/* New clients are left without an answer from now on (they will try again, and find the socket
 * closed); returns when those whose connection was already made have been accepted by other
 * threads, or after a second. To be called before close(), which resets what still waits to be
 * accepted. */
void listener_refuse(int fd);

#endif
