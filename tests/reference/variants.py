"""The residual networks beyond torchvision's in PyTorch, written for the tests from what sets each
apart: stems, shortcuts, gates, anti-aliasing, norms, pre-activation. Named as timm names them."""
import re

import torch
import torch.nn.functional as F
from torch import nn


class SqueezeExcite(nn.Module):
    def __init__(self, channels, reduced):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, channels, 1)

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(mean))))


class EfficientChannelAttention(nn.Module):
    def __init__(self, kernel):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x):
        mean = x.mean((2, 3))[:, None]
        return x * torch.sigmoid(self.conv(mean)).transpose(1, 2)[..., None]


class Blur(nn.Module):
    """3x3 binomial filter of stride 2; the image is reflected at its edge."""

    def forward(self, x):
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        weight = (row[:, None] * row).repeat(int(x.shape[1]), 1, 1, 1)
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, stride=2, groups=int(x.shape[1]))


class StandardisedConv(nn.Conv2d):
    """Each filter is given mean 0 and variance 1 before it is used."""

    def forward(self, x):
        flat = self.weight.flatten(1)
        flat = (flat - flat.mean(1, keepdim=True)) / (flat.var(1, unbiased=False, keepdim=True) + 1e-8).sqrt()
        return F.conv2d(x, flat.view_as(self.weight), self.bias, self.stride, self.padding, 1, self.groups)


