"""Clients that are answered before their request has come: each must get the answer, whole.

    early_answers.py LARGE SMALL HELD [ROUNDS]

The daemon at port LARGE takes bodies of 64 MB, the one at SMALL of 100,000 bytes; the one at HELD has
--reading-bytes of 2,000,000, which another client is made to hold. Each case is a status, a client and
the size of a body; each client is one that people use: Python's http.client and urllib, curl with
and without Expect, node's fetch, a program that writes all before it reads. Prints each lost answer;
the last line is "N passed, N failed, N skipped".
"""
import concurrent.futures
import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

LARGE, SMALL, HELD = (int(port) for port in sys.argv[1:4])
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 1
TIMEOUT = 120  # a client that waits so long has lost
HOST = "127.0.0.1"
RAW = {"Content-Type": "application/octet-stream"}
KB, MB = 1 << 10, 1 << 20
SIZES = [1 * KB, 300 * KB, 4 * MB]
LARGE_SIZES = [1 * MB, 8 * MB, 64 * MB]
BODY = bytes(64 * MB)

# name: (method, path, headers, sizes, the daemon's port); the name is the status
CASES = {
    "400": ("POST", "/infer?top_k=x", RAW, SIZES, LARGE),
    "403": ("POST", "/v2/repository/models/fashion-resnet/load", RAW, SIZES, LARGE),
    "404": ("POST", "/nope", RAW, SIZES, LARGE),
    "405": ("POST", "/livez", RAW, SIZES, LARGE),
    "406": ("POST", "/infer", {**RAW, "Accept": "image/gif"}, SIZES, LARGE),
    "413": ("POST", "/infer", RAW, LARGE_SIZES, SMALL),
    "415": ("POST", "/infer", {"Content-Type": "text/x-strange"}, SIZES, LARGE),
    "429": ("POST", "/infer", RAW, LARGE_SIZES, HELD),
    "431": ("POST", "/infer", {**RAW, "X-Long": "a" * 17000}, [1 * KB, 1 * MB, 64 * MB], LARGE),
    "504": ("POST", "/infer?timeout_ms=1", RAW, LARGE_SIZES[1:], LARGE),
}


def is_answer(name, status):
    """Whether it is the case's own. A quick client may have sent all before the deadline: 400."""
    return status == int(name) or (name == "504" and status == 400)


def pieces(size, piece=64 * KB):
    for at in range(0, size, piece):
        yield BODY[: min(piece, size - at)]


def check(body, where):
    try:
        json.loads(body)["error"]
    except (ValueError, KeyError, TypeError) as error:
        raise AssertionError(f"{where}: no error in {body[:100]!r}") from error


def by_http_client(port, method, path, headers, size, chunked=False):
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        body = pieces(size) if chunked else BODY[:size]
        connection.request(method, path, body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        check(answer.read(), "http.client")
        return answer.status
    finally:
        connection.close()


def by_http_client_chunked(port, method, path, headers, size):
    return by_http_client(port, method, path, {**headers, "Transfer-Encoding": "chunked"}, size, True)


def by_urllib(port, method, path, headers, size):
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", BODY[:size], headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return answer.status
    except urllib.error.HTTPError as answer:
        check(answer.read(), "urllib")
        return answer.code


def by_blocking_writer(port, method, path, headers, size):
    """Writes all, then reads to the end of the stream."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {size}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((HOST, port), timeout=TIMEOUT) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        client.sendall(BODY[:size])
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    check(body, "writer")
    return int(head.split(b" ")[1])


def by_curl(port, method, path, headers, size, more=()):
    words = ["curl", "-sS", "-m", str(TIMEOUT), "-X", method, "-w", "\n%{http_code}", *more]
    for name, value in headers.items():
        words += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile() as file:
        os.truncate(file.name, size)
        body = ["-T", "-"] if "chunked" in more else ["--data-binary", f"@{file.name}"]
        words = [word for word in words if word != "chunked"]
        with open(file.name, "rb") as stream:
            done = subprocess.run(
                [*words, *body, f"http://{HOST}:{port}{path}"], stdin=stream, capture_output=True, check=False)
    body, _, status = done.stdout.rpartition(b"\n")
    if int(status or 0) == 0 or done.returncode:
        raise AssertionError(f"curl: exit code {done.returncode}, status {status}, {done.stderr!r}")
    check(body, "curl")
    return int(status)


def by_curl_plain(port, method, path, headers, size):
    return by_curl(port, method, path, {**headers, "Expect": ""}, size, ["-H", "Expect:"])


def by_curl_expect(port, method, path, headers, size):
    return by_curl(port, method, path, {**headers, "Expect": "100-continue"}, size)


def by_curl_chunked(port, method, path, headers, size):
    return by_curl(port, method, path, headers, size, ["chunked"])


NODE = """
const list = JSON.parse(require("fs").readFileSync(0));
function* pieces(size) { for (let at = 0; at < size; at += 65536) yield new Uint8Array(Math.min(65536, size - at)); }
async function one([port, method, path, headers, size, chunked]) {
  const body = chunked ? ReadableStream.from ? ReadableStream.from(pieces(size)) :
    new ReadableStream({start(c) { this.i = pieces(size); }, pull(c) { const n = this.i.next(); n.done ? c.close() : c.enqueue(n.value); }})
    : new Uint8Array(size);
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`,
      {method, headers, body, duplex: 'half', signal: AbortSignal.timeout(%d)});
    return [answer.status, (await answer.text()).includes('"error"') ? '' : 'no error in the answer'];
  } catch (e) { return [0, `${e} ${e.cause}`]; }
}
(async () => { const out = []; for (const item of list) out.push(await one(item)); console.log(JSON.stringify(out)); })();
""" % (TIMEOUT * 1000)


def by_node(cases):
    """All in one process, one after another: (status, error) for each."""
    done = subprocess.run(["node", "-e", NODE], input=json.dumps(cases).encode(), capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode())
    return json.loads(done.stdout)


CLIENTS = [by_http_client, by_http_client_chunked, by_urllib, by_blocking_writer, by_curl_plain,
           by_curl_expect, by_curl_chunked]


def run(client, name, size):
    method, path, headers, _, port = CASES[name]
    try:
        status = client(port, method, path, headers, size)
        return None if is_answer(name, status) else f"{name} {client.__name__} {size}: status {status}"
    except Exception as error:  # whatever a client may raise is a lost answer
        return f"{name} {client.__name__} {size}: {type(error).__name__} {error}"


def hold():
    """A client that is being read and never ends."""
    client = socket.create_connection((HOST, HELD), timeout=TIMEOUT)
    client.sendall(b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
                   b"Content-Length: 3000000\r\n\r\n" + BODY[:1900000])
    while True:
        with urllib.request.urlopen(f"http://{HOST}:{HELD}/metrics", timeout=TIMEOUT) as answer:
            if "\nresnetd_reading_bytes 1900000\n" in answer.read().decode():
                return client
        time.sleep(0.05)


def main():
    random.seed(1)
    holder = hold()
    jobs = [(client, name, size) for _ in range(ROUNDS) for name, case in CASES.items()
            for client in CLIENTS for size in case[3]]
    random.shuffle(jobs)
    skipped, lost = 0, []
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        lost += [error for error in pool.map(lambda job: run(*job), jobs) if error]
    passed = len(jobs) - len(lost)
    if shutil.which("node"):
        names = [(name, size, chunked) for name, case in CASES.items() for size in case[3] for chunked in (0, 1)]
        answers = by_node([[CASES[name][4], *CASES[name][:3], size, chunked] for name, size, chunked in names])
        for (name, size, chunked), (status, error) in zip(names, answers):
            if is_answer(name, status) and not error:
                passed += 1
            else:
                lost.append(f"{name} node {'chunked' if chunked else ''} {size}: status {status} {error}")
    else:
        skipped = 1
        print("skipped: no node here")
    holder.close()
    for error in lost:
        print("lost:", error)
    print(f"{passed} passed, {len(lost)} failed, {skipped} skipped")


main()
