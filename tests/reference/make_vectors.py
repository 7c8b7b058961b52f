#!/usr/bin/python3
"""Make the vectors that single operators are held to, with Debian's python3-torch.

    tests/reference/make_vectors.py [FILE]      default: tests/kernels/vectors.json

Inputs and weights are derived small integers, so that every sum is exact in float32 and an
operator's answer has to be equal; batch norm and averages, which divide, come with a tolerance.
"""
import json
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import derive  # noqa: E402


def integers(name, shape):
    return torch.from_numpy(derive.integers(name, math.prod(shape), 4).reshape(shape))


def pair(value):
    return list(value) if isinstance(value, (list, tuple)) else [value, value]


def pads(pad):
    """One, (height, width), or (top, left, bottom, right)."""
    return list(pad) if isinstance(pad, (list, tuple)) and len(pad) == 4 else pair(pad) * 2


def epilogue(y, case):
    """act: ReLU or none; add: before it, after it, or none."""
    addend = integers("addend", list(y.shape)) if case.get("add") else 0
    if case.get("add") == "before":
        y = y + addend
    if case.get("relu"):
        y = F.relu(y)
    return y + addend if case.get("add") == "after" else y


def padded(x, pad, value=0.0):
    top, left, bottom, right = pad
    return F.pad(x, (left, right, top, bottom), value=value)


