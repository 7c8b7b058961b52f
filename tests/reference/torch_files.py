#!/usr/bin/python3
"""Write tests/unit/torch/: one set of small tensors, saved by torch in every way people do.

All values are multiples of 1/16 below 8, exact in float32, float16, bfloat16 and float64
alike, so that every file must give the very bits of plain.safetensors.
"""
import collections
import os
import sys

import torch

import safetensors_file

SHAPES = {
    "conv1.weight": (4, 3, 3, 3),
    "bn1.weight": (4,),
    "bn1.bias": (4,),
    "bn1.running_mean": (4,),
    "bn1.running_var": (4,),
    "fc.weight": (5, 4),
    "fc.bias": (5,),
}


def tensors():
    generator = torch.Generator().manual_seed(1)
    state = collections.OrderedDict()
    for name, shape in SHAPES.items():
        state[name] = torch.randint(-127, 128, shape, generator=generator).float() / 16
    state["bn1.num_batches_tracked"] = torch.tensor(7)
    return state


def floats(state, convert):
    return collections.OrderedDict(
        (name, convert(t) if t.is_floating_point() else t) for name, t in state.items()
    )


def strided(tensor):
    """The same values in reversed dimension order, two elements apart, behind three others."""
    dims = list(reversed(range(tensor.dim())))
    reversed_tensor = tensor.permute(dims).contiguous()
    storage = torch.full((3 + 2 * tensor.numel(),), -1.0)
    storage[3::2] = reversed_tensor.flatten()
    steps = [2 * s for s in reversed_tensor.stride()]
    return storage.as_strided(reversed_tensor.shape, steps, 3).permute(dims)


def shared(state):
    """All float tensors as parts of one storage."""
    flat = torch.cat([t.flatten() for t in state.values() if t.is_floating_point()])
    at, parts = 0, collections.OrderedDict()
    for name, t in state.items():
        parts[name] = t
        if t.is_floating_point():
            parts[name] = flat[at : at + t.numel()].view(t.shape)
            at += t.numel()
    return parts


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "tests/unit/torch"
    os.makedirs(folder, exist_ok=True)
    state = tensors()

    def save(name, what):
        torch.save(what, f"{folder}/{name}.pth")
        torch.save(what, f"{folder}/{name}_legacy.pth", _use_new_zipfile_serialization=False)

    safetensors_file.save(f"{folder}/plain.safetensors", state)
    save("plain", state)
    optimizer = {"state": {0: {"step": 5, "buffer": state["fc.bias"]}}, "param_groups": [{"lr": 0.1, "nesterov": True}]}
    save("checkpoint", {"epoch": 90, "arch": "net", "best": 0.76, "state_dict": state, "optimizer": optimizer})
    save("module", {"model": {f"module.{name}": t for name, t in state.items()}, "scaler": None, "step": 1 << 40})
    old = floats(state, lambda t: t + 1)
    save("averaged", {"epoch": 3, "state_dict": old, "optimizer": optimizer, "state_dict_ema": state, "amp_scaler": {"scale": 2.0}})
    callbacks = {"ModelCheckpoint{'monitor': 'loss'}": {"best_model_score": torch.tensor(0.3), "best_model_path": ""}}
    save("lightning", {"epoch": 1, "pytorch-lightning_version": "1.9.0", "state_dict": state, "loops": {"fit": {"state_dict": {}}},
                       "callbacks": callbacks, "optimizer_states": [optimizer], "lr_schedulers": []})  # fmt: skip
    save("saved_net", {"net": {f"module.{name}": t for name, t in state.items()}, "acc": 93.1, "epoch": 7})
    save("parameters", floats(state, torch.nn.Parameter))
    save("strided", floats(state, strided))
    save("shared", shared(state))
    save("channels_last", floats(state, lambda t: t.to(memory_format=torch.channels_last) if t.dim() == 4 else t))
    save("f16", floats(state, torch.Tensor.half))
    save("bf16", floats(state, torch.Tensor.bfloat16))
    save("f64", floats(state, torch.Tensor.double))


if __name__ == "__main__":
    main()
