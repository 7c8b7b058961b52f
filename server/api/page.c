/* GET /: a page for people who open the daemon in a browser. */
#include <string.h>

#include "api.h"
#include "registry.h"
#include "server.h"

/* The Host header when it is harmless inside HTML and a shell line. */
static const char *host_of(const struct request *request)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]";
    const char *host = request_header(request, "Host");
    return host && *host && strspn(host, allowed) == strlen(host) ? host : "127.0.0.1:8080";
}

/* A text of the model's files. */
static void append_text(struct buffer *html, const char *text)
{
    for (; *text; text++) switch (*text) {
        case '<': buffer_text(html, "&lt;"); break;
        case '>': buffer_text(html, "&gt;"); break;
        case '&': buffer_text(html, "&amp;"); break;
        case '"': buffer_text(html, "&quot;"); break;
        default: buffer_append(html, text, 1);
        }
}

static void append_model(struct buffer *html, const struct model *model, const char *host)
{
    const rn_model_info *info = model->info;
    buffer_format(html, "<h2>%s</h2>\n<p>", model->name);
    append_text(html, info->arch);
    buffer_format(html, ", %zu&times;%zu&times;%zu in, %zu numbers out, %zu parameters</p>\n",
                  info->input[0], info->input[1], info->input[2], info->output_size,
                  info->parameters);
    buffer_format(html,
                  "<pre>curl -s http://%s/v2/models/%s/example |\n"
                  "  curl -s --data-binary @- 'http://%s/infer?model=%s&amp;top_k=3'</pre>\n",
                  host, model->name, host, model->name);
}

static void page(struct request *request)
{
    const char *host = host_of(request);
    struct buffer *html = &request->reply.body;
    struct model *model;
    request->reply.status = 200;
    request->reply.compressible = true;
    request->reply.content_type = "text/html; charset=utf-8";
    buffer_text(html, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<title>resnetd</title>\n<style>body{font:16px/1.5 sans-serif;max-width:48em;"
                      "margin:2em auto;padding:0 1em}pre{background:#8882;padding:.7em;"
                      "overflow:auto}</style></head><body>\n<h1>resnetd " RN_VERSION "</h1>\n"
                      "<p>Residual networks: POST a tensor, get the network's answer.</p>\n");
    for (size_t i = 0; (model = registry_at(request->server->registry, i)); i++) {
        append_model(html, model, host);
        model_release(model);
    }
    buffer_text(html, "<p><a href=\"/v2/models\">models</a> &middot; "
                      "<a href=\"/v2/health/ready\">ready</a> &middot; "
                      "<a href=\"/metrics\">metrics</a> &middot; "
                      "<a href=\"/openapi.json\">API document</a></p>\n</body></html>\n");
}

const struct handler api_page = {.end = page};
