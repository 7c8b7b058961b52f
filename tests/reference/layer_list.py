"""config.json's list of layers as a PyTorch network."""
import torch.nn.functional as F
from torch import nn


class ResLayer(nn.Module):
    """y = ReLU(conv(x)) + x with padding kernel_size - 2: the ReLU stands before the addition."""

    def __init__(self, ni, no, kernel_size, stride=1):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(ni, no, kernel_size, stride, padding=kernel_size - 2))

    def forward(self, x):
        return F.relu(self.conv(x)) + x


# What the weights' shapes say: arguments of the class that the list leaves out.
SHAPE_ARGUMENTS = {
    "ResLayer": ("ni", "no", "kernel_size"),
    "Conv2d": ("in_channels", "out_channels", "kernel_size"),
    "Linear": ("in_features", "out_features"),
    "BatchNorm2d": ("num_features",),
    "BatchNorm1d": ("num_features",),
    "PReLU": ("num_parameters",),
}


def network(layers):
    """layers: a list of (class name, arguments). Returns the nn.Sequential and the config's list."""
    modules, entries = [], []
    for kind, arguments in layers:
        known = SHAPE_ARGUMENTS.get(kind, ())
        modules.append((ResLayer if kind == "ResLayer" else getattr(nn, kind))(**arguments))
        entries.append({"type": kind, **{k: v for k, v in arguments.items() if k not in known}})
    return nn.Sequential(*modules), entries


def config(entries, shape):
    return {"model_type": "layers", "input": {"shape": list(shape)}, "layers": entries}
