#!/usr/bin/python3
"""Makes tests/golden/preparation.json: what the files beside the weights say of pictures, and the
pixels that the network's input shows then, by PIL's steps written out for each case.

    /usr/bin/python3 tests/reference/make_preparation.py

Each case: config and preprocessor (the texts of config.json and preprocessor_config.json, or null),
input (channels, height, width; height and width may be null: the files say them), picture, and what
is right: crc (of the bytes of the input's pixels, channel by channel), mean and std.
"""
import json
import math
import os
import zlib

import numpy
from PIL import Image, ImageOps

HERE = os.path.dirname(__file__)
GOLDEN = os.path.join(HERE, "..", "golden")
NEAREST, LANCZOS, BILINEAR, BICUBIC, BOX, HAMMING = range(6)
NAMES = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
IMAGENET = [.485, .456, .406], [.229, .224, .225]
STANDARD = [.5] * 3, [.5] * 3
CLIP = [.48145466, .4578275, .40821073], [.26862954, .26130258, .27577711]
NONE = [0] * 3, [1] * 3


# ---- PIL's steps ---------------------------------------------------------------------------------
def shorter(size, kind):
    """torchvision's Resize(size), and get_resize_output_image_size() of transformers."""
    def step(image):
        w, h = image.size
        new = (size, int(size * h / w)) if w <= h else (int(size * w / h), size)
        return image.resize(new, kind)
    return step


def stretch(height, width, kind):
    return lambda image: image.resize((width, height), kind)


def keep_ratio(height, width, kind, inside):
    """timm's ResizeKeepRatio: the picture covers the box or lies inside of it."""
    def step(image):
        ratios = image.height / height, image.width / width
        ratio = max(ratios) if inside else min(ratios)
        return image.resize((round(image.width / ratio), round(image.height / ratio)), kind)
    return step


