/* Bodies with a head in front; see body.h. */
#include "bench/body.h"

#include <string.h>

#include "bench/tool.h"

enum { HEAD = 1024, NUMBER = 32 };

static void *room_for(size_t size)
{
    void *bytes = malloc(size);
    if (!bytes) die("no memory for a request");
    return bytes;
}

static struct load_request with_head(const char *model, const char *type, const void *body,
                                     size_t size)
{
    char *bytes = room_for(HEAD + size);
    const int head = snprintf(bytes, HEAD,
                              "POST /infer?model=%s HTTP/1.1\r\nHost: localhost\r\n"
                              "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                              model, type, size);
    memcpy(bytes + head, body, size);
    return (struct load_request){bytes, (size_t)head + size};
}

struct load_request body_raw(const char *model, const rn_model_info *info, const float *image)
{
    return with_head(model, "application/octet-stream", image, info->input_size * sizeof *image);
}

struct load_request body_json(const char *model, const rn_model_info *info, const float *image,
                              int digits)
{
    const double aside = digits > 9 ? 1 + 1e-9 : 1;
    const size_t room = info->input_size * NUMBER + HEAD;
    char *text = room_for(room);
    size_t size = (size_t)snprintf(text, room, "{\"shape\":[1,%zu,%zu,%zu],\"input\":[",
                                   info->input[0], info->input[1], info->input[2]);
    for (size_t i = 0; i < info->input_size; i++)
        size += (size_t)snprintf(text + size, room - size, "%s%.*g", i ? "," : "", digits,
                                 (double)image[i] * aside);
    size += (size_t)snprintf(text + size, room - size, "]}");
    const struct load_request request = with_head(model, "application/json", text, size);
    free(text);
    return request;
}

struct load_request body_file(const char *model, const char *path)
{
    enum { MOST = 1 << 24 };
    char *bytes = room_for(MOST);
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(bytes, 1, MOST, file) : 0;
    if (file) fclose(file);
    if (!size) die(path);
    const char *type = strstr(path, ".png") ? "image/png" : "image/jpeg";
    const struct load_request request = with_head(model, type, bytes, size);
    free(bytes);
    return request;
}

void body_free(struct load_request *request)
{
    free(request->bytes);
    *request = (struct load_request){0};
}
