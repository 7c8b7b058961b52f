#!/usr/bin/python3
"""Torchvision's networks at full size: PyTorch's answers against the engine's.

    tests/reference/full_size.py GOLDEN_TEST [NAME...]

GOLDEN_TEST is the program build/tests/golden/golden_test. Each network is saved as model.safetensors
in a temporary folder and as torch.onnx exports it, answered by PyTorch at 224x224 and at an odd size, and
compared.
"""
import os
import subprocess
import sys
import tempfile

import torchvision
from torchvision.models.resnet import Bottleneck, ResNet

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import golden_case  # noqa: E402
import make_formats  # noqa: E402

BY_BLOCKS = {"resnet26": [2, 2, 2, 2], "resnet200": [3, 24, 36, 3]}
NAMES = [
    "resnet18", "resnet34", "resnet26", "resnet50", "resnet101", "resnet152", "resnet200", "resnext50_32x4d",
    "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
]  # fmt: skip
SIZES = [[3, 224, 224], [3, 161, 193]]


def make(name):
    if name in BY_BLOCKS:
        return ResNet(Bottleneck, BY_BLOCKS[name])
    return getattr(torchvision.models, name)(weights=None)


def check(program, name):
    """Returns whether the engine agrees."""
    with tempfile.TemporaryDirectory() as folder:
        model = make(name)
        golden_case.make_stored(folder, name, model, SIZES[0])
        paths = [os.path.join(folder, name + ".json")]
        for channels, height, width in SIZES[1:]:
            path = os.path.join(folder, f"{name}-{height}x{width}.json")
            shape = [channels, height, width]
            golden_case.write(path, shape, golden_case.answer(model, shape), model=name)
            paths.append(path)
        exported, shape = name + ".onnx", SIZES[0]
        make_formats.export(os.path.join(folder, exported), model.eval(), shape, 13)
        paths.append(os.path.join(folder, name + "-onnx.json"))
        golden_case.write(paths[-1], shape, golden_case.answer(model, shape), model=exported)
        run = subprocess.run([program, *paths], capture_output=True, text=True)
        for line in run.stdout.splitlines()[: len(paths)]:
            print(line.replace(folder + "/", ""), flush=True)
        print(run.stderr, end="", file=sys.stderr, flush=True)
        return run.returncode == 0


def main(program, names):
    failed = [name for name in names if not check(program, name)]
    print(f"{len(names) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2:] or NAMES))
