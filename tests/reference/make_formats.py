#!/usr/bin/python3
"""Make the networks that are stored in the formats people have, with Debian's python3-torch.

    tests/reference/make_formats.py [FOLDER]      default: tests/golden

FOLDER/formats: net*: one network, saved in every way; all must give the same bits. typed*: another, in
every type of float.
FOLDER/cases:   onnx-*: torch.onnx exports with PyTorch's answer.
"""
import collections
import json
import os
import sys
import warnings

import onnx
import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import golden_case  # noqa: E402
import nets  # noqa: E402
import safetensors_file  # noqa: E402
import variants  # noqa: E402

TRAINING, EVAL = torch.onnx.TrainingMode.PRESERVE, torch.onnx.TrainingMode.EVAL


def export(path, model, shape, opset, unfolded=False, batch=True, kind=torch.float32, **more):
    """unfolded: batch norm stays a node of its own. batch: of any size, or 4."""
    axes = {"input": {0: "batch"}, "output": {0: "batch"}} if batch else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, torch.zeros(golden_case.BATCH, *shape, dtype=kind), path, opset_version=opset, input_names=["input"],
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
    make_folders(path, model, state)


def in_folder(path, name, config=None):
    os.makedirs(path, exist_ok=True)
    if config is not None:
        with open(os.path.join(path, "config.json"), "w") as file:
            json.dump(config, file)
    return os.path.join(path, name)


def make_folders(path, model, state):
    """Files beside the weights: other names, shards, an ONNX model's external data."""
    renamed = {variants.hugging_face(name): value for name, value in state.items()}
    safetensors_file.save(in_folder(path + "-hf", "model.safetensors", {"model_type": "resnet", "depths": [1, 2]}),
                          renamed)  # fmt: skip
    torch.save(renamed, in_folder(path + "-hf-bin", "pytorch_model.bin"))
    names, places = sorted(state), {}
    for i, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), 1):
        shard = f"model-{i:05d}-of-00002.safetensors"
        safetensors_file.save(in_folder(path + "-shards", shard), {name: state[name] for name in part})
        places.update({name: shard for name in part})
    with open(in_folder(path + "-shards", "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": 0}, "weight_map": places}, file, indent=2)
    external = in_folder(path + "-external", "model.onnx")
    export(external, model, [3, 37, 41], 13, unfolded=True)
    onnx.save_model(onnx.load(external), external, save_as_external_data=True, all_tensors_to_one_file=True,
                    location="model.onnx.data", size_threshold=0)  # fmt: skip


def make_types(folder):
    """A network whose weights are exact in every type of float."""
    model = nets.ResNet([1, 1], width=4, classes=5).eval()
    golden_case.set_weights(model)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_((value * 64).round() / 64 if value.abs().max() < 4 else value.round())
    state, path = model.state_dict(), os.path.join(folder, "typed")
    for name in ("float32", "float16", "bfloat16", "float64"):
        kind = getattr(torch, name)
        typed = {n: t.to(kind) if t.is_floating_point() else t for n, t in state.items()}
        safetensors_file.save(f"{path}-{name}.safetensors", typed)
        torch.save(typed, f"{path}-{name}.pth")
        torch.save(typed, f"{path}-{name}-legacy.pth", _use_new_zipfile_serialization=False)
    double = nets.ResNet([1, 1], width=4, classes=5).double().eval()
    double.load_state_dict(state)
    export(path + "-float64.onnx", double, [3, 37, 41], 13, unfolded=True, kind=torch.float64)


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


class Gates(nn.Module):
    """A squeeze-excite gate over a mean whose axes are kept."""

    def __init__(self):
        super().__init__()
        self.conv, self.down, self.up = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.conv(x)
        gate = torch.sigmoid(self.up(F.relu(self.down(x.mean([2, 3], keepdim=True)))))
        return self.fc((x * gate).mean([2, 3]))


class LinearGates(nn.Module):
    """A squeeze-excite gate of linear layers, and a gate along the channels that is expanded."""

    def __init__(self):
        super().__init__()
        self.conv, self.down, self.up = nn.Conv2d(3, 8, 3, 2), nn.Linear(8, 2), nn.Linear(2, 8, bias=False)
        self.along, self.fc = nn.Conv1d(1, 1, 5, padding=2, bias=False), nn.Linear(8, 5)

    def forward(self, x):
        x = self.conv(x)
        gate = torch.sigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1).view(x.shape[0], 8)))))
        x = F.max_pool2d(x * gate.view(x.shape[0], 8, 1, 1), 3, 2, 1, ceil_mode=True)
        gate = self.along(x.mean((2, 3)).view(x.shape[0], 1, -1)).sigmoid().view(x.shape[0], -1, 1, 1)
        return self.fc((x * gate.expand_as(x)).mean([2, 3]))


def steps(x, scale, zero, signed=False):
    low = -128 if signed else 0
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, low, low + 255)


def weight_steps(weight):
    scale = torch.tensor([2.0 ** (-6 - (i + 1) % 2) for i in range(weight.shape[0])])
    return torch.fake_quantize_per_channel_affine(weight, scale, torch.zeros_like(scale).int(), 0, -128, 127)


