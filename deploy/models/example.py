#!/usr/bin/python3
"""Write fashion-example.json: the first Fashion-MNIST test image as a body for POST /infer."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "reference"))
import fashion  # noqa: E402

image = fashion.normalise(fashion.load("t10k")[0][:1])[0]
rows = ",\n".join("[" + ",".join(str(value) for value in row) + "]" for row in image[0])
with open(os.path.join(HERE, "fashion-example.json"), "w") as file:
    file.write('{"input":[[\n' + rows + "\n]]}\n")
