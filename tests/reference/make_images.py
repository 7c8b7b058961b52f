#!/usr/bin/python3
"""Makes tests/golden/images: small pictures of each kind, and what PIL and torchvision make of them.

    /usr/bin/python3 tests/reference/make_images.py        needs cjpeg of libjpeg-turbo-progs

NAME.jpg or NAME.png with NAME.rgb: width and height (u32 each), then RGB bytes of
ImageOps.exif_transpose(Image.open(f)).convert("RGB").
tiny.bin: records of width, height, the size of a PNG file, the file, and its RGB bytes: interlaced
ones of each small size, in which passes are empty.
oriented/NAME: files that note in each possible way how they lie. oriented.bin: records of the name
(32 bytes), width and height of the upright picture, its RGB bytes.
resize.bin: records of width, height, filter (PIL's number), then the RGB bytes of color-444.jpg in
that size. tensor.bin: float32 of torchvision's usual preparation of the same.
recipes.bin: records of fit, height, width, filter, crop, and bgr (as in resnet.h), and the input's
channels, height and width, then its float32 of the same picture: the steps that torchvision, timm
and Hugging Face's processors take.
parts/NAME.jpg: larger ones, of which a network sees the middle. parts.bin: records of the name (32
bytes), fit, width, height, filter, the size to scale to, then the RGB bytes of that part of it.
narrow/NAME.png: as narrow as a picture can be.
"""
import io
import os
import shutil
import struct
import subprocess
import zlib

import numpy
import torchvision.transforms as transforms
from torchvision.transforms import InterpolationMode
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


def png_bytes(color, depth, rows, interlace=0, before=b"", after=b"", size=(WIDTH, HEIGHT)):
    """A PNG of kinds that PIL does not write; rows are bytes with their filter byte in front."""
    header = struct.pack(">IIBBBBB", *size, depth, color, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before +
            chunk(b"IDAT", zlib.compress(rows)) + after + chunk(b"IEND", b""))


def write_png(name, color, depth, rows, interlace=0, extra=b""):
    with open(path(name), "wb") as out:
        out.write(png_bytes(color, depth, rows, interlace, extra))


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


def adam7(samples, depth):
    """(H, W) or (H, W, channels) samples -> the rows of the seven passes; empty ones have none."""
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                           (1, 0, 2, 2), (0, 1, 1, 2)):
        part = samples[y0::dy, x0::dx]
        if part.size:
            rows += pack_rows(part.reshape(len(part), -1), depth)
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
    write_png("interlaced.png", 2, 8, adam7(picture(3), 8), interlace=1)
    write_inks()
    make_interlaced()
    # the palette ends before the largest index
    colors = bytes(random.randint(0, 256, 3 * 5).tolist())
    write_png("palette-short.png", 3, 4, pack_rows(picture(1) >> 4, 4), extra=chunk(b"PLTE", colors))


KINDS = [  # name, color type, channels, depths
    ("grey", 0, 1, (1, 2, 4, 8, 16)), ("color", 2, 3, (8, 16)), ("palette", 3, 1, (1, 2, 4, 8)),
    ("grey-alpha", 4, 2, (8, 16)), ("alpha", 6, 4, (8, 16))]


def make_interlaced():
    """Each type of colour in each depth; and black ones, in which a bit too many is seen."""
    for name, color, channels, depths in KINDS:
        for depth in depths:
            samples = picture(channels).astype(numpy.uint16)
            samples = samples * 256 + 77 if depth == 16 else samples >> (8 - depth)
            if color == 0 and depth == 16:
                samples >>= 7  # PIL cuts off at 255
            colors = bytes(random.randint(0, 256, 3 << depth).tolist()) if color == 3 else b""
            write_png("interlaced-%s-%dbit.png" % (name, depth), color, depth, adam7(samples, depth),
                      interlace=1, extra=chunk(b"PLTE", colors) if colors else b"")
    for depth in (1, 2, 4):
        write_png("interlaced-black-%dbit.png" % depth, 0, depth,
                  adam7(numpy.zeros((HEIGHT, WIDTH), numpy.uint8), depth), interlace=1)


