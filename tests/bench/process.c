/* A daemon to measure; see process.h. */
#include "bench/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/tool.h"

enum { MODELS_MAX = 8, LINE = 256 };

static void exec_daemon(const char *daemon, const char *const *models, size_t count, int output)
{
    const char *argument[2 * MODELS_MAX + 4] = {daemon, "--port", "0"};
    const int log = open("/dev/null", O_WRONLY);
    size_t used = 3;
    for (size_t i = 0; i < count; i++) {
        argument[used++] = "--model";
        argument[used++] = models[i];
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execv(daemon, (char *const *)(uintptr_t)argument);
    _exit(127);
}

/* The port stands in the first URL that the daemon prints once it is ready. */
static uint16_t read_port(int output)
{
    static const char mark[] = "http://127.0.0.1:";
    char text[16384];
    size_t size = 0;
    for (ssize_t n; size < sizeof text - 1; size += (size_t)n) {
        n = read(output, text + size, sizeof text - 1 - size);
        if (n <= 0) break;
        text[size + (size_t)n] = '\0';
        const char *url = strstr(text, mark);
        if (url && strchr(url, '\n')) return (uint16_t)strtoul(url + sizeof mark - 1, NULL, 10);
    }
    die("the daemon did not start");
}

struct process process_start(const char *daemon, const char *const *models, size_t count,
                             const cpu_set_t *cpus)
{
    int ends[2];
    if (count > MODELS_MAX) die("too many models");
    if (pipe2(ends, O_CLOEXEC) != 0) die("no pipe");
    struct process process = {.pid = fork(), .output = ends[0]};
    if (process.pid == 0) {
        sched_setaffinity(0, sizeof *cpus, cpus);
        exec_daemon(daemon, models, count, ends[1]);
    }
    close(ends[1]);
    if (process.pid < 0) die("no process");
    process.port = read_port(process.output);
    return process;
}

void process_stop(const struct process *process)
{
    int status;
    kill(process->pid, SIGTERM);
    if (waitpid(process->pid, &status, 0) != process->pid || status != 0)
        die("the daemon did not end cleanly");
    close(process->output);
}

/* The first line of /proc/PID/task/TID/NAME, "" where there is none. */
static void read_line(const struct process *process, const char *task, const char *name,
                      char line[LINE])
{
    char path[LINE];
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/%s", (int)process->pid, task, name);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(line, LINE, file)) line[0] = '\0';
    if (file) fclose(file);
    line[strcspn(line, "\n")] = '\0';
}

struct process_time process_time(const struct process *process)
{
    struct process_time time = {0};
    char path[LINE], name[LINE], run[LINE];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process->pid);
    DIR *tasks = opendir(path);
    if (!tasks) die("the daemon is gone");
    for (const struct dirent *task = readdir(tasks); task; task = readdir(tasks)) {
        if (task->d_name[0] == '.') continue;
        read_line(process, task->d_name, "comm", name);
        read_line(process, task->d_name, "schedstat", run); /* its first number: ns it ran */
        const double seconds = 1e-9 * strtod(run, NULL);
        if (!strcmp(name, "worker") || !strcmp(name, "rn-team"))
            time.engine += seconds;
        else
            time.rest += seconds;
    }
    closedir(tasks);
    return time;
}

double process_resident(const struct process *process)
{
    char path[LINE], line[LINE];
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process->pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0) kib = strtod(line + 6, NULL);
    if (file) fclose(file);
    return kib / 1024;
}
