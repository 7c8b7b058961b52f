"""Residual networks in PyTorch for the tests, any width and depth, named as torchvision names them."""
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1 for a bottleneck; the addition, then the ReLU."""

    def __init__(self, ni, planes, stride, bottleneck, groups=1, inner=1, stride_in_1x1=False):
        super().__init__()
        self.bottleneck = bottleneck
        no = planes * 4 if bottleneck else planes
        if bottleneck:
            mid = planes * inner
            first, second = (stride, 1) if stride_in_1x1 else (1, stride)
            self.conv1 = nn.Conv2d(ni, mid, 1, first, bias=False)
            self.conv2 = nn.Conv2d(mid, mid, 3, second, 1, groups=groups, bias=False)
            self.conv3 = nn.Conv2d(mid, no, 1, bias=False)
            self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(mid), nn.BatchNorm2d(mid), nn.BatchNorm2d(no)
        else:
            self.conv1 = nn.Conv2d(ni, no, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(no, no, 3, 1, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(no), nn.BatchNorm2d(no)
        self.downsample = None
        if stride != 1 or ni != no:
            self.downsample = nn.Sequential(nn.Conv2d(ni, no, 1, stride, bias=False), nn.BatchNorm2d(no))
        self.out = no

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck=False, width=8, classes=10, groups=1, inner=1, stem=7,
                 channels=3, stride_in_1x1=False):  # fmt: skip
        super().__init__()
        self.small = stem == 3
        self.conv1 = nn.Conv2d(channels, width, stem, 1 if self.small else 2, stem // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.stages, ni = [], width
        for s, count in enumerate(blocks):
            stage = []
            for i in range(count):
                stride = 2 if s > 0 and i == 0 else 1
                stage.append(Block(ni, width << s, stride, bottleneck, groups, inner, stride_in_1x1))
                ni = stage[-1].out
            self.stages.append(f"layer{s + 1}")
            self.add_module(self.stages[-1], nn.Sequential(*stage))
        self.fc = nn.Linear(ni, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if not self.small:
            x = F.max_pool2d(x, 3, 2, 1)
        for name in self.stages:
            x = getattr(self, name)(x)
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))
