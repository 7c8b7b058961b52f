/* Pictures as bodies: each way of sending one gives the answer of its tensor, and what is no
 * picture gets the status that says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "http/fixture.h"
#include "ingest/image.h"

#include "check_main.h"

enum { MOST = 20000, PIXELS = 784 };

#define RAW       "Accept: application/octet-stream\r\n"
#define MULTIPART "Content-Type: multipart/form-data; boundary=XbX\r\n"
#define PART      "--XbX\r\nContent-Disposition: form-data; name=\"data\"; filename=\"a.jpg\"\r\n"

struct bytes {
    char at[MOST];
    size_t size;
};

static struct bytes jpeg, png;
static struct response want; /* the answer for the tensor of the JPEG */

static void load(const char *path, struct bytes *bytes)
{
    char *file = read_file(path, &bytes->size);
    ck_assert_uint_le(bytes->size, MOST);
    memcpy(bytes->at, file, bytes->size);
    free(file);
}

static struct response ask(const char *method, const char *headers, const void *body, size_t size)
{
    return client_ask(server.port, method, "/infer", headers, body, size);
}

/* The tensor as the built-in model wants it, by the functions that tests/golden compares with PIL.
 */
static void start(void)
{
    rn_error err;
    rn_model *model;
    struct image_error error;
    float tensor[PIXELS];
    DAEMON_START(&server, "--max-body-bytes", "30000", "--max-image-pixels", "3000");
    load("tests/golden/images/color-444.jpg", &jpeg);
    load("tests/golden/images/color.png", &png);
    ck_assert_msg(rn_model_load(&model, "deploy/models/fashion-resnet", NULL, &err) == RN_OK, "%s",
                  err.text);
    const struct image_recipe recipe = image_recipe_of(rn_model_info_of(model));
    const struct image_file file = {jpeg.at, jpeg.size, 3000, SIZE_MAX, NULL};
    ck_assert(image_read(&file, &recipe, tensor, &error));
    want = ask("POST", RAW "Content-Type: application/octet-stream\r\n", tensor, sizeof tensor);
    ck_assert_int_eq(want.status, 200);
    rn_model_release(model);
}

static void stop(void)
{
    response_free(&want);
    server_stop();
}

/* Consumes the answer. */
static void expect_same(struct response answer, const char *what)
{
    ck_assert_msg(answer.status == 200, "%s: %d %s", what, answer.status, answer.body);
    ck_assert_uint_eq(answer.size, want.size);
    ck_assert_msg(memcmp(answer.body, want.body, want.size) == 0, "%s: another answer", what);
    response_free(&answer);
}

static void add(struct bytes *to, const void *bytes, size_t size)
{
    ck_assert_uint_le(to->size + size, MOST);
    memcpy(to->at + to->size, bytes, size);
    to->size += size;
}

/* A form of `before`, the JPEG, `behind`. */
static void make_form(struct bytes *form, const char *before, const char *behind)
{
    form->size = 0;
    add(form, before, strlen(before));
    add(form, jpeg.at, jpeg.size);
    add(form, behind, strlen(behind));
}

START_TEST(every_way_gives_the_same)
{
    struct bytes form;
    expect_same(ask("POST", RAW "Content-Type: image/jpeg\r\n", jpeg.at, jpeg.size), "POST");
    expect_same(ask("PUT", RAW, jpeg.at, jpeg.size), "curl -T");
    expect_same(
        ask("POST", RAW "Content-Type: application/x-www-form-urlencoded\r\n", jpeg.at, jpeg.size),
        "curl --data-binary");
    // the type says image: the first bytes say which
    expect_same(ask("POST", RAW "Content-Type: image/png\r\n", jpeg.at, jpeg.size), "as PNG");
    make_form(&form, PART "\r\n", "\r\n--XbX--\r\n");
    expect_same(ask("POST", RAW MULTIPART, form.at, form.size), "curl -F");
    make_form(&form, PART "Content-Type: image/jpeg\r\n\r\n", "\r\n--XbX--\r\n");
    expect_same(ask("POST", RAW MULTIPART, form.at, form.size), "curl -F with its type");
    make_form(&form, "a preamble\r\n" PART "\r\n", "\r\n--XbX--\r\nan epilogue");
    expect_same(ask("POST", RAW MULTIPART, form.at, form.size), "text around the form");
    static const char *const types[] = {"image/jpg",
                                        "image/pjpeg",
                                        "image/*",
                                        "application/x-image",
                                        "application/octet-stream",
                                        "binary/octet-stream"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char headers[200];
        snprintf(headers, sizeof headers, RAW "Content-Type: %s\r\n", types[i]);
        expect_same(ask("POST", headers, jpeg.at, jpeg.size), types[i]);
        struct response answer = client_ask(server.port, "POST", "/predictions/fashion-resnet",
                                            headers, png.at, png.size);
        ck_assert_msg(answer.status == 200, "%s: %s", types[i], answer.body);
        response_free(&answer);
    }
    struct response answer = ask("PUT", RAW, png.at, png.size);
    ck_assert_int_eq(answer.status, 200);
    response_free(&answer);
}
END_TEST

