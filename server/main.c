/* resnetd: options -> models -> workers -> http -> wait -> drain -> exit code.
 *
 * The first argument may name a subcommand (cmd/commands.def); `serve`, or none, is the daemon. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "cmd/cmd.h"
#include "cpus.h"
#include "descriptors.h"
#include "http.h"
#include "isa.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "pool.h"
#include "registry.h"
#include "reload.h"
#include "resnet.h"
#include "server.h"
#include "signals.h"

enum { LOADS_WAITING = 16 }; /* requests to load or unload a model, beside the one that is done */

static void print_usage(FILE *file)
{
    fprintf(file, "resnetd " RN_VERSION ": residual networks behind HTTP\n\n"
                  "usage: resnetd [serve] [OPTION...]\n");
    for (size_t i = 0; i < cmd_count; i++)
        fprintf(file, "       resnetd %-11s %-13s  %s\n", cmd_list[i].name, cmd_list[i].operands,
                cmd_list[i].help);
    fprintf(file,
            "\nOptions of the daemon; each is also a variable (--max-batch is RESNETD_MAX_BATCH) "
            "and a line of the config file:\n");
    options_help(file);
}

/* Where it listens and what was decided for the options that were left open: an event; and for
 * people a line of stdout and a command to try it with. With a JSON log stdout stays empty, as
 * containers have both streams in one. `workers` and `threads` are those of the default model:
 * every model has as many. */
static void say_ready(const struct server *server, const struct http *http)
{
    const char *host = server->options->host;
    struct model *model = registry_get(server->registry, NULL);
    char url[128], text[600];
    if (!strcmp(host, "0.0.0.0") || !strcmp(host, "::")) host = "127.0.0.1";
    snprintf(url, sizeof url, strchr(host, ':') ? "http://[%.80s]:%u" : "http://%.80s:%u", host,
             http_port(http));
    const struct http_limits limits = http_limits(http);
    LOG(LOG_INFO, "ready", LOG_TEXT("version", RN_VERSION), LOG_TEXT("url", url),
        LOG_TEXT("model", model->name), LOG_TEXT("isa", model->info->isa),
        LOG_NUMBER("cpus", cpus_usable()), LOG_NUMBER("workers", model->sessions),
        LOG_NUMBER("threads", model->threads), LOG_NUMBER("http_threads", limits.threads),
        LOG_NUMBER("decoders", pool_threads(server->decoders)),
        LOG_NUMBER("connections", limits.connections));
    snprintf(text, sizeof text,
             "resnetd " RN_VERSION " is ready on %s\n"
             "try: curl -s %s/v2/models/%s/example | curl -s --data-binary @- "
             "'%s/infer?top_k=3'\n",
             url, url, model->name, url);
    if (strcmp(server->options->log_format, "json") != 0) log_print(text);
    model_release(model);
}

static void drain(struct server *server, struct http *http)
{
    LOG(LOG_INFO, "stopping", LOG_NUMBER("grace_ms", server->options->grace));
    atomic_store(&server->state, SERVER_LEAVING);
    metrics_ready(server->metrics, false);
    clock_sleep(server->options->grace * NS_PER_MS);
    atomic_store(&server->state, SERVER_DRAINING);
    http_drain(http);
}

static int serve(struct server *server)
{
    struct http_error error;
    const struct options *options = server->options;
    const size_t decoders = options->decoders ? options->decoders : (cpus_usable() + 1) / 2;
    server->decoders = pool_new("decoder", decoders,
                                (struct pool_limits){options->decoder_queue, options->queue_bytes});
    server->loader = pool_new("loader", 1, (struct pool_limits){LOADS_WAITING, SIZE_MAX});
    if (!server->decoders || !server->loader) {
        log_start_error("the threads cannot be started");
        return EX_OSERR;
    }
    struct http *http = http_start(server, &error);
    if (!http) {
        log_start_error(error.text);
        return error.exit_code;
    }
    metrics_ready(server->metrics, true);
    say_ready(server, http);
    struct reload reload = {.loader = server->loader, .registry = server->registry};
    while (signals_wait() == SIGNALS_RELOAD) reload_ask(&reload);
    drain(server, http);
    reload_stop(&reload);
    http_stop(http);
    LOG(LOG_INFO, "stopped", LOG_NUMBER("code", EX_OK));
    return EX_OK;
}

static int run(const struct options *options)
{
    struct server server = {.options = options, .metrics = metrics_new()};
    rn_error error;
    int code = EX_OSERR;
    isa_limit(options->isa);
    descriptors_raise();
    if (!server.metrics) {
        log_start_error("out of memory");
        return code;
    }
    server.registry = registry_open(options, server.metrics, &error, &code);
    if (!server.registry)
        log_start_error(error.text);
    else
        code = options->check ? EX_OK : serve(&server);
    pool_free(server.decoders);
    pool_free(server.loader);
    registry_close(server.registry);
    metrics_free(server.metrics);
    return code;
}

/* Files and sockets must not get the numbers of streams that are closed: lines would go there. */
static void keep_standard_streams(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) _exit(EX_OSERR);
}

static void say_warnings(const struct options *options)
{
    for (size_t i = 0; i < options->warnings.count; i++)
        LOG(LOG_WARNING, "option", LOG_TEXT("text", options->warnings.item[i]));
}

int main(int argc, char **argv)
{
    keep_standard_streams();
    const struct cmd *command = argc > 1 ? cmd_find(argv[1]) : NULL;
    if (command) return command->run(command, argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "serve")) argc--, argv++;

    struct options options;
    struct options_error error;
    if (!options_read(&options, argc, argv, environ, &error)) {
        log_setup("info", error.log_format);
        log_start_error(error.text);
        return error.exit_code;
    }
    log_setup(options.log_level, options.log_format);
    int code = EX_OK;
    if (options.help)
        print_usage(stdout);
    else if (options.version)
        printf("resnetd " RN_VERSION "\n");
    else if (options.print_config) {
        say_warnings(&options);
        options_print(&options, stdout);
    } else {
        say_warnings(&options);
        signals_catch();
        code = run(&options);
    }
    options_free(&options);
    return code;
}
