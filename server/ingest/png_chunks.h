/* The chunks of a PNG file: those that the decoder needs, and those that say how the picture lies.
 * Inside image*.c and a test only. No state: any thread.
 *
 * The decoder gets the critical chunks alone, so that neither the number nor the size of the others
 * matters to it: files of real cameras and programs hold thousands of lines of text. */
#ifndef SERVER_INGEST_PNG_CHUNKS_H
#define SERVER_INGEST_PNG_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file that is read from the signature on, without its ancillary chunks. */
struct png_chunks {
    const uint8_t *at, *end;
    size_t left; /* bytes of the current chunk */
};

/* bytes: not copied, read until the last png_chunks_read(). */
struct png_chunks png_chunks_of(const void *bytes, size_t size);

/* The next `size` bytes; false: the file ends before. */
bool png_chunks_read(struct png_chunks *chunks, void *out, size_t size);

/* The orientation, 1 to 8, as PIL's ImageOps.exif_transpose() finds it: in the chunk eXIf or the
 * text "Raw profile type exif", else in the text "XML:com.adobe.xmp", each before or after the
 * pixels; of several of one kind the last one counts. 1 where there is none. */
unsigned png_orientation(const void *bytes, size_t size);

#endif