def write_tiny():
    with open(path("tiny.bin"), "wb") as out:
        for width in range(1, 10):
            for height in range(1, 10):
                samples = random.randint(0, 4, (height, width))
                file = png_bytes(0, 2, adam7(samples, 2), 1, size=(width, height))
                image = Image.open(io.BytesIO(file)).convert("RGB")
                out.write(struct.pack("<III", width, height, len(file)) + file + image.tobytes())


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
    (3, 30, 20, 2, 0), (0, 24, 24, 2, 60), (0, 20, 30, 3, 100), (0, 40, 40, 3, 48)]


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
                scaled = scale(image, fit, size, size, code)
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
    for folder in ("", "parts", "narrow", "oriented"):
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
            for code in range(6):
                out.write(struct.pack("<III", width, height, code) +
                          image.resize((width, height), code).tobytes())
    write_tensors(image)
    make_large()
    write_parts()
    make_narrow()
    write_tiny()
    make_oriented()


MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
COVER, INSIDE, STRETCH, NONE = range(4)
EVEN, FLOOR = range(2)
MODES = (InterpolationMode.NEAREST, InterpolationMode.LANCZOS, InterpolationMode.BILINEAR,
         InterpolationMode.BICUBIC, InterpolationMode.BOX, InterpolationMode.HAMMING)  # PIL's numbers
RECIPES = [  # fit, height, width, filter, crop, bgr, channels, input height, input width
    (COVER, 36, 36, 3, EVEN, 0, 3, 32, 32), (COVER, 36, 36, 2, EVEN, 0, 1, 32, 32),
    (COVER, 33, 33, 3, EVEN, 0, 3, 24, 29), (COVER, 26, 40, 3, EVEN, 0, 3, 24, 36),
    (COVER, 40, 20, 2, EVEN, 0, 3, 36, 18), (COVER, 20, 20, 2, EVEN, 0, 3, 24, 24),
    (COVER, 20, 20, 3, EVEN, 0, 3, 25, 29), (STRETCH, 32, 32, 3, EVEN, 0, 3, 32, 32),
    (STRETCH, 36, 36, 2, EVEN, 0, 3, 32, 32), (INSIDE, 32, 32, 3, EVEN, 0, 3, 32, 32),
    (INSIDE, 36, 36, 2, EVEN, 0, 3, 32, 32), (INSIDE, 30, 24, 3, EVEN, 0, 3, 32, 28),
    (INSIDE, 20, 50, 2, EVEN, 0, 3, 20, 50), (NONE, 1, 1, 2, EVEN, 0, 3, 32, 32),
    (NONE, 1, 1, 3, EVEN, 0, 3, 50, 50), (NONE, 1, 1, 3, EVEN, 0, 1, 64, 66),
    (COVER, 52, 52, 3, EVEN, 0, 1, 48, 49), (COVER, 33, 33, 3, FLOOR, 0, 3, 24, 29),
    (COVER, 34, 34, 2, FLOOR, 0, 3, 31, 31), (COVER, 20, 20, 3, FLOOR, 0, 3, 25, 29),
    (NONE, 1, 1, 3, FLOOR, 0, 3, 50, 50), (NONE, 1, 1, 3, FLOOR, 0, 3, 64, 66),
    (COVER, 30, 30, 1, EVEN, 1, 3, 27, 27), (NONE, 1, 1, 3, FLOOR, 1, 3, 40, 66),
    (COVER, 30, 30, 0, EVEN, 0, 1, 28, 28), (COVER, 30, 30, 1, EVEN, 0, 1, 28, 28),
    (STRETCH, 30, 20, 4, EVEN, 0, 3, 30, 20), (COVER, 70, 70, 5, EVEN, 0, 1, 64, 64)]


def scale(image, fit, height, width, kind):
    if fit == NONE:
        return image
    if fit == STRETCH:
        return image.resize((width, height), kind)
    if fit == COVER and height == width:
        return transforms.functional.resize(image, height, MODES[kind])
    ratios = image.height / height, image.width / width
    ratio = max(ratios) if fit == INSIDE else min(ratios)
    return image.resize((round(image.width / ratio), round(image.height / ratio)), kind)


