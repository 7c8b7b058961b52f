"""Fashion-MNIST as Debian's package dataset-fashion-mnist installs it (28x28 grey, 10 classes)."""
import gzip
import os

import numpy as np

FOLDER = os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
LABELS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
MEAN, STD = 0.286, 0.353


def _read(name, offset):
    with gzip.open(os.path.join(FOLDER, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)


def load(part):
    """part: "train" or "t10k". Returns images (n, 28, 28) uint8 and labels (n,) uint8."""
    images = _read(part + "-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    return images, _read(part + "-labels-idx1-ubyte.gz", 8)


def normalise(images):
    """uint8 (n, 28, 28) -> float32 (n, 1, 28, 28), as the built-in models expect it."""
    scaled = images.astype(np.float32) / np.float32(255)
    return ((scaled - np.float32(MEAN)) / np.float32(STD))[:, None]