START_TEST(a_form_may_be_split_anywhere)
{
    struct bytes form;
    char head[200];
    make_form(&form, PART "\r\n", "\r\n--XbX--\r\n");
    snprintf(head, sizeof head,
             "POST /infer HTTP/1.1\r\nHost: x\r\n" RAW MULTIPART "Content-Length: %zu\r\n\r\n",
             form.size);
    const int fd = client_open(server.port);
    const size_t ends[] = {1,
                           4,
                           7,
                           60,
                           sizeof PART,
                           sizeof PART + 2,
                           400,
                           form.size - 14,
                           form.size - 9,
                           form.size - 1};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        ck_assert(client_send(fd, head, strlen(head)) && client_send(fd, form.at, ends[i]));
        clock_sleep(3 * NS_PER_MS); // so that the daemon reads the piece alone
        ck_assert(client_send(fd, form.at + ends[i], form.size - ends[i]));
        expect_same(client_receive(fd), "in two pieces");
    }
    close(fd);
}
END_TEST

START_TEST(forms_that_are_wrong)
{
    static const char empty_part[] = PART "\r\n\r\n--XbX--\r\n";
    struct bytes form;
    make_form(&form, PART "\r\n", "\r\n--XbX--\r\n");
    expect_error_with(ask("POST", "Content-Type: multipart/form-data\r\n", form.at, form.size), 400,
                      "multipart/form-data without a boundary");
    expect_error_with(
        ask("POST", "Content-Type: multipart/form-data; boundary=other\r\n", form.at, form.size),
        400, "body: the multipart boundary is not in the body");
    expect_error_with(ask("POST", MULTIPART, form.at, form.size - 14), 400,
                      "body: a part has no end");
    expect_error_with(ask("POST", MULTIPART, form.at, 20), 400,
                      "the headers of a part have no end");
    expect_error_with(ask("POST", MULTIPART, "--XbX--\r\n", 9), 400,
                      "body: no part of the form is a picture or a tensor");
    expect_error_with(ask("POST", MULTIPART, empty_part, strlen(empty_part)), 400,
                      "part 1 'data': is empty");
    expect_error_with(ask("POST", MULTIPART, "", 0), 400, "the body is empty");
}
END_TEST

/* application/octet-stream that begins as a picture does: floats where there are whole samples. */
START_TEST(floats_that_begin_as_a_picture)
{
    static const char head[] = "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    float floats[2 * PIXELS] = {0};
    char chunk[sizeof floats + 40];
    memcpy(floats, "\xff\xd8\xff\x3f", 4);
    struct response answer =
        ask("POST", "Content-Type: application/octet-stream\r\n", floats, sizeof floats);
    ck_assert_msg(answer.status == 200 && strstr(answer.body, "\"shape\":[2,10]"), "%s",
                  answer.body);
    for (size_t size = sizeof floats; size > sizeof floats - 8;
         size -= 4) { /* of no known length */
        const size_t length = (size_t)snprintf(chunk, sizeof chunk, "%zx\r\n", size);
        memcpy(chunk + length, floats, size);
        memcpy(chunk + length + size, "\r\n0\r\n\r\n", 8);
        const int fd = client_open(server.port);
        ck_assert(client_send(fd, head, sizeof head - 1) &&
                  client_send(fd, chunk, length + size + 7));
        struct response other = client_receive(fd);
        close(fd);
        if (size < sizeof floats) {
            expect_error_with(other, 422, "image: ");
            continue;
        }
        ck_assert_msg(other.status == 200, "%s", other.body);
        ck_assert_str_eq(other.body, answer.body);
        response_free(&other);
    }
    response_free(&answer);
    memcpy(floats, "\xff\xd8\x00\x3f", 4); /* no picture, no whole samples */
    expect_error_with(ask("POST", "Content-Type: application/octet-stream\r\n", floats, 100), 400,
                      "body: 100 bytes, want whole samples of 3136 bytes");
}
END_TEST

START_TEST(files_that_are_no_pictures)
{
    static char large[30001];
    expect_error_with(ask("POST", "Content-Type: image/jpeg\r\n", jpeg.at, jpeg.size / 2), 422,
                      "image: ");
    expect_error_with(ask("PUT", "", png.at, png.size - 100), 422, "image: ");
    expect_error_with(ask("PUT", "", png.at, 8), 422, "image: ");
    expect_error_with(ask("POST", "Content-Type: image/jpeg\r\n", "no JPEG", 7), 422,
                      "image: neither JPEG nor PNG");
    expect_error_with(ask("POST", "Content-Type: image/png\r\n", large, sizeof large), 413,
                      "--max-body-bytes");
    // width and height beyond the limit, in the header of a file of 6 KB: nothing is decoded
    memcpy(png.at + 16, "\0\0\xff\xff\0\0\xff\xff", 8);
    memcpy(png.at + 29, "\x39\x67\x4e\x07", 4);
    expect_error_with(ask("PUT", "", png.at, png.size), 413,
                      "image: 65535x65535 pixels, --max-image-pixels allows 3000");
    expect_same(ask("PUT", RAW, jpeg.at, jpeg.size), "afterwards");
}
END_TEST

