#!/usr/bin/python3
"""Makes tests/golden/images: small pictures of each kind, and what PIL and torchvision make of them.

    /usr/bin/python3 tests/reference/make_images.py        needs cjpeg of libjpeg-turbo-progs

NAME.jpg or NAME.png with NAME.rgb: width and height (u32 each), then RGB bytes of
ImageOps.exif_transpose(Image.open(f)).convert("RGB").
resize.bin: records of width, height, filter (0 bilinear, 1 bicubic), then the RGB bytes of
color-444.jpg in that size. tensor.bin: float32 of torchvision's usual preparation of the same.
recipes.bin: records of fit, height, width, filter (as in resnet.h), and the input's channels, height
and width, then its float32 of the same picture: the steps that timm and torchvision take.
parts/NAME.jpg: larger ones, of which a network sees the middle. parts.bin: records of the name (32
bytes), fit, width, height, filter, the size to scale to, then the RGB bytes of that part of it.
narrow/NAME.png: as narrow as a picture can be.
"""
import os
import shutil
import struct
import subprocess
import zlib

import numpy
import torchvision.transforms as transforms
from PIL import Image, ImageChops, ImageOps

FOLDER = os.path.join(os.path.dirname(__file__), "..", "golden", "images")
WIDTH, HEIGHT = 61, 47
random = numpy.random.RandomState(7)


def picture(channels):
    """Smooth shapes and some noise, as photos have."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    planes = []
    for c in range(channels):
        wave = 128 + 90 * numpy.sin(x / (5.0 + c) + c) * numpy.cos(y / (7.0 - c))
        wave = wave + 60 * ((x + 2 * y + 9 * c) % 31 < 6) + random.normal(0, 8, x.shape)
        planes.append(numpy.clip(wave, 0, 255).astype(numpy.uint8))
    return numpy.stack(planes, -1) if channels > 1 else planes[0]


def path(name):
    return os.path.join(FOLDER, name)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(name, color, depth, rows, interlace=0, extra=b""):
    """A PNG of kinds that PIL does not write; rows are bytes with their filter byte in front."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, color, 0, 0, interlace)
    with open(path(name), "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra +
                  chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def pack_rows(samples, depth):
    """(H, W * channels) samples -> rows of `depth` bits each, no filter."""
    rows = b""
    for row in samples:
        if depth == 16:
            data = numpy.asarray(row, ">u2").tobytes()
        else:
            bits = numpy.unpackbits(numpy.asarray(row, numpy.uint8)[:, None], axis=1)[:, -depth:]
            data = numpy.packbits(bits.reshape(-1)).tobytes()
        rows += b"\0" + data
    return rows


def adam7(image):
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                           (1, 0, 2, 2), (0, 1, 1, 2)):
        for row in image[y0::dy, x0::dx]:
            rows += b"\0" + row.tobytes()
    return rows


def make_files():
    color = Image.fromarray(picture(3))
    color.save(path("color-444.jpg"), quality=90, subsampling=0)
    color.save(path("color-420.jpg"), quality=75, subsampling=2)
    color.save(path("color-422.jpg"), quality=85, subsampling=1)
    color.save(path("progressive.jpg"), quality=80, progressive=True)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        color.save(path("turned-%d.jpg" % orientation), quality=60, exif=exif)
    Image.fromarray(picture(1)).save(path("grey.jpg"), quality=85)
    Image.fromarray(picture(4), "CMYK").save(path("cmyk.jpg"), quality=85)
    color.save(path("color.png"))
    Image.fromarray(picture(4), "RGBA").save(path("alpha.png"))
    Image.fromarray(picture(1)).save(path("grey.png"))
    Image.fromarray(picture(2), "LA").save(path("grey-alpha.png"))
    color.quantize(200).save(path("palette.png"))
    color.quantize(13).save(path("palette-4bit.png"), bits=4)
    color.quantize(4).save(path("palette-2bit.png"), bits=2)
    color.convert("1").save(path("one-bit.png"))
    exif = Image.Exif()
    exif[0x0112] = 6
    color.save(path("turned-6.png"), exif=exif)
    for depth in (2, 4):
        write_png("grey-%dbit.png" % depth, 0, depth, pack_rows(picture(1) >> (8 - depth), depth))
    wide = picture(1).astype(numpy.uint16)
    wide[::3] *= 257
    write_png("grey-16bit.png", 0, 16, pack_rows(wide, 16))
    for name, kind, channels in (("color", 2, 3), ("alpha", 6, 4), ("grey-alpha", 4, 2)):
        samples = picture(channels).astype(numpy.uint16) * 256 + 77
        write_png(name + "-16bit.png", kind, 16, pack_rows(samples.reshape(HEIGHT, -1), 16))
    write_png("interlaced.png", 2, 8, adam7(picture(3)), interlace=1)
    write_inks()


