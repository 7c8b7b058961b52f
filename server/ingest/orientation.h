/* How a picture lies in its file, by what a camera or a program noted there. No state: any thread.
 *
 * Both return 1 to 8, as EXIF numbers orientations; 0: nothing is said. A value that is none of
 * these counts as 1, upright. */
#ifndef SERVER_INGEST_ORIENTATION_H
#define SERVER_INGEST_ORIENTATION_H

#include <stddef.h>
#include <stdint.h>

/* EXIF is a TIFF file of tags; one "Exif\0\0" or more before it may be there or not. */
unsigned exif_orientation(const uint8_t *exif, size_t size);

/* XMP is XML: the tag is an attribute tiff:Orientation="6", or an element of that name. */
unsigned xmp_orientation(const uint8_t *xmp, size_t size);

#endif
