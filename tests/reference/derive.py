"""Numbers that are not stored but derived, from a tensor's name and an element's place.

tests/golden/derive.c makes the same ones, bit by bit, so that a golden case holds names, shapes and
PyTorch's answer, and no weights.
"""
import math

import numpy as np


def uniform(name, count, low, high):
    """count float32 numbers in [low, high): splitmix64 counted on from the name's FNV-1a hash."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        x = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    unit = (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (low + (high - low) * unit).astype(np.float32)


def integers(name, count, limit):
    """Whole numbers from -limit to limit, as float32."""
    return np.floor(uniform(name, count, -limit, limit + 1))


def bounds(name, shape, gain):
    """The range of a tensor's numbers: its leaf and rank say what it is."""
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_mean":
        return -0.3, 0.3
    if leaf == "running_var":
        return 1.0, 3.0
    if len(shape) > 1:
        reach = gain * math.sqrt(3.0 / math.prod(shape[1:]))
        return -reach, reach
    return (0.3, 1.0) if leaf == "weight" else (-0.2, 0.2)


def tensor(name, shape, gain):
    return uniform(name, math.prod(shape), *bounds(name, shape, gain)).reshape(shape)


def images(shape):
    """shape: N, C, H, W"""
    return uniform("input", math.prod(shape), -2.0, 2.0).reshape(shape)
