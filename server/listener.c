/* The listening socket; see listener.h. */
#include "listener.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

enum { BACKLOG = 1024 };

static int open_address(const struct addrinfo *address)
{
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int yes = 1;
    if (fd < 0) return -1;
    if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) &&
        !bind(fd, address->ai_addr, address->ai_addrlen) && !listen(fd, BACKLOG))
        return fd;
    const int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int listener_open(const char *host, size_t port, char *error, size_t error_size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list;
    char service[16];
    snprintf(service, sizeof service, "%zu", port);
    const int failed = getaddrinfo(host, service, &hints, &list);
    if (failed) {
        snprintf(error, error_size, "--host %.100s: %s", host, gai_strerror(failed));
        if (failed != EAI_SYSTEM) errno = failed == EAI_MEMORY ? ENOMEM : EINVAL;
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) fd = open_address(a);
    if (fd < 0) snprintf(error, error_size, "%.100s port %zu: %s", host, port, strerror(errno));
    const int reason = errno;
    freeaddrinfo(list);
    errno = reason;
    return fd;
}

unsigned listener_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    in_port_t port = 0;
    if (getsockname(fd, (struct sockaddr *)&address, &size)) return 0;
    const void *bytes = &address;
    if (address.ss_family == AF_INET) port = ((const struct sockaddr_in *)bytes)->sin_port;
    if (address.ss_family == AF_INET6) port = ((const struct sockaddr_in6 *)bytes)->sin6_port;
    return ntohs(port);
}

/* A filter that drops the first packet of a new connection and lets all others pass: byte 13 of the
 * TCP header has the flags; SYN without ACK is such a packet. Where the kernel takes no filter, a
 * client that connects at the very end is reset, as with any other server. */
static void drop_new_clients(int fd)
{
    enum { FLAGS = 13, SYN = 0x02, SYN_AND_ACK = 0x12 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN_AND_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0x7fffffff),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/* Connections made by the kernel and not accepted yet; on a listening socket this field counts
 * them. */
static size_t waiting_clients(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) ? 0 : info.tcpi_unacked;
}

void listener_refuse(int fd)
{
    const uint64_t handshake = 20 * NS_PER_MS; /* for clients that are half way in */
    const uint64_t begin = clock_ns();
    drop_new_clients(fd);
    clock_sleep(handshake);
    while (waiting_clients(fd) && clock_ns() - begin < NS_PER_SECOND) clock_sleep(NS_PER_MS);
}