class Options:
    """What a variant is made of; the defaults are torchvision's ResNet."""

    blocks, kinds = (1, 1), None  # kinds: "basic" or "bottleneck" of each stage
    planes = (8, 16, 24, 32)  # of each stage; a bottleneck gives `expansion` times as many
    expansion, inner, groups = 4, 1, 1
    halved = False  # a bottleneck's first convolution has half the width
    stem, stem_width = 7, 8  # stem: the kernel, or the three widths of a deep one
    conv_pool = False
    shortcut = "conv"  # conv, avg, zero, none
    down_kernel = 1
    gate = None  # se, eca
    antialias = None  # avg, blur
    norm_groups = 0
    preact = bit = final_norm = False
    conv_head = False
    channels, classes = 3, 7

    def __init__(self, **given):
        for key, value in given.items():
            assert hasattr(Options, key), key
            setattr(self, key, value)

    def conv(self, ni, no, kernel, stride=1, groups=1):
        kind = StandardisedConv if self.bit else nn.Conv2d
        return kind(ni, no, kernel, stride, kernel // 2, groups=groups, bias=False)

    def norm(self, channels):
        return nn.GroupNorm(self.norm_groups, channels) if self.norm_groups else nn.BatchNorm2d(channels)

    def soften(self):
        return nn.AvgPool2d(2) if self.antialias == "avg" else Blur()


def shortcut(o, ni, no, stride):
    if o.shortcut in ("zero", "none") or (stride == 1 and ni == no and not (o.preact and o.bit)):
        return None
    if o.shortcut == "avg":
        pool = nn.AvgPool2d(2, stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
        layers = [pool, o.conv(ni, no, 1)]
    else:
        layers = [o.conv(ni, no, o.down_kernel if stride > 1 else 1, stride)]
    return nn.Sequential(*layers, *([] if o.preact else [o.norm(no)]))


class Block(nn.Module):
    def __init__(self, o, kind, ni, planes, stride):
        super().__init__()
        self.o, self.stride = o, stride
        soft = stride > 1 and o.antialias
        if kind == "bottleneck":
            no, mid = planes * o.expansion, planes * o.inner
            first = mid // 2 if o.halved else mid
            shapes = [(ni, first, 1, 1, 1), (first, mid, 3, stride, o.groups), (mid, no, 1, 1, 1)]
        else:
            no = planes
            shapes = [(ni, no, 3, stride, 1), (no, no, 3, 1, 1)]
        self.strided = 2 if kind == "bottleneck" else 1
        self.count = len(shapes)
        for i, (a, b, kernel, step, groups) in enumerate(shapes, 1):
            self.add_module(f"conv{i}", o.conv(a, b, kernel, 1 if soft else step, groups))
            self.add_module(f"bn{i}", o.norm(a if o.preact else b))
        self.se = None
        if o.gate == "se":
            self.se = SqueezeExcite(no, max(1, no // 4))
        if o.gate == "eca":
            self.se = EfficientChannelAttention(3 if no < 32 else 5)
        self.soften = o.soften() if soft else None
        self.downsample = shortcut(o, ni, no, stride)
        self.out = no

    def around(self, x, y):
        if self.downsample is not None:
            return self.downsample(x)
        if self.o.shortcut == "zero" and x.shape != y.shape:
            more = y.shape[1] - x.shape[1]
            x = x[:, :, :: self.stride, :: self.stride]
            return F.pad(x, (0, 0, 0, 0, more // 2, more - more // 2))
        return x

    def forward(self, x):
        o, y = self.o, x
        for i in range(1, self.count + 1):
            conv, norm = getattr(self, f"conv{i}"), getattr(self, f"bn{i}")
            if o.preact:
                y = F.relu(norm(y))
                first = y if i == 1 else first
                y = conv(y)
            else:
                y = norm(conv(y))
                y = F.relu(y) if i < self.count else y
            if self.soften is not None and i == self.strided:
                y = self.soften(y)
        y = y if self.se is None else self.se(y)
        if o.preact:
            return y + (x if self.downsample is None else self.downsample(first))
        return F.relu(y + self.around(x, y))


class Variant(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.o = o
        self.small = o.stem == 3
        if isinstance(o.stem, int):
            width = o.stem_width
            self.conv1 = o.conv(o.channels, width, o.stem, 1 if self.small else 2)
        else:
            a, b, width = o.stem
            self.conv1 = nn.Sequential(
                o.conv(o.channels, a, 3, 2), o.norm(a), nn.ReLU(),
                o.conv(a, b, 3), o.norm(b), nn.ReLU(), o.conv(b, width, 3),
            )  # fmt: skip
        if not o.preact:
            self.bn1 = o.norm(width)
        self.maxpool = self.stem_pool(width)
        self.stages, ni = [], width
        for s, count in enumerate(o.blocks):
            kind, stage = o.kinds[s] if o.kinds else "bottleneck", []
            for i in range(count):
                stage.append(Block(o, kind, ni, o.planes[s], 2 if s and i == 0 else 1))
                ni = stage[-1].out
            self.stages.append(f"layer{s + 1}")
            self.add_module(self.stages[-1], nn.Sequential(*stage))
        if o.preact and o.final_norm:
            self.norm = o.norm(ni)
        self.fc = nn.Conv2d(ni, o.classes, 1) if o.conv_head else nn.Linear(ni, o.classes)

    def stem_pool(self, width):
        o = self.o
        if o.conv_pool:
            soft = [o.soften()] if o.antialias else []
            return nn.Sequential(o.conv(width, width, 3, 1 if soft else 2), *soft, o.norm(width), nn.ReLU())
        if self.small:
            return nn.Identity()
        if o.antialias == "avg":
            return nn.AvgPool2d(2)
        if o.antialias == "blur":
            return nn.Sequential(nn.MaxPool2d(3, 1, 1), Blur())
        return nn.Sequential(nn.ConstantPad2d(1, 0.0), nn.MaxPool2d(3, 2)) if o.bit else nn.MaxPool2d(3, 2, 1)

    def forward(self, x):
        x = self.conv1(x)
        if not self.o.preact:
            x = F.relu(self.bn1(x))
        x = self.maxpool(x)
        for name in self.stages:
            x = getattr(self, name)(x)
        if self.o.preact and self.o.final_norm:
            x = F.relu(self.norm(x))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(x).flatten(1) if self.o.conv_head else self.fc(x.flatten(1))


def variant(**options):
    return Variant(Options(**options))


# ---- other names ---------------------------------------------------------------------------------

V2 = [
    (r"^conv1\.0\.", "stem.conv1."), (r"^conv1\.1\.", "stem.norm1."), (r"^conv1\.3\.", "stem.conv2."),
    (r"^conv1\.4\.", "stem.norm2."), (r"^conv1\.6\.", "stem.conv3."), (r"^conv1\.", "stem.conv."),
    (r"downsample\.[01]\.", "downsample.conv."), (r"\.bn(\d)\.", r".norm\1."), (r"^fc\.", "head.fc."),
]  # fmt: skip


def timm_v2(name):
    """timm's resnetv2.py: stages and norms go by other names."""
    name = re.sub(r"^layer(\d+)\.", lambda m: f"stages.{int(m[1]) - 1}.blocks.", name)
    for pattern, replacement in V2:
        name = re.sub(pattern, replacement, name)
    return name


def hugging_face(name):
    """ResNetForImageClassification of the library transformers."""
    block = r"^layer(\d+)\.(\d+)\."
    stage = lambda m: f"resnet.encoder.stages.{int(m[1]) - 1}.layers.{m[2]}."  # noqa: E731
    name = re.sub(block + r"conv(\d)\.", lambda m: f"{stage(m)}layer.{int(m[3]) - 1}.convolution.", name)
    name = re.sub(block + r"bn(\d)\.", lambda m: f"{stage(m)}layer.{int(m[3]) - 1}.normalization.", name)
    name = re.sub(block + r"downsample\.0\.", lambda m: stage(m) + "shortcut.convolution.", name)
    name = re.sub(block + r"downsample\.1\.", lambda m: stage(m) + "shortcut.normalization.", name)
    name = re.sub(r"^conv1\.", "resnet.embedder.embedder.convolution.", name)
    name = re.sub(r"^bn1\.", "resnet.embedder.embedder.normalization.", name)
    return re.sub(r"^fc\.", "classifier.1.", name)


def cifar(name):
    """Repositories with networks for small images."""
    name = name.replace("downsample.", "shortcut.")
    return re.sub(r"^fc\.", "linear.", re.sub(r"^norm\.", "bn.", name))
