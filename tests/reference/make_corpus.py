#!/usr/bin/python3
"""Make the small files that the fuzz targets of the weights formats start from.

    tests/reference/make_corpus.py [FOLDER]      default: tests/fuzz/corpus
"""
import collections
import os
import shutil
import sys
import zipfile

import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import make_formats  # noqa: E402


def states():
    weight = torch.arange(6.0).reshape(2, 3)
    plain = collections.OrderedDict(w=weight, n=torch.tensor(3))
    yield "plain", plain
    yield "views", {"a": weight.t(), "b": weight[1:], "c": weight.half(), "d": weight.bfloat16()}
    yield "checkpoint", {"epoch": 3, "best": 0.5, "flag": True, "none": None, "big": 1 << 40,
                         "list": [1, 2], "state_dict": plain}  # fmt: skip
    yield "module", {"model": {"module.w": nn.Parameter(weight), "module.d": weight.double()}}


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(nn.functional.pad(x, (0, 1, 1, 0)))))
        x = nn.functional.max_pool2d(x, 2) + nn.functional.avg_pool2d(x, 2)
        return torch.softmax(self.fc(x.mean([2, 3])), 1)


def main(folder):
    for name in ("torch_zip", "torch_legacy", "pickle", "onnx"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    for name, state in states():
        path = os.path.join(folder, "torch_zip", name)
        torch.save(state, path)
        torch.save(state, os.path.join(folder, "torch_legacy", name), _use_new_zipfile_serialization=False)
        with zipfile.ZipFile(path) as archive, open(os.path.join(folder, "pickle", name), "wb") as out:
            out.write(archive.read(f"{name}/data.pkl"))
    for opset, unfolded in ((9, False), (13, True), (16, False)):
        make_formats.export(os.path.join(folder, "onnx", f"tiny-{opset}"), Tiny().eval(), [1, 8, 8], opset, unfolded)
    for name in ("mean-11", "gates-12", "linear-gates-16", "qlinear-12"):
        shutil.copy(os.path.join(HERE, "..", "golden", "cases", f"onnx-{name}.onnx"), os.path.join(folder, "onnx", name))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "fuzz", "corpus"))