def crop_even(height, width, fill=0):
    """torchvision's CenterCrop and timm's CenterCropOrPad."""
    def step(image):
        across, down = max(width - image.width, 0), max(height - image.height, 0)
        image = ImageOps.expand(image, (across // 2, down // 2, across - across // 2,
                                        down - down // 2), fill)
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        return image.crop((left, top, left + width, top + height))
    return step


def crop_floor(height, width):
    """center_crop() of transformers."""
    def step(image):
        pixels = numpy.array(image)
        top, left = (image.height - height) // 2, (image.width - width) // 2
        high, wide = max(height, image.height), max(width, image.width)
        new = numpy.zeros((high, wide) + pixels.shape[2:], numpy.uint8)
        down, across = math.ceil((high - image.height) / 2), math.ceil((wide - image.width) / 2)
        new[down:down + image.height, across:across + image.width] = pixels
        top, left = top + down, left + across
        return Image.fromarray(new[max(0, top):top + height, max(0, left):left + width])
    return step


# ---- cases ---------------------------------------------------------------------------------------
cases = []
WIDE, PHOTO, LYING = "images/color-444.jpg", "images/parts/422.jpg", "images/parts/turned-6.jpg"


def case(steps, normalisation, size, picture=PHOTO, channels=3, bgr=False, turn=True, says=None,
         **files):
    image = Image.open(os.path.join(GOLDEN, picture))
    image = ImageOps.exif_transpose(image) if turn else image
    image = image.convert("RGB" if channels == 3 else "L")
    for step in steps:
        image = step(image)
    pixels = numpy.array(image).reshape(image.height, image.width, channels)
    pixels = pixels[:, :, ::-1] if bgr else pixels
    if says is None:
        assert size == pixels.shape[:2], (files, size, pixels.shape)
    mean, std = normalisation
    cases.append({
        "config": files.get("config"), "preprocessor": files.get("preprocessor"),
        "input": [channels, *(size if says is None else (None, None))], "picture": picture,
        "crc": zlib.crc32(numpy.ascontiguousarray(pixels.transpose(2, 0, 1)).tobytes()),
        "mean": mean[:channels], "std": std[:channels]})


def hf(steps, normalisation, shows, processor=None, picture=PHOTO, config=None, bgr=False, says=None,
       **keys):
    if processor:
        keys["image_processor_type"] = processor + "ImageProcessor"
    case(steps, normalisation, shows, picture, bgr=bgr, says=says, config=config, preprocessor=keys)


def timm(steps, size, normalisation=IMAGENET, picture=PHOTO, ours=None, **keys):
    config = {"pretrained_cfg": keys}
    if ours:
        config["preprocess"] = ours
    case(steps, normalisation, size, picture, config=config)


def ours(steps, size, normalisation=IMAGENET, picture=PHOTO, channels=3, bgr=False, turn=True, **keys):
    case(steps, normalisation, size, picture, channels, bgr, turn, config={"preprocess": keys})


def write_hugging_face():
    s224 = (224, 224)
    pct = [shorter(256, BICUBIC), crop_floor(224, 224)]
    # ConvNext, which ResNets have: crop_pct below 384, the whole picture from there on
    for keys in ({"crop_pct": .875}, {"crop_pct": None}, {}):
        hf(pct, STANDARD, s224, "ConvNext", size={"shortest_edge": 224}, resample=3, **keys)
    hf(pct, STANDARD, s224, "ConvNext", size=224)
    hf(pct, IMAGENET, s224, config={"model_type": "resnet"}, size=224, image_mean=IMAGENET[0],
       image_std=IMAGENET[1])
    hf(pct, IMAGENET, s224, crop_pct=.875, size=224, resample=3)
    hf([shorter(248, BILINEAR), crop_floor(224, 224)], STANDARD, s224, "ConvNext", resample=2,
       size={"shortest_edge": 224}, crop_pct=.9)
    hf([stretch(384, 384, BICUBIC)], STANDARD, (384, 384), "ConvNext", size={"shortest_edge": 384})
    hf([stretch(384, 384, BICUBIC)], STANDARD, (384, 384), "ConvNext", says=True)
    hf([stretch(384, 384, BICUBIC)], STANDARD, (384, 384), "ConvNext", size=384, crop_pct=.875)
    hf([stretch(200, 224, BICUBIC)], STANDARD, (200, 224), "ConvNext", says=True,
       size={"height": 200, "width": 224})
    hf(pct, STANDARD, s224, "ConvNext", size=224, crop_size={"height": 200, "width": 200})
    hf([crop_floor(224, 224)], STANDARD, s224, "ConvNext", do_resize=False, size=224)
    # Bit and CLIP cut out the middle, ViT does not
    middle = [shorter(224, BICUBIC), crop_floor(224, 224)]
    for processor in ("Bit", "CLIP"):
        hf(middle, CLIP, s224, processor, says=True)
        hf(middle, CLIP, s224, processor, size=224, crop_size=224, do_center_crop=True, resample=3)
        hf([stretch(230, 250, BICUBIC), crop_floor(224, 224)], CLIP, s224, processor,
           size={"height": 230, "width": 250})
        hf([shorter(231, BOX), crop_floor(224, 224)], IMAGENET, s224, processor, resample=4,
           size={"shortest_edge": 231}, image_mean=IMAGENET[0], image_std=IMAGENET[1])
    hf([stretch(224, 224, BILINEAR)], STANDARD, s224, "ViT", says=True)
    hf([stretch(224, 224, BILINEAR)], STANDARD, s224, "ViT", size=224, crop_size=200)
    hf([stretch(192, 160, BICUBIC)], STANDARD, (192, 160), "ViT", resample=3, says=True,
       size={"height": 192, "width": 160})
    hf([stretch(224, 224, BILINEAR)], ([.2] * 3, [.3] * 3), s224, "ViT", size=224, image_mean=.2,
       image_std=.3)
    hf([stretch(224, 224, BILINEAR)], ([.2] * 3, [.5] * 3), s224, "ViT", size=224, image_mean=.2)
    hf([shorter(230, BILINEAR), crop_floor(224, 224)], STANDARD, s224, "ViT", do_center_crop=True,
       size={"shortest_edge": 230}, crop_size=224)
    hf([stretch(224, 224, BILINEAR)], NONE, s224, "ViT", do_normalize=False)
    hf([shorter(224, BILINEAR), crop_floor(256, 256)], NONE, (256, 256), "MobileViT", bgr=True, says=True)
    hf([stretch(224, 224, BILINEAR)], STANDARD, s224, "ViT", bgr=True, do_flip_channel_order=True)
    for kind in range(6):
        hf([stretch(96, 80, kind)], STANDARD, (96, 80), "ViT", resample=kind,
           size={"height": 96, "width": 80})
    # odd remainders, and pictures that are smaller than what is cut out
    for size in (46, 45, 31, 30, 29):
        hf([crop_floor(size, size)], CLIP, (size, size), "CLIP", WIDE, do_resize=False, crop_size=size)
    for height, width in ((64, 64), (65, 50), (40, 70), (48, 62)):
        hf([crop_floor(height, width)], CLIP, (height, width), "CLIP", WIDE, do_resize=False,
           crop_size={"height": height, "width": width})


def write_timm():
    timm([shorter(256, BICUBIC), crop_even(224, 224)], (224, 224), tag="a1_in1k")
    timm([shorter(73, BICUBIC), crop_even(64, 64)], (64, 64), IMAGENET, WIDE, tag="x")
    timm([shorter(235, BICUBIC), crop_even(224, 224)], (224, 224), crop_pct=.95,
         input_size=[3, 224, 224], test_input_size=[3, 288, 288], test_crop_pct=1.0)
    timm([shorter(288, BICUBIC), crop_even(288, 288)], (288, 288), crop_pct=.95,
         ours={"use_test_size": True}, input_size=[3, 224, 224], test_input_size=[3, 288, 288],
         test_crop_pct=1.0)
    for kind in range(6):
        timm([shorter(91, kind), crop_even(80, 80)], (80, 80), STANDARD, interpolation=NAMES[kind],
             mean=STANDARD[0], std=STANDARD[1])
    timm([stretch(91, 91, BICUBIC), crop_even(80, 80)], (80, 80), crop_mode="squash")
    mean = tuple(round(255 * m) for m in IMAGENET[0])
    timm([keep_ratio(80, 80, BICUBIC, True), crop_even(80, 80, mean)], (80, 80), crop_mode="border",
         crop_pct=1.0)
    # timm's ResizeKeepRatio is bilinear whatever the file says
    timm([keep_ratio(91, 64, BILINEAR, False), crop_even(80, 56)], (80, 56), interpolation="bicubic")


def write_ours():
    case([shorter(256, BILINEAR), crop_even(224, 224)], IMAGENET, (224, 224))
    case([shorter(64, BILINEAR), crop_even(64, 64)], IMAGENET, (64, 64))
    ours([shorter(232, BILINEAR), crop_even(224, 224)], (224, 224), resize=232)
    ours([shorter(97, LANCZOS), crop_even(90, 90)], (90, 90), resize=97, interpolation="lanczos",
         mean=[.1, .2, .3], std=.5, normalisation=([.1, .2, .3], [.5] * 3))
    ours([shorter(97, BILINEAR), crop_floor(90, 90)], (90, 90), resize=97, crop_rounding="floor")
    ours([shorter(91, BILINEAR), crop_even(80, 80)], (80, 80), crop_pct=.875, bgr=True,
         channel_order="BGR")
    for turn in (True, False):
        ours([shorter(91, BILINEAR), crop_even(80, 80)], (80, 80), crop_pct=.875, picture=LYING,
             turn=turn, orient=turn)
    for kind in range(6):  # grey before the resize
        ours([shorter(91, kind), crop_even(80, 80)], (80, 80), channels=1, crop_pct=.875,
             interpolation=NAMES[kind])
    # above what the other files say
    timm([shorter(280, BOX), crop_even(224, 224)], (224, 224), crop_pct=.8,
         ours={"interpolation": "box"})
    case([shorter(236, BILINEAR), crop_floor(224, 224)], STANDARD, (224, 224),
         config={"preprocess": {"resize": 236}},
         preprocessor={"image_processor_type": "ViTImageProcessor", "size": 224})


def main():
    write_hugging_face()
    write_timm()
    write_ours()
    for entry in cases:
        for key in ("config", "preprocessor"):
            entry[key] = entry[key] and json.dumps(entry[key])
    with open(os.path.join(GOLDEN, "preparation.json"), "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(entry) for entry in cases) + "\n]\n")


main()