def write_inks():
    """JPEGs of four inks beside PIL's own, which has an Adobe marker that says: no transform."""
    planes = *Image.fromarray(picture(3)).convert("YCbCr").split(), Image.fromarray(picture(1))
    image = ImageChops.invert(Image.merge("CMYK", planes))  # PIL inverts once more
    for name, options in (("ycck", {}), ("ycck-420", {"subsampling": 2}),
                          ("ycck-progressive", {"progressive": True})):
        image.save(path(name + ".jpg"), quality=90, **options)
        with open(path(name + ".jpg"), "r+b") as file:
            file.seek(file.read().index(b"\xff\xee\0\x0eAdobe") + 15)
            file.write(b"\2")  # the first three planes are YCbCr
    image.save(path("cmyk-unmarked.jpg"), quality=90)
    with open(path("cmyk-unmarked.jpg"), "r+b") as file:
        data = file.read()
        marker = data.index(b"\xff\xee\0\x0eAdobe")
        file.seek(0)
        file.write(data[:marker] + data[marker + 16:])
        file.truncate()


LARGE = 320, 240
PARTS = [  # fit, width, height, filter, size to scale to
    (3, 30, 20, 0, 0), (0, 24, 24, 0, 60), (0, 20, 30, 1, 100), (0, 40, 40, 1, 48)]


def make_large():
    """Each way of sampling and of coding; PIL writes three of these, cjpeg the others."""
    x, y = numpy.meshgrid(numpy.arange(LARGE[0]), numpy.arange(LARGE[1]))
    planes = [128 + 110 * numpy.sin(x / (9.0 + c) + y / 31.0) * numpy.cos(y / (12.0 - c)) +
              40 * ((x + 2 * y + 9 * c) % 61 < 6) for c in range(4)]
    planes = numpy.clip(numpy.stack(planes, -1), 0, 255).astype(numpy.uint8)
    image = Image.fromarray(planes[:, :, :3])
    for name, options in (("444", {"subsampling": 0}), ("422", {"subsampling": 1}),
                          ("420", {"subsampling": 2}), ("progressive", {"progressive": True})):
        image.save(path("parts/%s.jpg" % name), quality=40, **options)
    image.convert("L").save(path("parts/grey.jpg"), quality=40)
    Image.fromarray(planes, "CMYK").save(path("parts/cmyk.jpg"), quality=40, subsampling=2)
    for orientation in (3, 6):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(path("parts/turned-%d.jpg" % orientation), quality=40, exif=exif)
    image.save(path("large.ppm"))
    with open(path("scans"), "w") as out:
        out.write("0 1 2: 0-0, 0, 1;\n")
    for name, *options in (("440", "-sample", "1x2"), ("411", "-sample", "4x1"),
                           ("mixed", "-sample", "2x2,2x1,1x2"), ("coarse", "-scans", path("scans"))):
        subprocess.check_call(["cjpeg", "-quality", "40", "-outfile", path("parts/%s.jpg" % name),
                               *options, path("large.ppm")])
    os.remove(path("large.ppm"))
    os.remove(path("scans"))


def write_parts():
    with open(path("parts.bin"), "wb") as out:
        for name in sorted(os.listdir(path("parts"))):
            image = ImageOps.exif_transpose(Image.open(path("parts/" + name))).convert("RGB")
            for fit, width, height, code, size in PARTS:
                scaled = scale(image, fit, size, size, (Image.BILINEAR, Image.BICUBIC)[code])
                out.write(struct.pack("<32s5I", ("parts/" + name).encode(), fit, width, height, code,
                                      size) + cut(scaled, height, width, 0).tobytes())


