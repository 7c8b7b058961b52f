#!/usr/bin/python3
"""A torchvision network with random weights, for benchmarks.

    tests/reference/random_net.py FOLDER NAME...

writes FOLDER/NAME.safetensors, an input FOLDER/NAME.x.npy of 4 images and PyTorch's answer to it,
FOLDER/NAME.y.npy. Batch norm gets random statistics. A network that is there already is kept.
"""
import os
import sys

import numpy
import torch
import torchvision

import safetensors_file


def make(folder, name):
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)().eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.0)
            module.bias.data.uniform_(-0.1, 0.1)
    images = torch.randn(4, 3, 224, 224)
    with torch.no_grad():
        answer = model(images)
    path = os.path.join(folder, name)
    numpy.save(path + ".x.npy", images.numpy())
    numpy.save(path + ".y.npy", answer.numpy())
    safetensors_file.save(path + ".safetensors", model.state_dict())


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    for net in sys.argv[2:]:
        if not os.path.exists(os.path.join(sys.argv[1], net + ".safetensors")):
            make(sys.argv[1], net)
