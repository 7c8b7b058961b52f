/* A real daemon for tests; see daemon.h. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"

enum { MAX_OPTIONS = 40, START_MS = 300000 };

static const char *program(void)
{
    const char *path = getenv("RESNETD");
    return path && *path ? path : "build/resnetd";
}

static pid_t spawn(const char *const *options, int out, int err)
{
    const char *argument[MAX_OPTIONS] = {program()};
    size_t count = 1;
    for (; options[count - 1]; count++) {
        ck_assert_uint_lt(count, MAX_OPTIONS - 1);
        argument[count] = options[count - 1];
    }
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execv(argument[0], (char *const *)(uintptr_t)argument);
    _exit(127);
}

/* Reads until the text holds "ready on http://127.0.0.1:PORT\n". */
static unsigned await_port(const struct daemon *daemon)
{
    char text[1024];
    size_t size = 0;
    static const char mark[] = "ready on http://127.0.0.1:";
    while (size < sizeof text - 1) {
        struct pollfd poll_fd = {.fd = daemon->out, .events = POLLIN};
        if (poll(&poll_fd, 1, START_MS) <= 0) break;
        const ssize_t got = read(daemon->out, text + size, sizeof text - 1 - size);
        if (got <= 0) break;
        size += (size_t)got;
        text[size] = '\0';
        const char *at = strstr(text, mark);
        if (at && strchr(at, '\n')) return (unsigned)strtoul(at + sizeof mark - 1, NULL, 10);
    }
    return 0;
}

static int log_file(void)
{
    char name[] = "/tmp/resnetd-log-XXXXXX";
    const int fd = mkstemp(name);
    ck_assert_int_ge(fd, 0);
    unlink(name);
    return fd;
}

void daemon_start(struct daemon *daemon, const char *const *options)
{
    daemon_start_with_log(daemon, log_file(), options);
}

void daemon_start_with_log(struct daemon *daemon, int err, const char *const *options)
{
    const char *all[MAX_OPTIONS] = {"serve", "--port", "0"};
    size_t count = 3;
    int end[2];
    for (size_t i = 0; options[i]; i++) all[count++] = options[i];
    ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
    daemon->log = err;
    daemon->pid = spawn(all, end[1], daemon->log);
    close(end[1]);
    daemon->out = end[0];
    daemon->port = await_port(daemon);
    if (daemon->port) return;
    char *log = daemon_log(daemon);
    ck_abort_msg("the daemon is not ready: %s", log);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int daemon_stop(struct daemon *daemon, int signal)
{
    if (signal) kill(daemon->pid, signal);
    const int code = wait_for(daemon->pid);
    char *log = daemon_log(daemon);
    if (code) fprintf(stderr, "the daemon ended with %d:\n%s\n", code, log);
    free(log);
    close(daemon->out);
    close(daemon->log);
    return code;
}

static char *read_all(int fd)
{
    const off_t end = lseek(fd, 0, SEEK_END), size = end > 0 ? end : 0; /* a pipe has none */
    char *text = calloc(1, (size_t)size + 1);
    ck_assert_ptr_nonnull(text);
    if (size) ck_assert_int_ge(pread(fd, text, (size_t)size, 0), 0);
    return text;
}

char *daemon_log(const struct daemon *daemon)
{
    return read_all(daemon->log);
}

int daemon_run(const char *const *options, char *text, size_t size)
{
    const int fd = log_file();
    const pid_t pid = spawn(options, fd, fd);
    const int code = wait_for(pid);
    char *all = read_all(fd);
    snprintf(text, size, "%s", all);
    free(all);
    close(fd);
    return code;
}

/* The first line of a file of /proc, "" where the thread is gone. */
static void read_line(const char *folder, const char *name, char line[128])
{
    char path[128];
    snprintf(path, sizeof path, "%.80s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, 128, file)) line[0] = '\0';
    if (file) fclose(file);
    line[strcspn(line, "\n")] = '\0';
}

double daemon_thread_seconds(const struct daemon *daemon, const char *name)
{
    char pattern[64], line[128];
    double ns = 0;
    glob_t tasks;
    snprintf(pattern, sizeof pattern, "/proc/%d/task/*", (int)daemon->pid);
    ck_assert_int_eq(glob(pattern, 0, NULL, &tasks), 0);
    for (size_t i = 0; i < tasks.gl_pathc; i++) {
        read_line(tasks.gl_pathv[i], "comm", line);
        if (strcmp(line, name)) continue;
        read_line(tasks.gl_pathv[i], "schedstat", line); /* its first number: ns it ran */
        ns += strtod(line, NULL);
    }
    globfree(&tasks);
    return ns / 1e9;
}