def make_narrow():
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("1", (65535, 1)).save(path("narrow/row.png"))
    Image.new("1", (1, 65535)).save(path("narrow/column.png"))
    Image.new("1", (65535, 1)).save(path("narrow/turned.png"), exif=exif)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    for folder in ("", "parts", "narrow"):
        os.makedirs(path(folder))
    make_files()
    for name in sorted(name for name in os.listdir(FOLDER) if "." in name):
        image = ImageOps.exif_transpose(Image.open(path(name))).convert("RGB")
        with open(path(name.replace(".", "-") + ".rgb"), "wb") as out:
            out.write(struct.pack("<II", *image.size) + image.tobytes())
    image = Image.open(path("color-444.jpg")).convert("RGB")
    with open(path("resize.bin"), "wb") as out:
        for width, height in ((61, 47), (30, 23), (20, 31), (100, 90), (61, 20), (33, 47), (7, 70),
                              (122, 94), (3, 2), (1, 1)):
            for code, kind in ((0, Image.BILINEAR), (1, Image.BICUBIC)):
                out.write(struct.pack("<III", width, height, code) +
                          image.resize((width, height), kind).tobytes())
    write_tensors(image)
    make_large()
    write_parts()
    make_narrow()


MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
COVER, INSIDE, STRETCH, NONE = range(4)
RECIPES = [  # fit, height, width, filter, channels, input height, input width
    (COVER, 36, 36, 1, 3, 32, 32), (COVER, 36, 36, 0, 1, 32, 32), (COVER, 33, 33, 1, 3, 24, 29),
    (COVER, 26, 40, 1, 3, 24, 36), (COVER, 40, 20, 0, 3, 36, 18), (COVER, 20, 20, 0, 3, 24, 24),
    (COVER, 20, 20, 1, 3, 25, 29), (STRETCH, 32, 32, 1, 3, 32, 32), (STRETCH, 36, 36, 0, 3, 32, 32),
    (INSIDE, 32, 32, 1, 3, 32, 32), (INSIDE, 36, 36, 0, 3, 32, 32), (INSIDE, 30, 24, 1, 3, 32, 28),
    (INSIDE, 20, 50, 0, 3, 20, 50), (NONE, 1, 1, 0, 3, 32, 32), (NONE, 1, 1, 1, 3, 50, 50),
    (NONE, 1, 1, 1, 1, 64, 66), (COVER, 52, 52, 1, 1, 48, 49)]


def scale(image, fit, height, width, kind):
    if fit == NONE:
        return image
    if fit == STRETCH:
        return image.resize((width, height), kind)
    if fit == COVER and height == width:
        return transforms.functional.resize(image, height, kind)
    ratios = image.height / height, image.width / width
    ratio = max(ratios) if fit == INSIDE else min(ratios)
    return image.resize((round(image.width / ratio), round(image.height / ratio)), kind)


def cut(image, height, width, fill):
    """CenterCrop, with a colour beside what is smaller."""
    across, down = max(width - image.width, 0), max(height - image.height, 0)
    sides = across // 2, down // 2, (across + 1) // 2, (down + 1) // 2
    image = transforms.functional.pad(image, sides, fill)
    return transforms.functional.center_crop(image, [height, width])


def write_tensors(image):
    prepare = transforms.Compose([
        transforms.Resize(40), transforms.CenterCrop(32), transforms.ToTensor(),
        transforms.Normalize(MEAN, STD)])
    with open(path("tensor.bin"), "wb") as out:
        out.write(prepare(image).numpy().tobytes())
    with open(path("recipes.bin"), "wb") as out:
        for recipe in RECIPES:
            fit, height, width, code, channels, in_height, in_width = recipe
            scaled = scale(image, fit, height, width, (Image.BILINEAR, Image.BICUBIC)[code])
            fill = tuple(round(255 * m) for m in MEAN) if fit == INSIDE else 0
            middle = cut(scaled, in_height, in_width, fill)
            tensor = transforms.functional.to_tensor(middle if channels == 3 else middle.convert("L"))
            tensor = transforms.functional.normalize(tensor, MEAN[:channels], STD[:channels])
            out.write(struct.pack("<7I", *recipe) + tensor.numpy().tobytes())


main()
