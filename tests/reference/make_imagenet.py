#!/usr/bin/python3
"""Write core/arch/imagenet.def, the names of ImageNet's 1000 classes, as Debian's
python3-torchvision has them."""
import json
import os

from torchvision.models._meta import _IMAGENET_CATEGORIES

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = """\
/* The names of ImageNet's 1000 classes in their usual order (ILSVRC 2012): one row each. From
 * torchvision, Copyright (c) Soumith Chintala 2016, BSD-3-Clause; Debian ships it as
 * python3-torchvision, its licence is /usr/share/doc/python3-torchvision/copyright there.
 * Written by tests/reference/make_imagenet.py. */
"""

assert len(_IMAGENET_CATEGORIES) == 1000
with open(os.path.join(HERE, "..", "..", "core", "arch", "imagenet.def"), "w") as file:
    file.write(HEAD)
    for name in _IMAGENET_CATEGORIES:
        file.write(f"CLASS({json.dumps(name)})\n")
