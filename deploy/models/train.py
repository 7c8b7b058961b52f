#!/usr/bin/python3
"""Train the two models that are built into resnetd, on Fashion-MNIST.

    deploy/models/train.py fashion-reslayer     a stack of the residual layer, no batch norm
    deploy/models/train.py fashion-resnet       basic blocks with batch norm

Needs Debian's python3-torch and dataset-fashion-mnist. Writes model.safetensors,
config.json and accuracy.json into the model's folder; accuracy.json holds what
PyTorch measures in float32 over all 10,000 test images. The last epoch is the
one that is kept: nothing is selected by its result on the test images.
"""
import argparse
import json
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "reference"))
import fashion  # noqa: E402
import safetensors_file  # noqa: E402


class ResLayer(nn.Module):
    """y = ReLU(conv(x)) + x: the signal passes unharmed beside the layer."""

    def __init__(self, ni, no, kernel_size, stride=1):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(ni, no, kernel_size, stride, padding=kernel_size - 2))
        with torch.no_grad():  # without batch norm a deep stack must start near the identity
            self.conv[0].weight.mul_(0.5)
            self.conv[0].bias.zero_()

    def forward(self, x):
        return F.relu(self.conv(x)) + x


def reslayer_stack():
    return nn.Sequential(
        nn.Conv2d(1, 48, 3, stride=2, padding=1), nn.ReLU(),
        ResLayer(48, 48, 3), ResLayer(48, 48, 3), ResLayer(48, 48, 3),
        nn.Conv2d(48, 96, 3, stride=2, padding=1), nn.ReLU(),
        ResLayer(96, 96, 3), ResLayer(96, 96, 3), ResLayer(96, 96, 3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 10),
    )  # fmt: skip


RESLAYER_CONFIG = {
    "model_type": "layers",
    "input": {"shape": [1, 28, 28]},
    "layers": [
        {"type": "Conv2d", "stride": 2, "padding": 1}, {"type": "ReLU"},
        {"type": "ResLayer"}, {"type": "ResLayer"}, {"type": "ResLayer"},
        {"type": "Conv2d", "stride": 2, "padding": 1}, {"type": "ReLU"},
        {"type": "ResLayer"}, {"type": "ResLayer"}, {"type": "ResLayer"},
        {"type": "AdaptiveAvgPool2d"}, {"type": "Flatten"}, {"type": "Linear"},
    ],
}  # fmt: skip


class BasicBlock(nn.Module):
    def __init__(self, ni, no, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(ni, no, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(no)
        self.conv2 = nn.Conv2d(no, no, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(no)
        self.downsample = None
        if stride != 1 or ni != no:
            self.downsample = nn.Sequential(nn.Conv2d(ni, no, 1, stride, bias=False), nn.BatchNorm2d(no))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class SmallResNet(nn.Module):
    """Three stages of one basic block behind a 3x3 stem, named as torchvision names them."""

    def __init__(self, widths=(32, 64, 128)):
        super().__init__()
        self.conv1 = nn.Conv2d(1, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.layer1 = nn.Sequential(BasicBlock(widths[0], widths[0], 1))
        self.layer2 = nn.Sequential(BasicBlock(widths[0], widths[1], 2))
        self.layer3 = nn.Sequential(BasicBlock(widths[1], widths[2], 2))
        self.fc = nn.Linear(widths[2], 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


RESNET_CONFIG = {"model_type": "resnet", "input": {"shape": [1, 28, 28]}}

MODELS = {
    "fashion-reslayer": (reslayer_stack, RESLAYER_CONFIG, lambda p, steps: adamw(p, 3e-3, 0.02, steps)),
    "fashion-resnet": (SmallResNet, RESNET_CONFIG, lambda p, steps: sgd(p, 0.25, 5e-4, steps)),
}


def adamw(parameters, rate, decay, steps):
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps)


def sgd(parameters, rate, decay, steps):
    optimiser = torch.optim.SGD(parameters, lr=rate, momentum=0.9, nesterov=True, weight_decay=decay)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps)


def augment(x):
    """One random shift of up to 2 pixels a batch of 32, and a mirror image for half of the images."""
    n, _, h, w = x.shape
    x = torch.where(torch.rand(n, 1, 1, 1) < 0.5, x.flip(3), x)
    edge = (0 - fashion.MEAN) / fashion.STD
    padded = F.pad(x, (2, 2, 2, 2), value=edge)
    parts = []
    for part in padded.split(32):
        top, left = torch.randint(0, 5, (2,)).tolist()
        parts.append(part[:, :, top : top + h, left : left + w])
    return torch.cat(parts)


@torch.no_grad()
def correct(model, x, labels):
    model.eval()
    return sum(int((model(a).argmax(1) == b).sum()) for a, b in zip(x.split(500), labels.split(500)))


def train(name, epochs, batch, seed):
    torch.manual_seed(seed)
    make, config, schedule = MODELS[name]
    (train_x, train_y), (test_x, test_y) = fashion.load("train"), fashion.load("t10k")
    train_x, test_x = (torch.from_numpy(fashion.normalise(x)) for x in (train_x, test_x))
    train_y, test_y = (torch.from_numpy(y).long() for y in (train_y.copy(), test_y.copy()))
    model = make().to(memory_format=torch.channels_last)
    steps = epochs * (len(train_x) // batch)
    optimiser, scheduler = schedule(model.parameters(), steps)
    began = time.time()
    for epoch in range(epochs):
        model.train()
        order, total = torch.randperm(len(train_x)), 0.0
        for i in range(len(train_x) // batch):
            pick = order[i * batch : (i + 1) * batch]
            x = augment(train_x[pick]).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(x)
            loss = F.cross_entropy(logits.float(), train_y[pick], label_smoothing=0.02)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimiser.step()
            scheduler.step()
            total += loss.item()
        right = correct(model, test_x, test_y)
        print(f"{name} epoch {epoch + 1}/{epochs} loss {total / (i + 1):.4f} "
              f"test {right / len(test_x):.4f} after {time.time() - began:.0f} s", flush=True)
    save(name, model.float().to(memory_format=torch.contiguous_format), config, right, len(test_x))


def save(name, model, config, right, images):
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    tensors = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    safetensors_file.save(os.path.join(folder, "model.safetensors"), tensors)
    config = dict(config, labels=fashion.LABELS, preprocess={"mean": [fashion.MEAN], "std": [fashion.STD]})
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
        file.write("\n")
    with open(os.path.join(folder, "accuracy.json"), "w") as file:
        json.dump({"images": images, "correct": right, "measured_with": "torch " + torch.__version__}, file)
        file.write("\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train(arguments.name, arguments.epochs, arguments.batch, arguments.seed)
