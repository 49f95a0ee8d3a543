#!/usr/bin/env python3
"""Compares the pixels that norma reads from image files with Pillow's, or OpenCV's where Pillow differs.

    python3 tests/oracle/images.py [--program READ_IMAGE]

A line for each format and kind of colour: the largest difference as RGB and as grey, and of norma's resizing to the library's
of the same pixels. At most 1 of 255 is allowed.
Exit 77 where Pillow or OpenCV are not installed.
"""
import argparse
import os
import subprocess
import sys
import tempfile

from needs import need

need("PIL", "cv2", "numpy")
import cv2
import numpy as np
from PIL import Image, ImageOps

H, W = 40, 60  # sizes whose halves and centred squares are whole
PROGRAM = None


def picture(seed=0, noise=12):
    """Smooth colours with some noise, (H, W, 3)."""
    r = np.random.default_rng(seed)
    y, x = np.mgrid[0:H, 0:W]
    rgb = np.stack([x * 255 / W, y * 255 / H, 128 + 100 * np.sin((x + y) / 9)], -1) + r.normal(0, noise, (H, W, 3))
    return rgb.clip(0, 255).astype(np.uint8)


RGB = picture()
GREY = RGB[..., 0].copy()
ALPHA = np.broadcast_to((np.mgrid[0:H, 0:W][1] * 255 // (W - 1)).astype(np.uint8), (H, W))
RGBA = np.dstack([RGB, ALPHA])
LA = np.dstack([GREY, ALPHA])
HOLES = Image.fromarray(RGB).quantize(16)  # a palette, of which colour 3 is transparent
EXIF6 = Image.Exif()
EXIF6[0x0112] = 6


def pil(image, mode="RGB", **how):
    return lambda path: image.save(path, **how)


def interlaced(path):
    """PNG's seven passes, which neither library writes: by hand."""
    import struct
    import zlib
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        rows += b"".join(b"\0" + row.tobytes() for row in RGB[y0::dy, x0::dx])
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", W, H, 8, 2, 0, 0, 1)
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def with_gamma(path):
    """A gAMA chunk of 1.0, which PIL and OpenCV pass over."""
    import struct
    import zlib
    Image.fromarray(RGB).save(path)
    data = open(path, "rb").read()
    gamma = b"gAMA" + struct.pack(">I", 100000)
    open(path, "wb").write(data[:33] + struct.pack(">I", 4) + gamma + struct.pack(">I", zlib.crc32(gamma)) + data[33:])


def ycck(path):
    """A CMYK JPEG whose components are YCCK, as Photoshop saves them: Adobe's mark says so (transform 2)."""
    Image.fromarray(np.dstack([255 - RGB, GREY // 4]), "CMYK").save(path, quality=95, subsampling=0)
    data = open(path, "rb").read()
    at = data.find(b"Adobe")
    assert at > 0
    open(path, "wb").write(data[:at + 11] + b"\2" + data[at + 12:])


def palette_with_hole(path):
    HOLES.save(path, transparency=3)


def deep(a):
    return lambda path: cv2.imwrite(path, a[..., ::-1] if a.ndim == 3 else a)


DEEP = (RGB.astype(np.uint16) * 257 + np.random.default_rng(1).integers(-90, 90, RGB.shape)).clip(0, 65535).astype(np.uint16)

# name: (file's name, function that writes it, the library that is followed)
KINDS = {
    "png grey": ("png", pil(Image.fromarray(GREY)), "PIL"),
    "png grey, 1 bit": ("png", pil(Image.fromarray(GREY).convert("1")), "PIL"),
    "png grey, 2 bits": ("png", pil(Image.fromarray(GREY // 64 * 85), bits=2), "PIL"),
    "png grey + alpha": ("png", pil(Image.fromarray(LA, "LA")), "PIL"),
    "png grey, 16 bits": ("png", deep(DEEP[..., 0]), "OpenCV"),
    "png rgb": ("png", pil(Image.fromarray(RGB)), "PIL"),
    "png rgb, interlaced": ("png", interlaced, "PIL"),
    "png rgb, gamma 1": ("png", with_gamma, "PIL"),
    "png rgb, 16 bits": ("png", deep(DEEP), "OpenCV"),
    "png rgb + alpha": ("png", pil(Image.fromarray(RGBA)), "PIL"),
    "png palette": ("png", pil(HOLES), "PIL"),
    "png palette, 2 bits": ("png", pil(Image.fromarray(RGB).quantize(4), bits=2), "PIL"),
    "png palette + hole": ("png", palette_with_hole, "PIL"),
    "jpeg grey": ("jpg", pil(Image.fromarray(GREY), quality=90), "PIL"),
    "jpeg rgb 4:4:4": ("jpg", pil(Image.fromarray(RGB), quality=90, subsampling=0), "PIL"),
    "jpeg rgb 4:2:0": ("jpg", pil(Image.fromarray(RGB), quality=80, subsampling=2), "PIL"),
    "jpeg progressive": ("jpg", pil(Image.fromarray(RGB), quality=80, progressive=True), "PIL"),
    "jpeg rgb, EXIF 6": ("jpg", pil(Image.fromarray(RGB), quality=90, exif=EXIF6), "PIL"),
    "jpeg cmyk": ("jpg", pil(Image.fromarray(np.dstack([255 - RGB, GREY // 4]), "CMYK"), quality=95), "PIL"),
    "jpeg ycck": ("jpg", ycck, "PIL"),
    "webp lossy": ("webp", pil(Image.fromarray(RGB), quality=80), "PIL"),
    "webp lossless + alpha": ("webp", pil(Image.fromarray(RGBA), lossless=True, exact=True), "PIL"),
    "webp animated": ("webp", pil(Image.fromarray(RGB), save_all=True, append_images=[Image.fromarray(RGB[::-1])]), "PIL"),
    "tiff grey": ("tif", pil(Image.fromarray(GREY)), "PIL"),
    "tiff grey, 1 bit, g4": ("tif", pil(Image.fromarray(GREY).convert("1"), compression="group4"), "PIL"),
    "tiff grey + alpha": ("tif", pil(Image.fromarray(LA, "LA")), "PIL"),
    "tiff grey, 16 bits": ("tif", deep(DEEP[..., 0]), "OpenCV"),
    "tiff rgb": ("tif", pil(Image.fromarray(RGB)), "PIL"),
    "tiff rgb, 16 bits": ("tif", deep(DEEP), "OpenCV"),
    "tiff rgb, lzw": ("tif", pil(Image.fromarray(RGB), compression="tiff_lzw"), "PIL"),
    "tiff rgb, EXIF 6": ("tif", pil(Image.fromarray(RGB), exif=EXIF6), "PIL"),
    "tiff rgb + alpha": ("tif", pil(Image.fromarray(RGBA)), "PIL"),
    "tiff palette": ("tif", pil(HOLES), "PIL"),
    "tiff cmyk": ("tif", pil(Image.fromarray(np.dstack([255 - RGB, GREY // 4]), "CMYK")), "PIL"),
    "gif": ("gif", pil(HOLES), "PIL"),
    "gif, interlaced": ("gif", pil(HOLES, interlace=True), "PIL"),
    "gif + hole": ("gif", palette_with_hole, "PIL"),
    "gif animated": ("gif", pil(HOLES, save_all=True, append_images=[Image.fromarray(RGB[::-1]).quantize(16)]), "PIL"),
}


def reference(path, library, background=0, orient=False):
    """RGB as the library has it, transparency put over the background."""
    if library == "OpenCV":
        return cv2.imread(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1]
    image = Image.open(path)
    if orient:
        image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        behind = Image.new("RGBA", image.size, (background,) * 3 + (255,))
        image = Image.alpha_composite(behind, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def read(path, channels, *rules, size=()):
    done = subprocess.run([PROGRAM, *rules, path, str(channels), *map(str, size)], capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode().strip())
    line, pixels = done.stdout.split(b"\n", 1)
    height, width = map(int, line.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, channels)


def apart(a, b):
    b = b.reshape(b.shape[0], b.shape[1], -1)
    return int(np.abs(a.astype(int) - b).max()) if a.shape == b.shape else f"shape {a.shape}, not {b.shape}"


def resized(rgb, to, how):
    """(height, width) by the library whose rule norma has."""
    h, w = to
    if how == "area":
        return cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA if h <= rgb.shape[0] else cv2.INTER_LINEAR)
    if how == "bilinear":
        return np.asarray(Image.fromarray(rgb).resize((w, h), Image.BILINEAR))
    return np.asarray(ImageOps.fit(Image.fromarray(rgb), (w, h), Image.BILINEAR))


RESIZED = {"area, half": ((20, 30), "area", ()), "area, 28x28": ((28, 28), "area", ()), "area, grown": ((64, 96), "area", ()),
           "bilinear, 28x28": ((28, 28), "bilinear", ("bilinear",)), "bilinear, grown": ((50, 90), "bilinear", ("bilinear",)),
           "crop, 28x28": ((28, 28), "crop", ("bilinear", "crop"))}


def compare(folder, name):
    suffix, write, library = KINDS[name]
    path = os.path.join(folder, name.replace(" ", "_").replace(",", "") + "." + suffix)
    write(path)
    rgb = np.ascontiguousarray(reference(path, library))
    found = [apart(read(path, 3), rgb), apart(read(path, 3, "white"), reference(path, library, 255)),
             apart(read(path, 1), np.asarray(Image.fromarray(rgb).convert("L"))),
             apart(read(path, 3, "orient"), reference(path, library, orient=library == "PIL"))]
    pixels = read(path, 3)
    for to, how, rules in RESIZED.values():
        found.append(apart(read(path, 3, *rules, size=to), resized(pixels, to, how)))
    return library, found


def main():
    global PROGRAM
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="build/tests/read_image")
    PROGRAM = parser.parse_args().program
    columns = ["rgb", "over white", "grey", "orient"] + list(RESIZED)
    print(f"largest difference of 255 to Pillow {Image.__version__} or OpenCV {cv2.__version__}; resized by area to OpenCV, else to Pillow")
    print("| format | as | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 2))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in KINDS:
            library, found = compare(folder, name)
            failed += any(not isinstance(d, int) or d > 1 for d in found)
            print(f"| {name} | {library} | " + " | ".join(map(str, found)) + " |")
    print(f"{len(KINDS) - failed} of {len(KINDS)} within 1")
    sys.exit(1 if failed else 0)


main()