/* As curl's -d @FILE sends it: without newlines and zero bytes. */
static struct bytes stripped(const struct bytes *file)
{
    struct bytes rest = {.size = 0};
    for (size_t i = 0; i < file->size; i++)
        if (!memchr("\r\n\0", file->at[i], 3)) rest.at[rest.size++] = file->at[i];
    return rest;
}

START_TEST(pictures_that_curl_stripped)
{
    static const char form[] = "Content-Type: application/x-www-form-urlencoded\r\n",
                      want_text[] = "newlines and zero bytes are missing, as after curl -d: send "
                                    "it with --data-binary @FILE or -T FILE";
    static const char *const target[] = {"/infer", "/predictions/fashion-resnet"};
    struct bytes file[2];
    load("tests/golden/images/color-444.jpg", &file[0]);
    load("tests/golden/images/color.png", &file[1]);
    for (size_t i = 0; i < 4; i++) {
        const struct bytes bytes = stripped(&file[i / 2]);
        expect_error_with(
            client_ask(server.port, "POST", target[i % 2], form, bytes.at, bytes.size), 422,
            want_text);
    }
}
END_TEST

/* By their first bytes, whatever they are called and however they come. */
static const struct {
    const char *bytes, *name;
    size_t size;
} others[] = {
#define OTHER(bytes, name)             \
    {                                  \
        bytes, name, sizeof(bytes) - 1 \
    }
    OTHER("RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0", "a WebP picture"),
    OTHER("GIF87a\1\0\1\0", "a GIF picture"),
    OTHER("GIF89a", "a GIF picture"),
    OTHER("BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\2\0", "a BMP picture"),
    OTHER("II*\0\x08\0\0\0", "a TIFF picture"),
    OTHER("MM\0*\0\0\0\x08", "a TIFF picture"),
    OTHER("\0\0\0\x18"
          "ftypheic\0\0\0\0",
          "a HEIC picture"),
    OTHER("\0\0\0\x1c"
          "ftypmif1\0\0\0\0",
          "a HEIF picture"),
    OTHER("\0\0\0\x20"
          "ftypavif\0\0\0\0",
          "an AVIF picture"),
    OTHER("\xff\x0a\xfa\x7f", "a JPEG XL picture"),
    OTHER("\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    OTHER("\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    OTHER("\0\0\1\0\1\0\x10\x10\0\0\1\0", "an ICO picture"),
    OTHER("8BPS\0\1", "a Photoshop picture"),
    OTHER("P6\n2 2\n255\n", "a PPM picture"),
    OTHER("<svg xmlns=", "an SVG picture"),
#undef OTHER
};

START_TEST(other_pictures_are_named)
{
    static const char *const types[] = {"", "Content-Type: image/jpeg\r\n",
                                        "Content-Type: image/webp\r\n",
                                        "Content-Type: image/x-unknown; q=1\r\n"};
    const char *bytes = others[_i].bytes;
    const size_t size = others[_i].size;
    char text[80];
    struct bytes form = {.size = 0};
    snprintf(text, sizeof text, "%s: send JPEG or PNG", others[_i].name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        expect_error_with(ask("POST", types[i], bytes, size), 415, text);
        expect_error_with(
            client_ask(server.port, "POST", "/predictions/fashion-resnet", types[i], bytes, size),
            415, text);
    }
    add(&form, PART "\r\n", strlen(PART "\r\n"));
    add(&form, bytes, size);
    add(&form, "\r\n--XbX--\r\n", 11);
    expect_error_with(ask("POST", MULTIPART, form.at, form.size), 415, text);
    expect_error_with(client_ask(server.port, "POST", "/predictions/fashion-resnet", MULTIPART,
                                 form.at, form.size),
                      415, text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pictures");
    TCase *tests = tcase_create("pictures");
    suite_add_tcase(suite, tests);
    tcase_add_unchecked_fixture(tests, start, stop);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, every_way_gives_the_same);
    tcase_add_test(tests, a_form_may_be_split_anywhere);
    tcase_add_test(tests, forms_that_are_wrong);
    tcase_add_test(tests, floats_that_begin_as_a_picture);
    tcase_add_test(tests, files_that_are_no_pictures);
    tcase_add_loop_test(tests, other_pictures_are_named, 0, sizeof others / sizeof *others);
    tcase_add_test(tests, pictures_that_curl_stripped);
    return run_suite(suite);
}
