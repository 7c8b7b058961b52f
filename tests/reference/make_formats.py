#!/usr/bin/python3
"""Make the networks that are stored in the formats people have, with Debian's python3-torch.

    tests/reference/make_formats.py [FOLDER]      default: tests/golden

FOLDER/formats: one network, saved in every way; all must give the same bits.
FOLDER/cases:   onnx-*: torch.onnx exports with PyTorch's answer.
"""
import collections
import os
import sys
import warnings

import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import golden_case  # noqa: E402
import nets  # noqa: E402
import safetensors_file  # noqa: E402

TRAINING, EVAL = torch.onnx.TrainingMode.PRESERVE, torch.onnx.TrainingMode.EVAL


def export(path, model, shape, opset, unfolded=False, batch=True, **more):
    """unfolded: batch norm stays a node of its own. batch: of any size, or 4."""
    axes = {"input": {0: "batch"}, "output": {0: "batch"}} if batch else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, torch.zeros(golden_case.BATCH, *shape), path, opset_version=opset, input_names=["input"],
            output_names=["output"], dynamic_axes=axes, training=TRAINING if unfolded else EVAL,
            do_constant_folding=not unfolded, **more)  # fmt: skip


def make_formats(folder):
    os.makedirs(folder, exist_ok=True)
    model = nets.ResNet([1, 2], width=8, classes=7).eval()
    golden_case.set_weights(model)
    state = model.state_dict()
    path = os.path.join(folder, "net")
    safetensors_file.save(path + ".safetensors", state)
    torch.save(state, path + ".pth")
    torch.save(state, path + "-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 90, "state_dict": state, "best": 0.76}, path + "-checkpoint.pth")
    wrapped = collections.OrderedDict((f"module.{name}", value) for name, value in state.items())
    torch.save({"model": wrapped}, path + "-module-legacy.pth", _use_new_zipfile_serialization=False)
    permuted = {n: t.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1) if t.dim() == 4 else t
                for n, t in state.items()}  # fmt: skip
    torch.save(permuted, path + "-strided.pth")
    export(path + ".onnx", model, [3, 37, 41], 13, unfolded=True)


class Odd(nn.Module):
    """What exporters make special nodes of: padding in an average, view, a joined branch, softmax."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.branch = nn.Conv2d(6, 5, 1)
        self.shift = nn.Parameter(torch.zeros(11, 1, 1))
        self.fc = nn.Linear(11 * 5 * 5, 9)

    def forward(self, x):
        x = (x - 0.25) / 0.5
        x = F.relu(self.bn(self.conv(F.pad(x, (0, 1, 2, 0)))))
        x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=True)
        x = torch.cat([x, self.branch(x)], 1) + self.shift
        x = F.dropout(x, 0.5, self.training)
        x = self.fc(x.view(x.size(0), -1))
        return F.softmax(x, 1)


class Mean(nn.Module):
    """A mean over H and W, and a matrix without a bias."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3, padding=1, groups=2)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.fc = nn.Linear(6, 5, bias=False)

    def forward(self, x):
        return self.fc(self.pool(self.conv(x)).mean([2, 3]))


BASIC = dict(blocks=[1, 1], width=4)
BOTTLENECK = dict(blocks=[1, 1, 1], width=4, bottleneck=True, groups=2)
EXPORTS = {
    "onnx-basic-9": (lambda: nets.ResNet(**BASIC), [3, 33, 40], dict(opset=9, batch=False)),
    "onnx-basic-10-inputs": (lambda: nets.ResNet(**BASIC), [3, 33, 40],
                             dict(opset=10, keep_initializers_as_inputs=True)),
    "onnx-basic-11-unfolded": (lambda: nets.ResNet(**BASIC), [3, 33, 40], dict(opset=11, unfolded=True)),
    "onnx-bottleneck-12": (lambda: nets.ResNet(**BOTTLENECK), [3, 35, 32], dict(opset=12)),
    "onnx-bottleneck-14-unfolded": (lambda: nets.ResNet(**BOTTLENECK), [3, 35, 32], dict(opset=14, unfolded=True)),
    "onnx-bottleneck-16": (lambda: nets.ResNet(**BOTTLENECK), [3, 35, 32], dict(opset=16)),
    "onnx-odd-9": (Odd, [3, 18, 16], dict(opset=9)),
    "onnx-odd-13": (Odd, [3, 18, 16], dict(opset=13)),
    "onnx-odd-16-unfolded": (Odd, [3, 18, 16], dict(opset=16, unfolded=True)),
    "onnx-mean-11": (Mean, [2, 12, 9], dict(opset=11)),
}  # fmt: skip


def make_exports(folder):
    for name, (make, shape, how) in EXPORTS.items():
        model = make().eval()
        golden_case.set_weights(model)
        export(os.path.join(folder, name + ".onnx"), model, shape, **how)
        model.eval()
        golden_case.write(os.path.join(folder, name + ".json"), shape, golden_case.answer(model, shape),
                          model=name + ".onnx")  # fmt: skip


if __name__ == "__main__":
    TOP = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "golden")
    make_formats(os.path.join(TOP, "formats"))
    make_exports(os.path.join(TOP, "cases"))
