#!/usr/bin/python3
"""Make the golden cases that are committed, with Debian's python3-torch.

    tests/reference/make_golden.py [FOLDER]      default: tests/golden/cases

Weights and images are derived, not stored: a case is names, shapes and PyTorch's answer.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import golden_case  # noqa: E402
import layer_list  # noqa: E402
import nets  # noqa: E402
import variants  # noqa: E402


def res(ni, no, kernel_size, **more):
    return ("ResLayer", dict(ni=ni, no=no, kernel_size=kernel_size, **more))


def conv(ni, no, kernel_size, **more):
    return ("Conv2d", dict(in_channels=ni, out_channels=no, kernel_size=kernel_size, **more))


ACTIVATIONS = [
    ("SiLU", {}), ("GELU", {}), ("GELU", dict(approximate="tanh")), ("Hardswish", {}), ("Hardsigmoid", {}),
    ("LeakyReLU", dict(negative_slope=0.2)), ("ELU", dict(alpha=1.5)), ("CELU", dict(alpha=0.5)), ("SELU", {}),
    ("Mish", {}), ("Tanh", {}), ("Sigmoid", {}), ("ReLU6", {}), ("Hardtanh", dict(min_val=-0.5, max_val=0.75)),
    ("Softplus", {}), ("Softsign", {}),
]  # fmt: skip


def activated(channels):
    """Each activation after a convolution, and once more by itself."""
    layers = [conv(3, channels, 3, padding=1), ("PReLU", dict(num_parameters=channels)),
              conv(channels, channels, 3, padding=1), ("PReLU", dict(num_parameters=1))]  # fmt: skip
    for kind, arguments in ACTIVATIONS:
        layers += [conv(channels, channels, 1), (kind, arguments), ("MaxPool2d", dict(kernel_size=1)), (kind, arguments)]
    return [*layers, ("AdaptiveAvgPool2d", dict(output_size=1)), ("Flatten", {}),
            ("Linear", dict(in_features=channels, out_features=5)), ("Tanh", {}), ("Softmax", dict(dim=1))]  # fmt: skip


# name: input shape, layers, gain of the weights
LAYERS = {
    "res-3x3": ([6, 9, 7], [res(6, 6, 3), res(6, 6, 3)], 1),
    "res-broadcast-input": ([1, 8, 8], [res(1, 7, 3), res(7, 7, 3)], 1),
    "res-broadcast-output": ([5, 6, 7], [res(5, 1, 3), res(5, 5, 3)], 1),
    "res-5x5-stride-2": ([6, 3, 3], [res(6, 6, 5, stride=2), res(6, 6, 3)], 1),
    "res-2x2-to-one": ([4, 2, 2], [res(4, 4, 2), res(4, 4, 3, stride=2)], 1),
    "res-5x5-row": ([4, 1, 3], [res(4, 4, 5, stride=2)], 1),
    "res-7x7-stride-4": ([3, 2, 1], [res(3, 3, 7, stride=4)], 1),
    "res-one-pixel": ([3, 1, 1], [res(3, 3, 5), res(3, 3, 3)], 1),
    "res-wide": ([33, 5, 5], [res(33, 33, 3), ("ReLU", {}), res(33, 33, 3)], 1),
    "res-200-deep": ([8, 6, 5], [res(8, 8, 3)] * 200, 0.08),
    "res-stack-classes": (
        [1, 15, 13],
        [conv(1, 12, 3, stride=2, padding=1), ("ReLU", {}), res(12, 12, 3), res(12, 12, 3),
         conv(12, 20, 3, stride=2, padding=1), ("ReLU", {}), res(20, 20, 3),
         ("AdaptiveAvgPool2d", dict(output_size=1)), ("Flatten", {}),
         ("Linear", dict(in_features=20, out_features=7))],
        1.4,
    ),
    "norm-pool-map": (
        [3, 17, 14],
        [conv(3, 10, 5, stride=2, padding=2, bias=False), ("BatchNorm2d", dict(num_features=10, eps=1e-3)),
         ("ReLU", {}), ("MaxPool2d", dict(kernel_size=3, stride=2, padding=1)), res(10, 10, 3),
         ("BatchNorm2d", dict(num_features=10))],
        1.4,
    ),
    "norm-pool-classes": (
        [2, 12, 12],
        [("BatchNorm2d", dict(num_features=2)), conv(2, 9, [3, 1], padding=[1, 0], dilation=[2, 1]),
         ("MaxPool2d", dict(kernel_size=2, ceil_mode=True)), ("ReLU", {}), conv(9, 12, 3, groups=3),
         ("BatchNorm2d", dict(num_features=12)), ("ReLU", {}),
         ("AvgPool2d", dict(kernel_size=3, stride=1, padding=1, count_include_pad=False)),
         ("Flatten", {}), ("Linear", dict(in_features=144, out_features=11)),
         ("BatchNorm1d", dict(num_features=11)), ("ReLU", {}),
         ("Linear", dict(in_features=11, out_features=3, bias=False))],
        1.4,
    ),
    "activations": ([3, 8, 7], activated(10), 1.4),
    "activations-16": ([3, 7, 8], activated(16), 1.4),
    "conv-same": (
        [4, 9, 8],
        [conv(4, 6, 4, padding="same"), ("ReLU", {}), conv(6, 6, 3, padding="same", dilation=2),
         ("AvgPool2d", dict(kernel_size=3, stride=2, padding=1, ceil_mode=True)), ("ReLU", {}),
         ("AdaptiveAvgPool2d", dict(output_size=[5, 1])), ("Dropout", {}), ("Identity", {})],
        1.4,
    ),
}  # fmt: skip

# name: input shape, arguments of nets.ResNet
NETS = {
    "resnet18": ([3, 65, 47], dict(blocks=[2, 2, 2, 2], classes=5)),
    "resnet34": ([3, 64, 64], dict(blocks=[3, 4, 6, 3], classes=13)),
    "resnet18-one-class": ([1, 33, 33], dict(blocks=[2, 2, 2, 2], channels=1, classes=1, width=5)),
    "resnet26": ([3, 71, 39], dict(blocks=[2, 2, 2, 2], bottleneck=True, classes=9)),
    "resnet50": ([3, 63, 63], dict(blocks=[3, 4, 6, 3], bottleneck=True, classes=17)),
    "resnet101": ([3, 40, 56], dict(blocks=[3, 4, 23, 3], bottleneck=True, classes=3, width=4)),
    "resnet152": ([4, 48, 48], dict(blocks=[3, 8, 36, 3], bottleneck=True, channels=4, width=4)),
    "resnet200": ([3, 32, 32], dict(blocks=[3, 24, 36, 3], bottleneck=True, width=4)),
    "resnext50": ([3, 57, 64], dict(blocks=[3, 4, 6, 3], bottleneck=True, width=8, inner=2, groups=4)),
    "resnext101": ([3, 33, 31], dict(blocks=[3, 4, 23, 3], bottleneck=True, width=6, inner=3, groups=9)),
    "wide_resnet50": ([3, 49, 50], dict(blocks=[3, 4, 6, 3], bottleneck=True, inner=2, classes=1001)),
    "odd-stages": ([3, 61, 75], dict(blocks=[1, 3, 1, 2, 1], width=6, classes=6)),
    "small-images": ([1, 29, 28], dict(blocks=[2, 1, 1], width=9, stem=3, channels=1)),
}


BASIC, BOTTLENECK = "basic", "bottleneck"
DEEP = dict(blocks=[2, 1, 2], stem=(6, 6, 12), shortcut="avg")
RESNET_V2 = dict(preact=True, final_norm=True, conv_head=True)
BIT = dict(RESNET_V2, bit=True, norm_groups=32, stem_width=32, planes=(32, 64, 96), blocks=[2, 1, 1])

# name: input shape, options of variants.Options, more arguments of golden_case.make
VARIANTS = {
    "05-gluon-c": ([3, 53, 40], dict(blocks=[1, 2, 1, 1], stem=(5, 5, 10)), {}),
    "06-d-odd": ([3, 61, 39], DEEP, {}),
    "06-18d": ([3, 64, 64], dict(DEEP, kinds=[BASIC] * 3), {}),
    "06-next-d": ([3, 47, 47], dict(DEEP, inner=2, groups=4), {}),
    "07-t": ([3, 45, 58], dict(DEEP, stem=(3, 4, 8), kinds=[BASIC, BOTTLENECK, BASIC]), {}),
    "08-se": ([3, 40, 41], dict(blocks=[2, 1, 1], gate="se", kinds=[BOTTLENECK, BASIC, BOTTLENECK]), {}),
    "08-se-next-d": ([3, 37, 35], dict(DEEP, gate="se", inner=2, groups=4), {}),
    "09-eca-d": ([3, 64, 50], dict(DEEP, gate="eca"), {}),
    "09-eca-pruned": (
        [3, 51, 33],
        dict(blocks=[2, 2, 1], gate="eca", planes=(5, 13, 6), expansion=3, stem_width=7),
        {},
    ),
    "10-rs": ([3, 65, 63], dict(DEEP, gate="se", conv_pool=True), {}),
    "11-aa": ([3, 64, 96], dict(blocks=[1, 2, 1], antialias="avg"), dict(config={"antialias": "avg"})),
    "11-aa-odd": ([3, 63, 47], dict(blocks=[1, 2, 1], antialias="avg"), dict(config={"antialias": "avg"})),
    "11-aa-se-d": (
        [3, 64, 32],
        dict(DEEP, antialias="avg", gate="se", kinds=[BASIC, BASIC, BOTTLENECK]),
        dict(config={"architecture": "seresnextaa101d_32x8d"}),
    ),
    "12-blur": ([3, 57, 62], dict(blocks=[1, 2, 1], antialias="blur"), dict(config={"antialias": "blur"})),
    "12-blur-basic": (
        [3, 41, 44],
        dict(blocks=[1, 1, 1], antialias="blur", kinds=[BASIC] * 3),
        dict(config={"architecture": "resnetblur18"}),
    ),
    "12-blur-rs": (
        [3, 51, 44],
        dict(DEEP, antialias="blur", conv_pool=True),
        dict(config={"architecture": "resnetblur50d"}),
    ),
    "13-senet154": (
        [3, 63, 49],
        dict(blocks=[1, 2, 1], stem=(6, 6, 12), halved=True, inner=2, groups=4, gate="se", down_kernel=3),
        {},
    ),
    "14-gn": (
        [3, 41, 40],
        dict(blocks=[1, 1, 1], planes=(32, 64, 96), norm_groups=32, stem_width=32),
        dict(config={"architecture": "resnet14_gn"}),
    ),
    "14-gn-4-groups": ([3, 41, 40], dict(blocks=[1, 2, 1], norm_groups=4), dict(config={"norm_groups": 4})),
    "15-mixed": (
        [3, 73, 57],
        dict(blocks=[1, 1, 1, 1], kinds=[BASIC, BASIC, BOTTLENECK, BASIC], planes=(9, 11, 5, 17),
             stem=(4, 4, 8), shortcut="avg", expansion=3),
        {},
    ),
    "16-v2": ([3, 65, 43], dict(RESNET_V2, blocks=[2, 1, 2]), dict(rename=variants.timm_v2)),
    "16-v2-basic": (
        [3, 64, 64],
        dict(RESNET_V2, blocks=[1, 2, 1], kinds=[BASIC] * 3, stem_width=6),
        dict(rename=variants.timm_v2),
    ),
    "16-v2-d": ([3, 49, 64], dict(RESNET_V2, **DEEP), dict(rename=variants.timm_v2)),
    "16-v2-d-gn": (
        [3, 49, 64],
        dict(RESNET_V2, **DEEP, norm_groups=2),
        dict(rename=variants.timm_v2, config={"norm_groups": 2}),
    ),
    "16-v2-bit": (
        [3, 47, 64],
        BIT,
        dict(rename=variants.timm_v2, config={"architecture": "resnetv2_16x1_bit"}),
    ),
    "16-v2-bit-3-groups": (
        [3, 64, 33],
        dict(BIT, norm_groups=3, planes=(9, 6, 12), stem_width=6),
        dict(rename=variants.timm_v2, config={"norm_groups": 3}),
    ),
    "17-cifar": (
        [3, 32, 32],
        dict(blocks=[3, 3, 3], kinds=[BASIC] * 3, stem=3, stem_width=8, shortcut="zero"),
        dict(rename=variants.cifar),
    ),
    "17-cifar-odd": (
        [1, 15, 9],
        dict(blocks=[1, 2, 1], kinds=[BASIC] * 3, stem=3, shortcut="zero", planes=(8, 13, 26), channels=1),
        {},
    ),
    "17-cifar-preact": (
        [3, 32, 31],
        dict(blocks=[2, 1, 2], kinds=[BASIC] * 3, stem=3, preact=True, final_norm=True),
        dict(rename=variants.cifar),
    ),
    "17-cifar-preact-bottleneck": ([3, 17, 16], dict(blocks=[1, 1, 1], stem=3, preact=True), {}),
}  # fmt: skip

HUGGING_FACE = {
    "hf-50": ([3, 49, 55], dict(blocks=[2, 1, 2], bottleneck=True), {"depths": [2, 1, 2]}),
    "hf-18": ([3, 33, 64], dict(blocks=[1, 2, 1]), {"depths": [1, 2, 1], "layer_type": "basic"}),
    "hf-1x1": (
        [3, 64, 49],
        dict(blocks=[1, 2, 1], bottleneck=True, stride_in_1x1=True),
        {"downsample_in_bottleneck": True},
    ),
}


def parameters_alone(folder, name, shape, arguments):
    """A net of batch norm saved without its buffers: PyTorch names what is missing, and so refuses it."""
    model = nets.ResNet(**arguments)
    tensors = golden_case.set_weights(model)
    parameters = dict(model.named_parameters())
    try:
        model.load_state_dict(parameters)
    except RuntimeError as refusal:
        reason = " ".join(str(refusal).split())[:120]
        tensors = {name: shape for name, shape in tensors.items() if name in parameters}
        golden_case.write_refused(os.path.join(folder, name + ".json"), shape, tensors, {}, reason)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    for name, (shape, layers, gain) in LAYERS.items():
        model, entries = layer_list.network(layers)
        golden_case.make(folder, "layers-" + name, model, shape, layer_list.config(entries, shape), gain)
    for name, (shape, arguments) in NETS.items():
        golden_case.make(folder, "net-" + name, nets.ResNet(**arguments), shape)
    for name, (shape, options, more) in VARIANTS.items():
        golden_case.make(folder, "variant-" + name, variants.variant(**options), shape, **more)
    for name, (shape, arguments, config) in HUGGING_FACE.items():
        golden_case.make(folder, "variant-" + name, nets.ResNet(**arguments), shape, config,
                         rename=variants.hugging_face)  # fmt: skip
    parameters_alone(folder, "net-without-statistics", [3, 33, 33], dict(blocks=[1, 1], width=32))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "golden", "cases"))
