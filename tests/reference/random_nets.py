#!/usr/bin/python3
"""Random networks: PyTorch's answers against the engine's.

    tests/reference/random_nets.py GOLDEN_TEST [COUNT [SEED]]      default: 200 1

A third are lists of layers (residual layers of any kernel, stride and channels among them), a third
residual networks of random depth, width and input size, a third variants of them: stems, gates,
shortcuts (of zeros, too), anti-aliasing, norms, halved widths and pre-activation mixed at random. What PyTorch refuses, the engine
has to refuse too.
"""
import os
import random
import subprocess
import sys
import tempfile
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import golden_case  # noqa: E402
import layer_list  # noqa: E402
import nets  # noqa: E402
import variants  # noqa: E402


def pair(rng, low, high):
    """One number, or a list of two, as torch.nn takes both."""
    if rng.random() < 0.5:
        return rng.randint(low, high)
    return [rng.randint(low, high), rng.randint(low, high)]


def random_conv(rng, channels):
    groups = rng.choice([g for g in (1, 1, 2, 3, channels) if channels % g == 0])
    no = groups * rng.randint(1, 6)
    arguments = dict(in_channels=channels, out_channels=no, kernel_size=pair(rng, 1, 4), groups=groups,
                     dilation=pair(rng, 1, 2), bias=rng.random() < 0.7)  # fmt: skip
    if rng.random() < 0.2:
        arguments["padding"] = rng.choice(["same", "valid"])
    else:
        arguments.update(stride=pair(rng, 1, 3), padding=pair(rng, 0, 2))
    return ("Conv2d", arguments), no


def random_res_layer(rng, channels):
    """Mostly one that keeps its shape or broadcasts, sometimes one that PyTorch refuses."""
    ni = channels
    no = rng.choice([channels, channels, channels, 1, rng.randint(1, 8)])
    if ni == 1:
        no = rng.randint(1, 8)
    kernel = rng.choice([3, 3, 3, 2, 4, 5, 7, 1])
    stride = rng.choice([1, 1, 1, 2, 3])
    out = max(ni, no) if 1 in (ni, no) else no
    return ("ResLayer", dict(ni=ni, no=no, kernel_size=kernel, stride=stride)), out


