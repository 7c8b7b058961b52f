#!/usr/bin/python3
"""Engines side by side: resnetd, ONNX Runtime and oneDNN, in turn in one run.

    tests/bench/peers/peers.py [--nets resnet18,resnet50] [--batches 1,8] [--threads 1,2] [--rounds 12]

Each system is a process that has loaded the network and waits; one runs at a time, in shuffled order,
with a pause of 30 ms between them (idle threads that spin would slow whoever comes next). A system's
answers must be within 1e-4 of PyTorch's before its speed counts. Prints the median milliseconds per
image and, per rival, how many times faster resnetd is: ratios of medians above 1 are in our favour.
"""
import argparse
import os
import random
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
NETS = os.path.join(BUILD, "nets")
TOLERANCE = 1e-4
SLICE = 0.25  # seconds that a system runs in one turn


def export(name):
    """The network of random_net.py as an ONNX file with a free batch."""
    path = os.path.join(NETS, name + ".onnx")
    if os.path.exists(path):
        return
    import torch
    import torchvision

    sys.path.insert(0, os.path.join(TOP, "tests", "reference"))
    import safetensors_file

    model = getattr(torchvision.models, name)().eval()
    tensors = safetensors_file.load(os.path.join(NETS, name + ".safetensors"))
    model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in tensors.items()})
    torch.onnx.export(model, torch.zeros(1, 3, 224, 224), path, opset_version=13,
                      input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})  # fmt: skip


class Worker:
    def __init__(self, name, command, environment):
        self.name, self.times = name, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **environment))  # fmt: skip
        words = self.process.stdout.readline().split()
        if len(words) != 2 or words[0] != "ready":
            raise SystemExit(f"{name} did not start: {command}")
        self.difference = float(words[1])
        if not self.difference <= TOLERANCE:
            raise SystemExit(f"{name} is off by {self.difference} of the largest output")

    def turn(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return [float(t) for t in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def commands(name, batch, threads, isa):
    net = os.path.join(NETS, name)
    files = [net + ".x.npy", net + ".y.npy"]
    sizes = [str(batch), str(threads)]
    ours = [os.path.join(BUILD, "resnetd"), "bench", net + ".safetensors", "--batch", sizes[0], "--threads", sizes[1],
            "--worker", "--input", files[0], "--expect", files[1]]  # fmt: skip
    return {
        "resnetd": (ours + (["--isa", isa] if isa else []), {}),
        "onnxruntime": (["node", os.path.join(HERE, "onnxruntime.js"), net + ".onnx", *sizes, *files],
                        {"NODE_PATH": os.path.join(TOP, ".cache", "peers", "node_modules")}),
        "onednn": ([os.path.join(BUILD, "tests", "bench", "peers", "onednn"), net + ".safetensors", *sizes, *files],
                   {"OMP_NUM_THREADS": sizes[1], "OMP_PROC_BIND": "true"}),
    }  # fmt: skip


def measure(name, batch, threads, systems, rounds, isa):
    table = commands(name, batch, threads, isa)
    workers = [Worker(system, *table[system]) for system in systems]
    counts = {w.name: max(1, round(SLICE / min(w.turn(2)))) for w in workers}
    for _ in range(rounds):
        for worker in random.sample(workers, len(workers)):
            time.sleep(0.03)
            worker.times += worker.turn(counts[worker.name])
    for worker in workers:
        worker.close()
    return {w.name: (statistics.median(w.times) * 1e3 / batch, w.difference) for w in workers}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default="resnet18,resnet50")
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--systems", default="resnetd,onnxruntime,onednn")
    parser.add_argument("--isa", help="mask resnetd to this instruction set")
    a = parser.parse_args()
    systems = a.systems.split(",")
    rivals = [s for s in systems if s != "resnetd"]
    print(f"{'network':18} {'batch':>5} {'threads':>7} " + " ".join(f"{s + ' ms':>15}" for s in systems)
          + " " + " ".join(f"{'x ' + s:>14}" for s in rivals) + "   off from PyTorch")  # fmt: skip
    for name in a.nets.split(","):
        subprocess.check_call([sys.executable, os.path.join(TOP, "tests", "reference", "random_net.py"), NETS, name])
        export(name)
        for batch in map(int, a.batches.split(",")):
            for threads in map(int, a.threads.split(",")):
                result = measure(name, batch, threads, systems, a.rounds, a.isa)
                ours = result["resnetd"][0]
                print(f"{name:18} {batch:5} {threads:7} " + " ".join(f"{result[s][0]:15.2f}" for s in systems)
                      + " " + " ".join(f"{result[s][0] / ours:14.2f}" for s in rivals)
                      + f"   {result['resnetd'][1]:.1e}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