def cut(image, height, width, fill, crop=EVEN):
    """CenterCrop, with a colour beside what is smaller. FLOOR: as transformers' center_crop()."""
    across, down = max(width - image.width, 0), max(height - image.height, 0)
    before = (across + crop) // 2, (down + crop) // 2
    sides = *before, across - before[0], down - before[1]
    image = transforms.functional.pad(image, sides, fill)
    if crop == EVEN:
        return transforms.functional.center_crop(image, [height, width])
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def write_tensors(image):
    prepare = transforms.Compose([
        transforms.Resize(40), transforms.CenterCrop(32), transforms.ToTensor(),
        transforms.Normalize(MEAN, STD)])
    with open(path("tensor.bin"), "wb") as out:
        out.write(prepare(image).numpy().tobytes())
    with open(path("recipes.bin"), "wb") as out:
        for recipe in RECIPES:
            fit, height, width, code, crop, bgr, channels, in_height, in_width = recipe
            grey = image.convert("RGB" if channels == 3 else "L")
            scaled = scale(grey, fit, height, width, code)
            fill = tuple(round(255 * m) for m in MEAN) if fit == INSIDE else 0
            middle = cut(scaled, in_height, in_width, fill, crop)
            tensor = transforms.functional.to_tensor(middle)
            if bgr:
                tensor = tensor.flip(0)
            tensor = transforms.functional.normalize(tensor, MEAN[:channels], STD[:channels])
            out.write(struct.pack("<9I", *recipe) + tensor.numpy().tobytes())


# ---- orientation ---------------------------------------------------------------------------------
TURNS = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE,
         6: Image.ROTATE_270, 7: Image.TRANSVERSE, 8: Image.ROTATE_90}


def tiff(orientation, kind=3, order="<", tag=0x0112, values=1):
    """EXIF without its prefix: one entry, whose value stands in it or behind."""
    size = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4}[kind]
    data = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}[kind]
    value = struct.pack(order + data, orientation) * values
    place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "I", 26)
    return ((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1) +
            struct.pack(order + "HHI", tag, kind, values) + place + b"\0" * 4 +
            (value if len(value) > 4 else b""))


def xmp(orientation, attribute=True):
    tag = 'tiff:Orientation="%d"/>' if attribute else "><tiff:Orientation>%d</tiff:Orientation>"
    return ('<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description ' + tag % orientation).encode()


def raw_profile(exif):
    """As ImageMagick and exiv2 write it: lines of 36 bytes."""
    lines = exif.hex()
    lines = "\n".join(lines[i:i + 72] for i in range(0, len(lines), 72))
    return ("\nexif\n%8d\n%s\n" % (len(exif), lines)).encode()


def text(kind, key, value, packed=False):
    key += b"\0"
    value = zlib.compress(value) if packed else value
    between = {b"tEXt": b"", b"zTXt": b"\0", b"iTXt": bytes([packed, 0]) + b"\0\0"}[kind]
    return chunk(kind, key + between + value)


