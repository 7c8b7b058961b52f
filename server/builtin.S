/* The files of the built-in models and of the API document, as they are, in the read-only data of the binary: one symbol at
 * the beginning and one at the end of each. */
#define PLACE(symbol, file) \
    .balign 64; .global symbol; symbol: .incbin file; .global symbol##_end; symbol##_end: .byte 0

    .section .rodata
#define BUILTIN(symbol, name, weights, config) \
    PLACE(builtin_##symbol##_weights, weights); \
    PLACE(builtin_##symbol##_config, config)
#include "builtin.def"
PLACE(builtin_example, "deploy/models/fashion-example.json")
PLACE(api_components, "server/api/openapi.json")

    .section .note.GNU-stack, "", %progbits
