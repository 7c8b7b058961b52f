#include "bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/tool.h"

enum { HEAD_MAX = 4096, EVENTS = 64 };

struct client {
    int fd;
    bool busy;
    double due; /* when the request that is under way should have been sent */
    const struct load_request *request;
    size_t sent, made;       /* made: requests on this connection */
    char head[HEAD_MAX + 1]; /* the answer's head, and what came with it */
    size_t head_size;
    unsigned status;
    size_t body_left; /* of the answer, once its head is complete */
    bool head_done;
};

struct run {
    const struct load *load;
    struct client *client;
    int epoll;
    double began, end;
    size_t started; /* requests */
    double *latency;
    size_t latencies, capacity;
    struct load_result *result;
};

static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

static void watch(struct run *run, size_t index, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = index};
    epoll_ctl(run->epoll, operation, run->client[index].fd, &event);
}

static bool open_client(struct run *run, size_t index)
{
    struct client *c = &run->client[index];
    c->fd = connect_to(run->load->port);
    c->busy = false;
    c->made = 0;
    if (c->fd < 0) return false;
    watch(run, index, EPOLL_CTL_ADD, 0);
    return true;
}

/* Sends what the socket takes; asks to be called again for the rest. */
static bool send_more(struct run *run, size_t index)
{
    struct client *c = &run->client[index];
    const struct load_request *request = c->request;
    while (c->sent < request->size) {
        const ssize_t n = send(c->fd, request->bytes + c->sent, request->size - c->sent,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (n < 0) break;
        c->sent += (size_t)n;
    }
    const bool all = c->sent == request->size;
    watch(run, index, EPOLL_CTL_MOD, all ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return true;
}

static bool begin_request(struct run *run, size_t index, double due)
{
    struct client *c = &run->client[index];
    c->busy = true;
    c->due = due;
    c->request = &run->load->request[run->started++ % run->load->requests];
    c->made++;
    c->sent = c->head_size = c->body_left = 0;
    c->head_done = false;
    return send_more(run, index);
}

/* Reads status and length once the head is complete; false: no HTTP answer. */
static bool parse_head(struct client *c)
{
    c->head[c->head_size] = '\0';
    const char *end = strstr(c->head, "\r\n\r\n");
    if (!end) return c->head_size < HEAD_MAX;
    const char *length = strcasestr(c->head, "\r\ncontent-length:");
    if (strncmp(c->head, "HTTP/1.1 ", 9) != 0 || !length || length > end) return false;
    c->status = (unsigned)strtoul(c->head + 9, NULL, 10);
    const size_t body = strtoul(length + 17, NULL, 10);
    const size_t got = c->head_size - (size_t)(end + 4 - c->head);
    if (got > body) return false;
    c->body_left = body - got;
    c->head_done = true;
    return true;
}

/* Takes what has arrived. *complete: the whole answer is there. */
static bool receive_more(struct client *c, bool *complete)
{
    char waste[16384];
    for (*complete = false;;) {
        char *to = c->head_done ? waste : c->head + c->head_size;
        const size_t room = c->head_done ? sizeof waste : HEAD_MAX - c->head_size;
        const ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        if (n == 0) return false;
        if (c->head_done) {
            if ((size_t)n > c->body_left) return false;
            c->body_left -= (size_t)n;
        } else {
            c->head_size += (size_t)n;
            if (!parse_head(c)) return false;
        }
        if (c->head_done && c->body_left == 0) {
            *complete = true;
            return true;
        }
    }
}

static void record(struct run *run, const struct client *c)
{
    const double at = rn_clock_seconds();
    run->result->seconds = at - run->began;
    if (c->status == 429 || c->status == 503) {
        run->result->refused++;
    } else if (c->status != 200) {
        run->result->failed++;
    } else {
        run->result->answers++;
        if (run->latencies < run->capacity) run->latency[run->latencies++] = (at - c->due) * 1e3;
    }
}

static bool is_over(const struct run *run, double at)
{
    return at >= run->end && (run->load->rate > 0 || run->started >= run->load->least);
}

/* The next request of an idle client, if one is due. */
static bool next_request(struct run *run, size_t index)
{
    const double at = rn_clock_seconds();
    if (is_over(run, at)) return true;
    if (run->load->rate <= 0) return begin_request(run, index, at);
    const double due = run->began + (double)run->started / run->load->rate;
    return due > at || due >= run->end || begin_request(run, index, due);
}

static bool reconnect(struct run *run, size_t index)
{
    close(run->client[index].fd);
    return open_client(run, index);
}

static bool replace(struct run *run, size_t index)
{
    run->result->failed++;
    return reconnect(run, index) && next_request(run, index);
}

static bool handle(struct run *run, size_t index, uint32_t events)
{
    struct client *c = &run->client[index];
    bool complete = false;
    bool healthy = !(events & EPOLLOUT) || send_more(run, index);
    if (healthy && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) healthy = receive_more(c, &complete);
    if (!healthy) return replace(run, index);
    if (!complete) return true;
    c->busy = false;
    record(run, c);
    const size_t most = run->load->per_connection;
    if (most && c->made >= most && !reconnect(run, index)) return false;
    return next_request(run, index) || replace(run, index);
}

static bool any_busy(const struct run *run)
{
    for (size_t i = 0; i < run->load->clients; i++)
        if (run->client[i].busy) return true;
    return false;
}

static bool start_due(struct run *run)
{
    for (size_t i = 0; run->load->rate > 0 && i < run->load->clients; i++)
        if (!run->client[i].busy && !next_request(run, i) && !replace(run, i)) return false;
    return true;
}

static bool loop(struct run *run)
{
    struct epoll_event events[EVENTS];
    const double give_up = run->end + 60;
    for (size_t i = 0; i < run->load->clients; i++)
        if (!next_request(run, i)) return false;
    while (!is_over(run, rn_clock_seconds()) || (any_busy(run) && rn_clock_seconds() < give_up)) {
        const int n = epoll_wait(run->epoll, events, EVENTS, run->load->rate > 0 ? 1 : 20);
        for (int i = 0; i < n; i++)
            if (!handle(run, (size_t)events[i].data.u64, events[i].events)) return false;
        if (!start_due(run)) return false;
    }
    return true;
}

static void summarise(struct run *run)
{
    qsort(run->latency, run->latencies, sizeof *run->latency, by_value);
    if (run->latencies == 0) return;
    run->result->p50 = run->latency[run->latencies / 2];
    run->result->p99 = run->latency[run->latencies * 99 / 100];
}

bool load_run(const struct load *load, struct load_result *result)
{
    *result = (struct load_result){0};
    struct run run = {.load = load, .result = result, .capacity = 2000000};
    run.client = calloc(load->clients, sizeof *run.client);
    run.latency = malloc(run.capacity * sizeof *run.latency);
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    bool fine = run.client && run.latency && run.epoll >= 0;
    size_t opened = 0;
    while (fine && opened < load->clients) fine = open_client(&run, opened) && ++opened;
    run.began = rn_clock_seconds();
    run.end = run.began + load->seconds;
    if (fine) fine = loop(&run);
    summarise(&run);
    for (size_t i = 0; i < opened; i++)
        if (run.client[i].fd >= 0) close(run.client[i].fd);
    if (run.epoll >= 0) close(run.epoll);
    free(run.client);
    free(run.latency);
    return fine;
}
