/* Builds ONNX models in memory from a short text, for tests. Statements stand between semicolons,
 * words between spaces:
 *
 *   input NAME SHAPE        "N,3,8,8"; a word stands for a size that is left open
 *   output NAME
 *   floats NAME SHAPE       raw data; small numbers that depend on name and index, see onnx_float()
 *   ints NAME VALUES        a list of 64-bit integers: "0,-1"
 *   external NAME SHAPE KEY VALUE...   floats in another file, with these entries
 *   tensor NAME TYPE SHAPE FIELD COUNT    any other: TYPE is ONNX's number, FIELD one of raw,
 * float, int32, int64, double and external; COUNT elements (raw: bytes) 1, 2, 3... opset DOMAIN
 * VERSION TYPE INPUTS > OUTPUTS ATTRIBUTES      a node; "-" is an input left out, "domain:Type" a
 * type
 *
 * Attributes are NAME=VALUE: "1,1" is a list of integers, "2," one of a single integer, "1" an
 * integer, "0.5" a float, "@x" the tensor x of an earlier statement, anything else a string. "."
 * stands for the shape of a scalar. */
#ifndef TESTS_UNIT_ONNX_BUILDER_H
#define TESTS_UNIT_ONNX_BUILDER_H

#include <stddef.h>
#include <stdint.h>

/* The model's bytes, in memory of exactly their size (malloc). A wrong text aborts. */
uint8_t *onnx_build(int64_t opset, const char *text, size_t *size);

/* Element i of `floats NAME`: multiples of 1/8 from -5/8 to 7/8, exact in every type. */
float onnx_float(const char *name, size_t i);

#endif