def oriented_pngs():
    """name: chunks before and after the pixels, orientation, whether PIL 9.4 sees it"""
    prefix, raw, key = b"Exif\0\0", b"Raw profile type exif", b"XML:com.adobe.xmp"
    exif, wrong = chunk(b"eXIf", tiff(8)), chunk(b"eXIf", tiff(8))[:-1] + b"?"
    lines = b"".join(text(b"tEXt", b"Comment", b"line %d" % i) for i in range(1001))
    return {
        "exif": (exif, b"", 8, True), "exif-after": (b"", exif, 8, True),
        "exif-big-endian": (chunk(b"eXIf", tiff(5, order=">")), b"", 5, True),
        "exif-prefix": (chunk(b"eXIf", prefix + tiff(6)), b"", 6, False),
        "exif-checksum": (wrong, b"", 1, False),
        "raw-ztxt": (text(b"zTXt", raw, raw_profile(prefix + tiff(6)), True), b"", 6, True),
        "raw-text": (text(b"tEXt", raw, raw_profile(prefix + tiff(7))), b"", 7, True),
        "raw-after": (b"", text(b"zTXt", raw, raw_profile(tiff(3)), True), 3, True),
        "raw-itxt": (text(b"iTXt", raw, raw_profile(tiff(4)), True), b"", 4, True),
        "raw-no-digits": (text(b"tEXt", raw, b"\nexif\n 12\nxyz"), b"", 1, False),
        "xmp": (text(b"iTXt", key, xmp(6)), b"", 6, True),
        "xmp-element": (text(b"iTXt", key, xmp(2, False)), b"", 2, True),
        "xmp-packed": (text(b"iTXt", key, xmp(8), True), b"", 8, True),
        "xmp-after": (b"", text(b"iTXt", key, xmp(5), True), 5, True),
        "xmp-beside-exif": (exif + text(b"iTXt", key, xmp(3)), b"", 8, True),
        "xmp-beside-other": (chunk(b"eXIf", tiff(8, tag=0x0100)) + text(b"iTXt", key, xmp(3)), b"", 3,
                             True),
        "raw-beside-exif": (text(b"tEXt", raw, raw_profile(tiff(3))), exif, 8, True),
        "lines": (lines, exif, 8, True)}


def oriented_jpegs():
    """name: APP1 segments, orientation, whether PIL 9.4 sees it"""
    exif, space = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
    return {
        "short": ([exif + tiff(6)], 6, True), "long": ([exif + tiff(8, 4, ">")], 8, True),
        "signed-short": ([exif + tiff(6, 8)], 6, True), "signed-byte": ([exif + tiff(5, 6)], 5, True),
        "signed-long": ([exif + tiff(3, 9)], 3, True), "byte": ([exif + tiff(6, 1)], 1, True),
        "three-values": ([exif + tiff(6, values=3)], 6, True),
        "two-values": ([exif + tiff(7, values=2, order=">")], 7, True),
        "nine": ([exif + tiff(9)], 1, True), "zero": ([exif + tiff(0)], 1, True),
        "no-prefix": ([tiff(6)], 1, True), "twice": ([exif + tiff(1), exif + tiff(6)], 1, True),
        "other-first": ([exif + tiff(6, tag=0x0100), exif + tiff(6)], 1, True),
        "xmp": ([space + xmp(6)], 6, False), "xmp-element": ([space + xmp(8, False)], 8, False),
        "xmp-beside-exif": ([space + xmp(6), exif + tiff(3)], 3, True),
        "xmp-beside-other": ([exif + tiff(6, tag=0x0100), space + xmp(7)], 7, False)}


def make_oriented():
    samples = picture(3)[:8, :16]
    files = {}
    for name, (before, after, orientation, seen) in oriented_pngs().items():
        rows = pack_rows(samples.reshape(8, -1), 8)
        files[name + ".png"] = (png_bytes(2, 8, rows, 0, before, after, (16, 8)), orientation, seen)
    plain = io.BytesIO()
    Image.fromarray(samples).save(plain, "JPEG", quality=90)
    plain = plain.getvalue()
    for name, (segments, orientation, seen) in oriented_jpegs().items():
        app1 = b"".join(b"\xff\xe1" + struct.pack(">H", len(s) + 2) + s for s in segments)
        files[name + ".jpg"] = (plain[:2] + app1 + plain[2:], orientation, seen)
    with open(path("oriented.bin"), "wb") as out:
        for name, (file, orientation, seen) in sorted(files.items()):
            with open(path("oriented/" + name), "wb") as to:
                to.write(file)
            image = Image.fromarray(samples) if "png" in name else Image.open(io.BytesIO(plain))
            upright = image.transpose(TURNS[orientation]) if orientation > 1 else image.copy()
            if seen:
                turned = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
                assert turned.convert("RGB").tobytes() == upright.tobytes(), name
            out.write(struct.pack("<32sII", ("oriented/" + name).encode(), *upright.size) +
                      upright.tobytes())


main()