def random_pool(rng):
    kernel = rng.randint(1, 4)
    arguments = dict(kernel_size=kernel, padding=rng.randint(0, kernel // 2), ceil_mode=rng.random() < 0.5)
    if rng.random() < 0.7:
        arguments["stride"] = pair(rng, 1, 3)
    if rng.random() < 0.5:
        return "MaxPool2d", dict(arguments, dilation=pair(rng, 1, 2))
    return "AvgPool2d", dict(arguments, count_include_pad=rng.random() < 0.5)


def random_layers(rng, channels):
    layers = []
    for _ in range(rng.randint(1, 7)):
        kind = rng.choice(["conv", "res", "res", "norm", "relu", "pool"])
        if kind == "conv":
            layer, channels = random_conv(rng, channels)
        elif kind == "res":
            layer, channels = random_res_layer(rng, channels)
        elif kind == "norm":
            layer = ("BatchNorm2d", dict(num_features=channels, eps=rng.choice([1e-5, 1e-3]),
                                         affine=rng.random() < 0.8))  # fmt: skip
        elif kind == "relu":
            layer = ("ReLU", {})
        else:
            layer = random_pool(rng)
        layers.append(layer)
    if rng.random() < 0.4:
        layers += [("AdaptiveAvgPool2d", dict(output_size=1)), ("Flatten", {}),
                   ("Linear", dict(in_features=channels, out_features=rng.randint(1, 20)))]  # fmt: skip
    return layers


def make_list(folder, name, rng):
    shape = [rng.randint(1, 9), rng.randint(1, 12), rng.randint(1, 12)]
    try:
        model, entries = layer_list.network(random_layers(rng, shape[0]))
    except RuntimeError:  # torch.nn refuses a negative padding when the layer is made
        return
    tensors = golden_case.set_weights(model, 1.2)
    path, config = os.path.join(folder, name + ".json"), layer_list.config(entries, shape)
    try:
        expected = golden_case.answer(model, shape)
    except RuntimeError as refusal:
        golden_case.write_refused(path, shape, tensors, config, str(refusal))
    else:
        golden_case.write(path, shape, expected, tensors, config, 1.2)


def make_family(folder, name, rng):
    bottleneck = rng.random() < 0.6
    groups, inner = 1, rng.choice([1, 1, 2])
    width = rng.randint(2, 9)
    if bottleneck and rng.random() < 0.5:
        groups = rng.choice([g for g in range(1, width * inner + 1) if width * inner % g == 0])
    stem = rng.choice([7, 7, 7, 3, 5])
    channels = rng.choice([1, 3, 3, 4])
    blocks = [rng.randint(1, 4) for _ in range(rng.randint(1, 5))]
    model = nets.ResNet(blocks, bottleneck, width, rng.randint(1, 30), groups, inner, stem, channels)
    low = 1 if stem == 3 else 9
    golden_case.make(folder, name, model, [channels, rng.randint(low, 70), rng.randint(low, 70)])


def random_options(rng):
    """Options of variants.Options and the config.json that says what tensors don't show."""
    stages = rng.randint(1, 4)
    options = dict(
        blocks=[rng.randint(1, 3) for _ in range(stages)],
        kinds=[rng.choice(["basic", "bottleneck"]) for _ in range(stages)],
        planes=sorted(rng.randint(1, 6) * 4 for _ in range(stages)),
        expansion=rng.randint(2, 4),
        inner=rng.choice([1, 1, 2]),
        groups=rng.choice([1, 1, 2, 4]),
        stem=rng.choice([7, 3, 5, (4, 4, 8), (4, 8, 12), (8, 8, 16)]),
        gate=rng.choice([None, None, "se", "eca"]),
        channels=rng.choice([1, 3]),
        classes=rng.randint(1, 12),
    )
    config = {}
    if rng.random() < 0.3:
        options["norm_groups"] = config["norm_groups"] = rng.choice([1, 2, 4])
    if rng.random() < 0.3:
        options.update(preact=True, final_norm=rng.random() < 0.7)
    elif rng.random() < 0.4 and options["stem"] != 3:
        options["antialias"] = config["antialias"] = rng.choice(["avg", "blur"])
    if not options.get("preact") and options["stem"] != 3:
        options["conv_pool"] = rng.random() < 0.2
    options["conv_head"] = rng.random() < 0.2
    inner = min(options["planes"]) * options["inner"] // 2
    options["halved"] = inner % options["groups"] == 0 and rng.random() < 0.2
    if options["stem"] == 3 and not options.get("preact") and rng.random() < 0.6:
        # zeros in new channels: no stage may have fewer than the one before, or as many
        step = rng.randint(1, 3) * 4
        options.update(shortcut="zero", kinds=[rng.choice(["basic", "bottleneck"])] * stages,
                       planes=[8 + i * step for i in range(stages)])  # fmt: skip
    return options, config


def make_variant(folder, name, rng):
    options, config = random_options(rng)
    deep, preact = not isinstance(options["stem"], int), options.get("preact")
    rename = lambda name: name  # noqa: E731
    if preact and options["gate"] is None and rng.random() < 0.5:
        rename = variants.timm_v2
        options["shortcut"] = "avg" if deep else "conv"
    elif "shortcut" not in options:
        options["shortcut"] = rng.choice(["conv", "avg"])
        options["down_kernel"] = rng.choice([1, 1, 3]) if options["shortcut"] == "conv" else 1
    if preact and options.get("norm_groups") and not deep:
        options["bit"] = config["weight_standardization"] = rng.random() < 0.5
    path, shape = os.path.join(folder, name + ".json"), [options["channels"], rng.randint(24, 70), rng.randint(24, 70)]
    model = variants.variant(**options)
    tensors = golden_case.set_weights(model, rename=rename)
    try:
        expected = golden_case.answer(model, shape)
    except RuntimeError as refusal:
        golden_case.write_refused(path, shape, tensors, config, str(refusal))
    else:
        golden_case.write(path, shape, expected, tensors, config)


def main(program, count=200, seed=1):
    warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            rng = random.Random(seed * 1000003 + i)
            (make_list, make_family, make_variant)[i % 3](folder, f"{i:05d}", rng)
        paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        run = subprocess.run([program, "-q", *paths], capture_output=True, text=True)
        refused = sum('"refused":' in open(path).read(4096) for path in paths)
        print(f"{len(paths)} networks, {refused} of them refused by PyTorch")
        print(run.stdout.replace(folder + "/", f"seed {seed} case "), end="")
        print(run.stderr, end="", file=sys.stderr)
        if run.returncode and os.environ.get("KEEP"):
            os.system(f"cp -r {folder} {os.environ['KEEP']}")
        return run.returncode


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), *map(int, sys.argv[2:])))