class Quantised(nn.Module):
    """Every tensor held to 8-bit steps whose sizes are powers of two: sums are exact."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 1, bias=False)
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        x = steps(x, 2.0**-5, 128)
        x = F.conv2d(x, weight_steps(self.conv1.weight), self.conv1.bias, padding=1)
        x = F.max_pool2d(steps(x, 2.0**-4, 0), 2)
        y = steps(F.conv2d(x, weight_steps(self.conv2.weight)), 2.0**-4, 3, signed=True)
        x = steps(x + y, 2.0**-4, 0)
        x = steps(F.adaptive_avg_pool2d(x, 1), 2.0**-6, 0).flatten(1)
        weight = steps(self.fc.weight, 2.0**-7, 0, signed=True)
        return steps(steps(F.linear(x, weight), 2.0**-5, 128) + steps(self.fc.bias, 2.0**-5, 128), 2.0**-5, 128)


def whole(tensor, scale):
    """The signed integers behind a weight that weight_steps() or steps() holds; scale: one per row."""
    shape = [-1] + [1] * (tensor.dim() - 1)
    return torch.clamp(torch.round(tensor / scale.reshape(shape)), -128, 127).to(torch.int8).numpy()


def qlinear(path, model):
    """The same network as QLinear operators, which torch does not export."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def of(name, scale, zero, kind):
        return [constant(name + "_s", np.float32(scale)), constant(name + "_z", kind(zero))]

    def node(op, inputs, output, **more):
        nodes.append(helper.make_node(op, inputs, [output], **more))

    rows = torch.tensor([2.0 ** (-6 - (i + 1) % 2) for i in range(6)])
    u8, i8, ms = np.uint8, np.int8, dict(domain="com.microsoft")
    x, a, b, c, d, e = (of(n, s, z, k) for n, s, z, k in (
        ("x", 2.0**-5, 128, u8), ("a", 2.0**-4, 0, u8), ("b", 2.0**-4, 3, i8), ("c", 2.0**-4, 0, u8),
        ("d", 2.0**-6, 0, u8), ("e", 2.0**-5, 128, u8)))  # fmt: skip
    w = [constant("w_s", rows.numpy()), constant("w_z", np.zeros(6, i8))]
    f = of("f", 2.0**-7, 0, i8)
    bias = torch.round(model.conv1.bias / (2.0**-5 * rows)).to(torch.int32).numpy()
    with torch.no_grad():
        model.conv1.bias.copy_(torch.from_numpy(bias) * 2.0**-5 * rows)
        head = torch.clamp(torch.round(model.fc.bias * 32) + 128, 0, 255).to(torch.uint8).numpy()
    node("QuantizeLinear", ["x", *x], "xq")
    node("QLinearConv", ["xq", *x, constant("w1", whole(model.conv1.weight.detach(), rows)), *w, *a,
                         constant("b1", bias)], "aq", pads=[1, 1, 1, 1])  # fmt: skip
    node("MaxPool", ["aq"], "mq", kernel_shape=[2, 2], strides=[2, 2])
    node("QLinearConv", ["mq", *a, constant("w2", whole(model.conv2.weight.detach(), rows)), *w, *b], "bq")
    node("QLinearAdd", ["mq", *a, "bq", *b, *c], "cq", **ms)
    node("QLinearGlobalAveragePool", ["cq", *c, *d], "dq", **ms, channels_last=0)
    node("Flatten", ["dq"], "fq")
    head_weight = whole(model.fc.weight.detach(), torch.full((4,), 2.0**-7)).T.copy()
    node("QLinearMatMul", ["fq", *d, constant("w3", head_weight), *f, *e], "eq")
    node("QLinearAdd", ["eq", *e, constant("b3", head), *e, *e], "yq", **ms)
    node("DequantizeLinear", ["yq", *e], "y")
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 10, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])], constants)  # fmt: skip
    opsets = [helper.make_opsetid("", 12), helper.make_opsetid("com.microsoft", 1)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=7), path)


SMALL = dict(blocks=[1, 1], kinds=["basic", "basic"], planes=(8, 12))
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
    "onnx-gates-12": (Gates, [3, 15, 14], dict(opset=12)),
    "onnx-gates-13-unfolded": (Gates, [3, 15, 14], dict(opset=13, unfolded=True)),
    "onnx-qdq-13": (Quantised, [3, 10, 8], dict(opset=13, unfolded=True)),
    "onnx-eca-11": (lambda: variants.variant(**SMALL, gate="eca"), [3, 33, 30], dict(opset=11)),
    "onnx-gn-13": (lambda: variants.variant(**SMALL, norm_groups=4), [3, 33, 30], dict(opset=13)),
    "onnx-bit-12": (lambda: variants.variant(**SMALL, norm_groups=4, preact=True, bit=True, final_norm=True),
                    [3, 33, 31], dict(opset=12)),
    "onnx-blur-rs-14": (lambda: variants.variant(**dict(SMALL, stem=(4, 4, 8)), antialias="blur", conv_pool=True),
                        [3, 35, 30], dict(opset=14)),
    "onnx-cifar-13": (lambda: variants.variant(**dict(SMALL, stem=3), shortcut="zero"), [3, 17, 12], dict(opset=13)),
    "onnx-cifar-17": (lambda: variants.variant(**dict(SMALL, stem=3), shortcut="zero"), [3, 17, 12], dict(opset=17)),
    "onnx-linear-gates-16": (LinearGates, [3, 12, 9], dict(opset=16)),
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


def make_qlinear(folder):
    model = Quantised().eval()
    golden_case.set_weights(model)
    qlinear(os.path.join(folder, "onnx-qlinear-12.onnx"), model)
    golden_case.write(os.path.join(folder, "onnx-qlinear-12.json"), [3, 10, 8],
                      golden_case.answer(model, [3, 10, 8]), model="onnx-qlinear-12.onnx")  # fmt: skip


if __name__ == "__main__":
    TOP = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "golden")
    make_formats(os.path.join(TOP, "formats"))
    make_types(os.path.join(TOP, "formats"))
    make_exports(os.path.join(TOP, "cases"))
    make_qlinear(os.path.join(TOP, "cases"))
