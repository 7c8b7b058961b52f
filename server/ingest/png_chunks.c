/* Chunks of PNG files (ISO/IEC 15948, section 5.3); see png_chunks.h. */
#include "ingest/png_chunks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "ingest/orientation.h"

enum {
    SIGNATURE = 8,
    HEADER = 8,         /* length and type of a chunk */
    CRC = 4,            /* behind its data */
    MAX_TEXT = 1 << 20, /* of a text that is unpacked; what is beyond is not read */
};

struct chunk {
    const uint8_t *type, *data;
    size_t size;
};

static uint32_t number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ---- what the decoder sees ------------------------------------------------------------------- */

struct png_chunks png_chunks_of(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    return (struct png_chunks){at, at + size, SIGNATURE};
}

/* To the beginning of the next critical chunk; false: there is none. */
static bool next_critical(struct png_chunks *chunks)
{
    while ((size_t)(chunks->end - chunks->at) >= HEADER) {
        const size_t size = HEADER + (size_t)number_at(chunks->at) + CRC;
        const bool ancillary = chunks->at[4] & 0x20;
        chunks->left = size;
        if (!ancillary) return true;
        if (size > (size_t)(chunks->end - chunks->at)) return false;
        chunks->at += size;
    }
    return false;
}

bool png_chunks_read(struct png_chunks *chunks, void *out, size_t size)
{
    for (uint8_t *to = out; size;) {
        if (chunks->left == 0 && !next_critical(chunks)) return false;
        const size_t there = (size_t)(chunks->end - chunks->at);
        size_t count = size < chunks->left ? size : chunks->left;
        if (count > there) count = there;
        if (count == 0) return false;
        memcpy(to, chunks->at, count);
        chunks->at += count;
        chunks->left -= count;
        to += count;
        size -= count;
    }
    return true;
}

/* ---- the orientation ------------------------------------------------------------------------- */

/* Bytes of the file, packed by zlib or not; NULL: there are none. */
struct text {
    const uint8_t *at;
    size_t size;
    bool packed;
};

/* What may say how the picture lies. */
struct notes {
    struct text exif; /* chunk eXIf */
    struct text raw;  /* EXIF as hexadecimal digits */
    struct text xmp;
};

static bool is_type(const struct chunk *chunk, const char *type)
{
    return memcmp(chunk->type, type, 4) == 0;
}

/* Past the next NUL; false: there is none. */
static bool pass_string(struct text *text)
{
    const uint8_t *end = text->size ? memchr(text->at, 0, text->size) : NULL;
    if (!end) return false;
    text->size -= (size_t)(end + 1 - text->at);
    text->at = end + 1;
    return true;
}

/* The text of a tEXt, zTXt or iTXt chunk, behind its keyword; false: there is none. */
static bool find_text(const struct chunk *chunk, struct text *text)
{
    if (!pass_string(text)) return false;
    if (is_type(chunk, "tEXt")) return true;
    const size_t flags = is_type(chunk, "zTXt") ? 1 : 2; // whether, and how it is packed
    if (text->size < flags || text->at[flags - 1] != 0) return false;
    text->packed = flags == 1 || text->at[0] == 1;
    text->at += flags;
    text->size -= flags;
    if (flags == 1) return true;
    const bool language = pass_string(text);
    return language && pass_string(text); /* the keyword in that language */
}

static bool has_keyword(const struct chunk *chunk, const char *keyword)
{
    const size_t size = strlen(keyword) + 1;
    return chunk->size >= size && memcmp(chunk->data, keyword, size) == 0;
}

static bool is_whole(const struct chunk *chunk)
{
    const uLong crc = crc32_z(crc32(0, NULL, 0), chunk->type, 4 + chunk->size);
    return crc == number_at(chunk->data + chunk->size);
}

/* A chunk whose checksum is wrong says nothing. */
static void take_chunk(const struct chunk *chunk, struct notes *notes)
{
    struct text text = {chunk->data, chunk->size, false};
    const bool is_text = is_type(chunk, "tEXt") || is_type(chunk, "zTXt") || is_type(chunk, "iTXt");
    struct text *note = NULL;
    if (is_type(chunk, "eXIf")) note = &notes->exif;
    if (is_text && has_keyword(chunk, "Raw profile type exif")) note = &notes->raw;
    if (is_text && has_keyword(chunk, "XML:com.adobe.xmp")) note = &notes->xmp;
    if (note && is_whole(chunk) && (!is_text || find_text(chunk, &text))) *note = text;
}

static struct notes find_notes(const uint8_t *at, const uint8_t *end)
{
    struct notes notes = {0};
    while ((size_t)(end - at) >= HEADER + CRC) {
        const struct chunk chunk = {at + 4, at + HEADER, number_at(at)};
        if (chunk.size > (size_t)(end - at) - HEADER - CRC) break;
        take_chunk(&chunk, &notes);
        at += HEADER + chunk.size + CRC;
        if (is_type(&chunk, "IEND")) break;
    }
    return notes;
}

/* Up to MAX_TEXT bytes; the caller's. NULL: nothing can be unpacked, or there is no memory. */
static uint8_t *unpack(const struct text *text, size_t *size)
{
    z_stream zlib = {.next_in = text->at, .avail_in = (uInt)text->size};
    uint8_t *out = malloc(MAX_TEXT);
    if (!out || inflateInit(&zlib) != Z_OK) {
        free(out);
        return NULL;
    }
    zlib.next_out = out;
    zlib.avail_out = MAX_TEXT;
    inflate(&zlib, Z_FINISH);
    *size = MAX_TEXT - zlib.avail_out;
    inflateEnd(&zlib);
    return out;
}

static unsigned digit_of(uint8_t byte)
{
    return isdigit(byte) ? byte - (unsigned)'0' : (unsigned)tolower(byte) - 'a' + 10;
}

/* An empty line, the profile's name, its size, then lines of digits. */
static unsigned raw_orientation(const uint8_t *text, size_t size)
{
    size_t at = 0, bytes = 0, digits = 0;
    for (unsigned line = 0; line < 3 && at < size; at++) line += text[at] == '\n';
    uint8_t *exif = calloc(1, size / 2 + 1);
    for (; exif && at < size && (isxdigit(text[at]) || isspace(text[at])); at++) {
        if (isspace(text[at])) continue;
        bytes = digits / 2;
        exif[bytes] = (uint8_t)(exif[bytes] << 4 | digit_of(text[at]));
        digits++;
    }
    const unsigned orientation = exif ? exif_orientation(exif, digits / 2) : 0;
    free(exif);
    return orientation;
}

static unsigned text_orientation(const struct text *text,
                                 unsigned orientation_of(const uint8_t *, size_t))
{
    if (!text->at) return 0;
    if (!text->packed) return orientation_of(text->at, text->size);
    size_t size = 0;
    uint8_t *unpacked = unpack(text, &size);
    const unsigned orientation = unpacked ? orientation_of(unpacked, size) : 0;
    free(unpacked);
    return orientation;
}

unsigned png_orientation(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    if (size < SIGNATURE) return 1;
    const struct notes notes = find_notes(at + SIGNATURE, at + size);
    unsigned orientation = notes.exif.at ? text_orientation(&notes.exif, exif_orientation)
                                         : text_orientation(&notes.raw, raw_orientation);
    if (orientation == 0) orientation = text_orientation(&notes.xmp, xmp_orientation);
    return orientation ? orientation : 1;
}
