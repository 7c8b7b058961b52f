/* A daemon with the shim in it; see daemon.h. */
#include "fault/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPTIONS = 40, START_MS = 120000, STOP_SECONDS = 60, LINE = 4096 };

struct fault_control *control;
static int page;
static char program[PATH_MAX], preload[2 * PATH_MAX];

static const struct {
    const char *name;
    bool drops;
} call_list[] = {
#define CALL(id, name, error, drops) {name, drops},
#include "fault/calls.def"
#undef CALL
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

bool wait_on(double *since, double seconds)
{
    const struct timespec tick = {.tv_nsec = 1000000};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    if (*since == 0) *since = time;
    nanosleep(&tick, NULL);
    return time - *since < seconds;
}

/* ---- what fails ------------------------------------------------------------------------------ */

void victim_setup(const char *self)
{
    const char *daemon = getenv("RESNETD"), *slash = strrchr(self, '/');
    if (!realpath(daemon && *daemon ? daemon : "build/resnetd", program)) die("RESNETD");
    char shim[PATH_MAX], path[PATH_MAX];
    snprintf(path, sizeof path, "%.*s/shim.so", slash ? (int)(slash - self) : 1,
             slash ? self : ".");
    if (!realpath(path, shim)) die(path);
    snprintf(preload, sizeof preload, "%s", shim);
    page = memfd_create("fault", 0); /* which the daemon inherits */
    if (page < 0 || ftruncate(page, sizeof *control)) die("memfd_create");
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
    if (control == MAP_FAILED) die("mmap");
}

static void reset(void)
{
    atomic_store(&control->armed, false);
    for (size_t i = 0; i < FAULT_CALLS; i++) atomic_store(&control->seen[i], 0);
    atomic_store(&control->failed, 0);
    atomic_store(&control->written, 0);
    memset(control->text, 0, sizeof control->text);
}

void fault_arm(enum fault_call call, long first, long count)
{
    reset();
    atomic_store(&control->call, (int)call);
    atomic_store(&control->first, first);
    atomic_store(&control->count, count);
    atomic_store(&control->armed, true);
}

void fault_count(void)
{
    fault_arm(FAULT_CALLS, 0, 0);
}

void fault_disarm(void)
{
    atomic_store(&control->armed, false);
}

const char *fault_name(enum fault_call call)
{
    return call_list[call].name;
}

bool fault_drops(enum fault_call call)
{
    return call_list[call].drops;
}

/* The name of the program's function at the offset, as its debugging information has it. */
static size_t name_function(const char *offset, char *text, size_t size)
{
    char command[PATH_MAX + 64], name[128] = "";
    snprintf(command, sizeof command, "addr2line -fse %s %.20s 2>/dev/null", program, offset);
    FILE *pipe = popen(command, "re"); /* NOLINT(cert-env33-c): a test's own words */
    if (!pipe || !fgets(name, sizeof name, pipe)) name[0] = '\0';
    if (pipe) pclose(pipe);
    name[strcspn(name, "\n")] = '\0';
    return (size_t)snprintf(text, size, "%s < ", *name ? name : offset);
}

const char *fault_callers(void)
{
    static char text[2048];
    char all[FAULT_TEXT];
    size_t used = 0;
    memcpy(all, control->text, sizeof all);
    all[sizeof all - 1] = '\0';
    text[0] = '\0';
    for (char *rest = NULL, *at = strtok_r(all, " ", &rest); at && used < sizeof text;
         at = strtok_r(NULL, " ", &rest)) {
        const char *plus = strchr(at, '+'), *slash = strrchr(program, '/');
        const bool own = plus && !strncmp(at, slash + 1, (size_t)(plus - at)) &&
                         strlen(slash + 1) == (size_t)(plus - at);
        used += own ? name_function(plus + 1, text + used, sizeof text - used)
                    : (size_t)snprintf(text + used, sizeof text - used, "%s < ", at);
    }
    return text;
}

/* ---- the process ----------------------------------------------------------------------------- */

static _Noreturn void run(const char *const *options, int out, int err)
{
    const char *argument[OPTIONS] = {program};
    char number[16];
    size_t count = 1;
    for (; options[count - 1] && count < OPTIONS - 1; count++) argument[count] = options[count - 1];
    snprintf(number, sizeof number, "%d", page);
    setenv(FAULT_VARIABLE, number, 1);
    setenv("LD_PRELOAD", preload, 1);
    /* The shim is before the sanitizers' functions, to which it passes calls on. */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0:allocator_may_return_null=1",
           1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execv(program, (char *const *)(uintptr_t)argument);
    _exit(127);
}

static int log_file(void)
{
    const int fd = memfd_create("log", MFD_CLOEXEC);
    if (fd < 0) die("memfd_create");
    return fd;
}

/* 0: it has ended, or hangs. */
static unsigned await_port(const struct victim *victim)
{
    static const char mark[] = "ready on http://127.0.0.1:";
    char text[1024];
    for (size_t size = 0; size < sizeof text - 1;) {
        struct pollfd readable = {.fd = victim->out, .events = POLLIN};
        const int came = poll(&readable, 1, START_MS);
        if (came < 0 && errno == EINTR) continue;
        const ssize_t got = came > 0 ? read(victim->out, text + size, sizeof text - 1 - size) : 0;
        if (got <= 0) break;
        size += (size_t)got;
        text[size] = '\0';
        const char *at = strstr(text, mark);
        if (at && strchr(at, '\n')) return (unsigned)strtoul(at + sizeof mark - 1, NULL, 10);
    }
    return 0;
}

bool victim_start(struct victim *victim, const char *const *options, bool at_main)
{
    int end[2];
    if (pipe2(end, O_CLOEXEC)) die("pipe2");
    *victim = (struct victim){.out = end[0], .log = log_file()};
    atomic_store(&control->at_main, at_main);
    if (at_main) fault_disarm(); /* until main() */
    victim->pid = fork();
    if (victim->pid < 0) die("fork");
    if (!victim->pid) run(options, end[1], victim->log);
    close(end[1]);
    victim->port = await_port(victim);
    if (victim->port) return true;
    victim_stop(victim, 0);
    return false;
}

static bool reap(struct victim *victim, int flags)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(victim->pid, &status, flags)) < 0 && errno == EINTR) continue;
    if (!pid) return false;
    if (pid < 0) die("waitpid");
    victim->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    victim->pid = 0;
    return true;
}

bool victim_lives(struct victim *victim)
{
    return victim->pid && !reap(victim, WNOHANG);
}

int victim_stop(struct victim *victim, int signal)
{
    double since = 0;
    if (victim->pid && signal) kill(victim->pid, signal);
    while (victim->pid && !reap(victim, WNOHANG))
        if (!wait_on(&since, STOP_SECONDS)) {
            kill(victim->pid, SIGKILL);
            reap(victim, 0);
        }
    return victim->code;
}

const char *victim_last_line(const struct victim *victim)
{
    static char text[LINE];
    const off_t size = lseek(victim->log, 0, SEEK_END);
    const off_t from = size > LINE - 1 ? size - (LINE - 1) : 0;
    ssize_t got = pread(victim->log, text, LINE - 1, from);
    if (got < 0) got = 0;
    while (got && text[got - 1] == '\n') got--;
    text[got] = '\0';
    const char *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

size_t victim_descriptors(const struct victim *victim)
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)victim->pid);
    DIR *folder = opendir(path);
    if (!folder) return 0;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}
