"""Write and read the safetensors format with NumPy alone (Debian has no package for it).

Layout: 8-byte little-endian header length, JSON header padded with spaces to a
multiple of 8, then the tensors' bytes without a hole, in the header's order.
"""
import json
import struct

import numpy as np

_NAMES = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64", "int32": "I32", "uint8": "U8"}
_TYPES = {name: np.dtype(dtype) for dtype, name in _NAMES.items()}


def import_torch():
    import torch

    return torch


def save(path, tensors, metadata=None):
    """tensors: dict of name -> numpy array or torch tensor."""
    header, parts, end = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, tensor in tensors.items():
        kind = None
        if hasattr(tensor, "detach"):
            tensor = tensor.detach().cpu()
            if "bfloat16" in str(tensor.dtype):  # NumPy has no such type: the bits will do
                kind, tensor = "BF16", tensor.view(import_torch().int16)
            tensor = tensor.numpy()
        array = np.ascontiguousarray(tensor).reshape(np.shape(tensor))
        data = array.tobytes()
        header[name] = {
            "dtype": kind or _NAMES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [end, end + len(data)],
        }
        end += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for data in parts:
            file.write(data)


def load(path):
    """Returns a dict of name -> numpy array."""
    with open(path, "rb") as file:
        blob = file.read()
    (size,) = struct.unpack("<Q", blob[:8])
    tensors = {}
    for name, entry in json.loads(blob[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        data = blob[8 + size + begin : 8 + size + end]
        tensors[name] = np.frombuffer(data, _TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors
