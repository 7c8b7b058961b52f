#!/usr/bin/python3
"""From a process's start to its first answer: resnetd from each format, PyTorch and ONNX Runtime.

    tests/bench/peers/load.py [--net resnet50] [--threads 2] [--rounds 7] [--systems ...]

Every round starts each system once, in shuffled order; the first round only warms the page cache. Prints
the median milliseconds until the line that follows the first answer, and the peak of resident memory.
"""
import argparse
import os
import random
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import peers  # noqa: E402

TORCH = """
import sys, torch, torchvision
torch.set_num_threads(int(sys.argv[3]))
model = getattr(torchvision.models, sys.argv[1])()
model.load_state_dict(torch.load(sys.argv[2]))
model.eval()
with torch.no_grad():
    model(torch.zeros(1, 3, 224, 224))
print("ready", flush=True)
"""


def make_files(name):
    """The same network in every format, beside the safetensors file of random_net.py."""
    net = os.path.join(peers.NETS, name)
    subprocess.check_call([sys.executable, os.path.join(peers.TOP, "tests", "reference", "random_net.py"), peers.NETS, name])
    peers.export(name)
    if os.path.exists(net + "-legacy.pth"):
        return
    import torch

    sys.path.insert(0, os.path.join(peers.TOP, "tests", "reference"))
    import safetensors_file

    state = {k: torch.from_numpy(v.copy()) for k, v in safetensors_file.load(net + ".safetensors").items()}
    torch.save(state, net + ".pth")
    torch.save(state, net + "-legacy.pth", _use_new_zipfile_serialization=False)


def commands(name, threads):
    net = os.path.join(peers.NETS, name)
    ours = [os.path.join(peers.BUILD, "resnetd"), "bench", "--first", "--threads", str(threads)]
    table = {f"resnetd {end}": (ours + [net + end], {}) for end in (".safetensors", ".pth", "-legacy.pth", ".onnx")}
    table["pytorch .pth"] = (["/usr/bin/python3", "-c", TORCH, name, net + ".pth", str(threads)], {})
    table["onnxruntime .onnx"] = (
        ["node", os.path.join(HERE, "onnxruntime.js"), net + ".onnx", "1", str(threads), net + ".x.npy", net + ".y.npy"],
        {"NODE_PATH": os.path.join(peers.TOP, ".cache", "peers", "node_modules")})  # fmt: skip
    return table


def run(command, environment):
    """Milliseconds to the first line, and the peak of resident megabytes."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=dict(os.environ, **environment)) as process:  # fmt: skip
        line = process.stdout.readline()
        took = (time.perf_counter() - began) * 1e3
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not line or process.returncode:
        raise SystemExit(f"no answer: {' '.join(command)}")
    return took, usage.ru_maxrss / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="resnet50")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--systems", help="those whose names hold this word")
    a = parser.parse_args()
    # In a process of its own: who has loaded PyTorch hands its size down to what it starts.
    child = os.fork()
    if child == 0:
        make_files(a.net)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("the network's files could not be made")
    table = {k: v for k, v in commands(a.net, a.threads).items() if not a.systems or a.systems in k}
    results = {system: [] for system in table}
    for turn in range(a.rounds + 1):
        for system in random.sample(list(table), len(table)):
            result = run(*table[system])
            if turn:
                results[system].append(result)
    print(f"{a.net}, {a.threads} threads, median of {a.rounds}\n{'system':24} {'first answer ms':>16} {'peak MB':>9}")
    for system, rounds in results.items():
        took, peak = (statistics.median(column) for column in zip(*rounds))
        print(f"{system:24} {took:16.0f} {peak:9.0f}")


if __name__ == "__main__":
    main()
