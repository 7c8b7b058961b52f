"""A golden case: a network, derived weights and images, and PyTorch's answer, as one JSON file that
tests/golden/golden_test.c reads."""
import json
import math
import os

import numpy as np
import torch

import derive
import safetensors_file

GAIN = math.sqrt(2.0)
BATCH = 4


def set_weights(model, gain=GAIN, rename=lambda name: name):
    """Gives the model its derived weights. Returns their names, as the file has them, and shapes."""
    shapes = {}
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            shape, given = list(value.shape), rename(name)
            shapes[given] = shape
            value.copy_(torch.from_numpy(derive.tensor(given, shape, gain)))
    return shapes


def answer(model, shape, batch=BATCH):
    """PyTorch's outputs for `batch` derived images of that shape (C, H, W)."""
    model.eval()
    images = torch.from_numpy(derive.images([batch, *shape]))
    with torch.no_grad():
        expected = model(images).numpy()
        first = model(images[:1]).numpy()
    assert np.isfinite(expected).all(), "the network's answer is not finite"
    scale = np.abs(expected).max()
    assert np.abs(expected[:1] - first).max() <= 2e-5 * scale, "PyTorch disagrees with itself"
    return expected


def write(path, shape, expected, tensors=None, config=None, gain=GAIN, model=None):
    """tensors: names and shapes to be derived; or model: a folder or file beside the case."""
    case = {"input": list(shape), "output": list(expected.shape), "gain": gain}
    if config is not None:
        case["config"] = config
    if model is not None:
        case["model"] = model
    else:
        case["tensors"] = tensors
    text = json.dumps(case, separators=(",", ":"))
    numbers = ",".join("%.9g" % x for x in expected.ravel())
    with open(path, "w") as file:
        file.write(text[:-1] + ',\n"expected":[' + numbers + "]}\n")


def write_refused(path, shape, tensors, config, reason):
    """A network that PyTorch refuses: the engine has to do so too."""
    case = {"input": list(shape), "gain": GAIN, "config": config, "refused": reason, "tensors": tensors}
    with open(path, "w") as file:
        json.dump(case, file, separators=(",", ":"))


def make(folder, name, model, shape, config=None, gain=GAIN, rename=lambda name: name):
    """The whole case, its weights derived where it is read."""
    tensors = set_weights(model, gain, rename)
    write(os.path.join(folder, name + ".json"), shape, answer(model, shape), tensors, config, gain)


def make_stored(folder, name, model, shape, config=None, gain=GAIN, tensors=None, batch=BATCH):
    """The whole case, its weights stored as a model.safetensors; tensors: under other names."""
    set_weights(model, gain)
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    safetensors_file.save(os.path.join(folder, name, "model.safetensors"), tensors or model.state_dict())
    if config is not None:
        with open(os.path.join(folder, name, "config.json"), "w") as file:
            json.dump(config, file)
    write(os.path.join(folder, name + ".json"), shape, answer(model, shape, batch), model=name, gain=gain)