def conv(case, x):
    weight = integers("weight", [case["channels"], x.shape[1] // case["groups"], *case["kernel"]])
    y = F.conv2d(padded(x, case["pad"]), weight, integers("bias", [case["channels"]]), case["stride"],
                 dilation=case["dilation"], groups=case["groups"])  # fmt: skip
    return epilogue(y, case)


def max_pool(case, x):
    top, left = case["pad"][:2]
    return F.max_pool2d(x, case["kernel"], case["stride"], (top, left), case["dilation"], case["ceil_mode"])


def avg_pool(case, x):
    top, left = case["pad"][:2]
    return F.avg_pool2d(x, case["kernel"], case["stride"], (top, left), case["ceil_mode"],
                        case["count_include_pad"])  # fmt: skip


def linear(case, x):
    weight = integers("weight", [case["channels"], x.shape[1]])
    return epilogue(F.linear(x, weight, integers("bias", [case["channels"]])), case)


def batch_norm(case, x):
    c = [x.shape[1]]
    var = integers("var", c).abs() + 1
    y = F.batch_norm(x, integers("mean", c), var, integers("weight", c), integers("bias", c), eps=case["eps"])
    return epilogue(y, case)


def add(case, x):
    return epilogue(x + integers("second", [x.shape[0], *case["second"]]), case)


def group_norm(case, x):
    c = [x.shape[1]]
    return F.group_norm(x, case["groups"], integers("weight", c), integers("bias", c), case["eps"])


def channel_conv(case, x):
    kernel = case["kernel"][0]
    weight = integers("weight", [kernel]).reshape(1, 1, kernel)
    return F.conv1d(x.flatten(2).transpose(1, 2), weight, padding=kernel // 2).transpose(1, 2)[..., None]


def blur_pool(case, x):
    row = torch.tensor([1.0, 2.0, 1.0])
    weight = (row[:, None] * row / 16).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, stride=case["stride"], groups=x.shape[1])


def channel_pad(case, x):
    more = case["channels"] - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, more // 2, more - more // 2))


def fake_quantize(case, x):
    step, lowest, highest = case["steps"]
    return torch.fake_quantize_per_tensor_affine(x, step, 0, int(lowest), int(highest))


# Elementwise operators of one value: a function of it and the case's parameters.
UNARY = {
    "ReLU": lambda x: F.relu(x),
    "Sigmoid": lambda x: torch.sigmoid(x),
    "Tanh": lambda x: torch.tanh(x),
    "Hardtanh": lambda x, low, high: F.hardtanh(x, low, high),
    "LeakyReLU": lambda x, slope: F.leaky_relu(x, slope),
    "Hardsigmoid": lambda x, alpha, beta: torch.clamp(alpha * x + beta, 0, 1),
    "Hardswish": lambda x: F.hardswish(x),
    "SiLU": lambda x: F.silu(x),
    "Mish": lambda x: F.mish(x),
    "GELU": lambda x: F.gelu(x),
    "GELU (tanh)": lambda x: F.gelu(x, approximate="tanh"),
    "ELU": lambda x, alpha: F.elu(x, alpha),
    "SELU": lambda x, alpha, scale: scale * F.elu(x, alpha),
    "CELU": lambda x, alpha: F.celu(x, alpha),
    "Softplus": lambda x: F.softplus(x),
    "Softsign": lambda x: F.softsign(x),
    "Exp": lambda x: torch.exp(x),
    "Erf": lambda x: torch.erf(x),
    "Power": lambda x, exponent: x**exponent,
    "Neg": lambda x: -x,
    "Abs": lambda x: x.abs(),
    "Sign": lambda x: torch.sign(x),
}
BINARY = {"Sub": torch.sub, "Mul": torch.mul, "Max": torch.maximum, "Min": torch.minimum}


def unary(case, x):
    return UNARY[case["op"]](x, *case.get("steps", []))


def binary(case, x):
    return epilogue(BINARY[case["op"]](x, integers("second", [x.shape[0], *case["second"]])), case)


def prelu(case, x):
    return F.prelu(x, integers("weight", [x.shape[1]]))


OPERATORS = {
    "Conv2d": conv, "MaxPool2d": max_pool, "AvgPool2d": avg_pool, "Linear": linear, "Add": add,
    "BatchNorm2d": batch_norm, "PReLU": prelu,
    "AdaptiveAvgPool2d": lambda case, x: F.adaptive_avg_pool2d(x, 1),
    "Flatten": lambda case, x: x.flatten(1),
    "Concat": lambda case, x: torch.cat([x, integers("second", [x.shape[0], *case["second"]])], 1),
    "ZeroPad2d": lambda case, x: padded(x, case["pad"]),
    "Softmax": lambda case, x: F.softmax(x, 1),
    "GroupNorm": group_norm, "Conv1d": channel_conv,
    "BlurPool2d": blur_pool, "ChannelPad": channel_pad,
    "FakeQuantize": fake_quantize,
    **{name: unary for name in UNARY}, **{name: binary for name in BINARY},
}  # fmt: skip


def window(kernel, stride=1, pad=0, dilation=1, **more):
    return dict(kernel=pair(kernel), stride=pair(stride), pad=pads(pad), dilation=pair(dilation), **more)


def conv_case(shape, channels, kernel, stride=1, pad=0, dilation=1, groups=1, **more):
    return dict(op="Conv2d", input=shape, channels=channels, groups=groups,
                **window(kernel, stride, pad, dilation), **more)  # fmt: skip


def pool_case(op, shape, kernel, stride, pad=0, dilation=1, ceil_mode=False, count_include_pad=False):
    return dict(op=op, input=shape, ceil_mode=ceil_mode, count_include_pad=count_include_pad,
                **window(kernel, stride, pad, dilation))  # fmt: skip


CASES = [
    conv_case([1, 1, 1], 1, 1),
    conv_case([3, 5, 4], 2, 3),
    conv_case([3, 5, 4], 17, 3, pad=1, n=3),
    conv_case([17, 4, 5], 5, 1),
    conv_case([5, 9, 8], 4, 3, stride=2, pad=1),
    conv_case([4, 9, 8], 4, [3, 2], stride=[2, 3], pad=[1, 0]),
    conv_case([3, 15, 13], 4, 7, stride=2, pad=3),
    conv_case([2, 3, 3], 3, 5, stride=2, pad=3),
    conv_case([2, 7, 7], 3, 3, stride=4),
    conv_case([2, 9, 9], 3, 3, pad=2, dilation=2),
    conv_case([2, 9, 11], 3, [2, 3], dilation=[3, 2]),
    conv_case([2, 4, 4], 3, 4, pad=(1, 1, 2, 2)),
    conv_case([2, 3, 4], 3, [1, 3], pad=(0, 2, 0, 0)),
    conv_case([2, 2, 2], 3, 2, pad=3),
    conv_case([6, 5, 5], 9, 3, pad=1, groups=3),
    conv_case([8, 5, 5], 8, 3, stride=2, pad=1, groups=8),
    conv_case([4, 4, 4], 12, 1, groups=4),
    conv_case([40, 3, 3], 36, 3, pad=1, groups=2, n=1),
    conv_case([3, 6, 5], 7, 3, pad=1, relu=True),
    conv_case([3, 6, 5], 7, 3, pad=1, relu=True, add="before"),
    conv_case([3, 6, 5], 7, 3, pad=1, relu=True, add="after"),
    conv_case([3, 6, 5], 7, 1, add="before"),
    pool_case("MaxPool2d", [3, 7, 6], 2, 2),
    pool_case("MaxPool2d", [3, 7, 6], 2, 2, ceil_mode=True),
    pool_case("MaxPool2d", [2, 8, 9], 3, 2, pad=1),
    pool_case("MaxPool2d", [2, 9, 9], [2, 3], [3, 1], pad=[1, 0]),
    pool_case("MaxPool2d", [2, 9, 8], 3, 2, dilation=2),
    pool_case("MaxPool2d", [2, 4, 4], 3, 3, dilation=2, ceil_mode=True),
    pool_case("MaxPool2d", [2, 1, 1], 2, 2, pad=1, ceil_mode=True),
    pool_case("AvgPool2d", [3, 7, 6], 2, 2),
    pool_case("AvgPool2d", [3, 7, 6], 2, 2, ceil_mode=True),
    pool_case("AvgPool2d", [3, 7, 6], 2, 2, ceil_mode=True, count_include_pad=True),
    pool_case("AvgPool2d", [2, 8, 9], 3, 2, pad=1),
    pool_case("AvgPool2d", [2, 8, 9], 3, 2, pad=1, count_include_pad=True),
    pool_case("AvgPool2d", [2, 8, 9], 3, 2, pad=1, ceil_mode=True, count_include_pad=True),
    pool_case("AvgPool2d", [2, 5, 4], [4, 3], [3, 1], pad=[2, 1], count_include_pad=True),
    pool_case("AvgPool2d", [2, 1, 3], 2, 2, ceil_mode=True, count_include_pad=False),
    dict(op="AdaptiveAvgPool2d", input=[5, 7, 3]),
    dict(op="AdaptiveAvgPool2d", input=[17, 1, 1]),
    dict(op="Linear", input=[7], channels=5),
    dict(op="Linear", input=[33], channels=18, n=5),
    dict(op="Linear", input=[33], channels=3, relu=True, n=1),
    dict(op="BatchNorm2d", input=[5, 3, 4], eps=1e-5),
    dict(op="BatchNorm2d", input=[5, 3, 4], eps=1e-2, relu=True),
    dict(op="BatchNorm2d", input=[18], eps=1e-5),
    dict(op="ReLU", input=[5, 3, 4]),
    dict(op="ReLU", input=[19]),
    dict(op="Flatten", input=[5, 3, 4]),
    *(dict(op=op, input=[5, 3, 4]) for op in (
        "Tanh", "Hardswish", "SiLU", "Mish", "GELU", "Softplus", "Softsign", "Exp", "Erf", "Neg", "Abs", "Sign")),
    dict(op="Hardtanh", input=[5, 3, 4], steps=[-2, 3]),
    dict(op="LeakyReLU", input=[5, 3, 4], steps=[0.25]),
    dict(op="Hardsigmoid", input=[5, 3, 4], steps=[0.25, 0.5]),
    dict(op="GELU (tanh)", input=[5, 3, 4]),
    dict(op="ELU", input=[5, 3, 4], steps=[1.5]),
    dict(op="SELU", input=[5, 3, 4], steps=[1.5, 0.75]),
    dict(op="CELU", input=[5, 3, 4], steps=[1.5]),
    dict(op="Power", input=[5, 3, 4], steps=[3]),
    dict(op="PReLU", input=[5, 3, 4]),
    dict(op="PReLU", input=[7], n=3),
    dict(op="Sub", input=[5, 3, 4], second=[5, 1, 1]),
    dict(op="Sub", input=[1, 3, 4], second=[5, 3, 4], relu=True),
    dict(op="Max", input=[5, 3, 4], second=[5, 3, 4]),
    dict(op="Min", input=[5, 3, 4], second=[1, 3, 1]),
    dict(op="Add", input=[5, 3, 4], second=[5, 3, 4]),
    dict(op="Add", input=[5, 3, 4], second=[5, 3, 4], relu=True),
    dict(op="Add", input=[5, 3, 4], second=[1, 3, 4]),
    dict(op="Add", input=[1, 3, 4], second=[5, 3, 4]),
    dict(op="Add", input=[5, 1, 4], second=[5, 3, 1]),
    dict(op="Add", input=[5, 3, 4], second=[1, 1, 1], relu=True),
    dict(op="Concat", input=[5, 3, 4], second=[2, 3, 4]),
    dict(op="Concat", input=[3], second=[4], n=3),
    dict(op="ZeroPad2d", input=[2, 3, 4], **window(0, pad=(1, 0, 2, 3))),
    dict(op="ZeroPad2d", input=[2, 3, 4], **window(0, pad=(0, 2, 0, 0))),
    dict(op="Softmax", input=[7], n=3),
    dict(op="Softmax", input=[5, 3, 2]),
    dict(op="FakeQuantize", input=[5, 3, 2], steps=[2, -2, 1]),
    dict(op="FakeQuantize", input=[19], steps=[0.5, 0, 5]),
    dict(op="Mul", input=[5, 3, 4], second=[5, 1, 1]),
    dict(op="Mul", input=[17, 1, 1], second=[17, 3, 2]),
    dict(op="Mul", input=[5, 3, 4], second=[5, 3, 4]),
    dict(op="Sigmoid", input=[17, 1, 1]),
    dict(op="Sigmoid", input=[9]),
    dict(op="GroupNorm", input=[6, 3, 4], groups=3, eps=1e-5),
    dict(op="GroupNorm", input=[6, 3, 4], groups=6, eps=1e-2),
    dict(op="GroupNorm", input=[40, 2, 2], groups=4, eps=1e-5, n=1),
    dict(op="Conv1d", input=[7, 1, 1], **window([3, 1])),
    dict(op="Conv1d", input=[18, 1, 1], **window([5, 1])),
    dict(op="Conv1d", input=[2, 1, 1], **window([7, 1])),
    dict(op="BlurPool2d", input=[3, 5, 4], **window(3, 2, 1)),
    dict(op="BlurPool2d", input=[3, 2, 7], **window(3, 2, 1)),
    dict(op="BlurPool2d", input=[2, 3, 3], **window(3, 1, 1)),
    dict(op="ChannelPad", input=[3, 4, 5], channels=6),
    dict(op="ChannelPad", input=[4, 3, 3], channels=8),
]


def main(path):
    lines = []
    for case in CASES:
        case = {"n": 2, **case}
        y = OPERATORS[case["op"]](case, integers("input", [case["n"], *case["input"]])).numpy()
        assert np.isfinite(y).all()
        case["output"] = list(y.shape[1:])
        numbers = ",".join("%.9g" % v for v in y.ravel())
        lines.append(json.dumps(case, separators=(",", ":"))[:-1] + ',"expected":[' + numbers + "]}")
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "kernels", "vectors.json"))
