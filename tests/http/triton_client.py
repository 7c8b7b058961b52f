"""NVIDIA's public Python client for the Open Inference Protocol, as it is, against the daemon.

  PYTHONPATH=FOLDER tests/http/triton_client.py PORT

Calls every method of tritonclient.http.InferenceServerClient. The daemon serves the built-in models
with --model-control explicit. The client is not in Debian: where it can't be imported, everything is
skipped. Prints what failed, and the sum as its last line."""
import asyncio
import json
import sys
import urllib.error
import urllib.request

CASES = []


def case(function):
    CASES.append(function)
    return function


try:
    import numpy
    from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
    from tritonclient.utils import InferenceServerException
except ImportError as error:
    print(f"skipped: {error}")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)

MODEL, OTHER = "fashion-resnet", "fashion-reslayer"
URL = f"127.0.0.1:{sys.argv[1]}"


def image(samples=1, dtype="float32"):
    values = numpy.arange(samples * 784) % 9
    return values.reshape(samples, 1, 28, 28).astype(dtype)


def tensor(array, datatype="FP32", binary=True):
    result = InferInput("input", list(array.shape), datatype)
    result.set_data_from_numpy(array, binary_data=binary)
    return result


def wanted(samples=1):
    """The outputs by POST /infer, which knows nothing of this client."""
    body = json.dumps({"input": image(samples).tolist()}).encode()
    request = urllib.request.Request(f"http://{URL}/infer?model={MODEL}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return numpy.array(json.load(answer)["output"], numpy.float32)


def same(result, samples=1):
    output = result.as_numpy("output")
    assert output.dtype == numpy.float32 and output.shape == (samples, 10), output
    assert (output == wanted(samples)).all(), (output, wanted(samples))


def refused(call, *arguments, status=None, part="", by_client=False, **named):
    """by_client: newer clients may refuse it themselves, which has no status."""
    try:
        call(*arguments, **named)
    except InferenceServerException as error:
        asked = error.status() is not None or not by_client
        assert (not asked or status in (None, error.status())) and part in error.message(), error
        return
    raise AssertionError("not refused")


def refused_json(parameters, part):
    """What a client may refuse to send, sent without it."""
    data = {"name": "input", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": image().tolist()}
    body = json.dumps({"inputs": [data], "parameters": parameters}).encode()
    try:
        urllib.request.urlopen(f"http://{URL}/v2/models/{MODEL}/infer", body)
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        assert error.code == 400 and part in text, (error.code, text)
        return
    raise AssertionError("not refused")


@case
def health(client):
    assert client.is_server_live() and client.is_server_ready(headers={"X-Mine": "1"})
    assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready(MODEL, "7") and not client.is_model_ready("none")


@case
def metadata(client):
    assert "statistics" in client.get_server_metadata()["extensions"]
    assert client.get_model_metadata(MODEL)["inputs"][0]["shape"] == [-1, 1, 28, 28]
    assert client.get_model_metadata(MODEL, "1", query_params={"a": [1, 2]} and None)["versions"] == ["1"]
    assert client.get_model_config(MODEL)["input"][0]["dims"] == [1, 28, 28]
    assert client.get_model_config(MODEL, "1")["output"][0]["dims"] == [10]
    refused(client.get_model_metadata, "none", status="404", part="none")
    refused(client.get_model_config, MODEL, "2", status="404")


@case
def infer_binary_and_json(client):
    for samples in (1, 3):
        for binary_in in (True, False):
            inputs = [tensor(image(samples), binary=binary_in)]
            same(client.infer(MODEL, inputs), samples)
            for binary_out in (True, False):
                outputs = [InferRequestedOutput("output", binary_data=binary_out)]
                same(client.infer(MODEL, inputs, outputs=outputs, model_version="1"), samples)


@case
def infer_datatypes(client):
    for datatype, dtype in (("UINT8", "uint8"), ("INT64", "int64"), ("FP64", "float64"), ("FP16", "float16")):
        same(client.infer(MODEL, [tensor(image(dtype=dtype), datatype)]))
    for datatype, dtype in (("UINT8", "uint8"), ("INT32", "int32"), ("FP64", "float64")):
        same(client.infer(MODEL, [tensor(image(dtype=dtype), datatype, binary=False)]))
    same(client.infer(MODEL, [tensor(image(), "BF16")]))


@case
def infer_classes(client):
    for binary in (True, False):
        outputs = [InferRequestedOutput("output", binary_data=binary, class_count=3)]
        lines = client.infer(MODEL, [tensor(image(2))], outputs=outputs).as_numpy("output")
        assert lines.shape == (2, 3), lines
        for row, best in zip(lines, wanted(2)):
            texts = [line.decode() if isinstance(line, bytes) else line for line in row]
            values = [float(text.split(":")[0]) for text in texts]
            assert values == sorted(values, reverse=True)
            assert int(texts[0].split(":")[1]) == best.argmax() and len(texts[0].split(":")) == 3


@case
def infer_compressed(client):
    for asked in ("gzip", "deflate", None):
        for given in ("gzip", "deflate", None):
            for binary in (True, False):
                outputs = [InferRequestedOutput("output", binary_data=binary)]
                result = client.infer(
                    MODEL,
                    [tensor(image(60), binary=binary)],
                    outputs=outputs,
                    request_compression_algorithm=asked,
                    response_compression_algorithm=given,
                )
                same(result, 60)


@case
def infer_arguments(client):
    result = client.infer(MODEL, [tensor(image())], request_id="é 7", priority=1, timeout=30000000)
    assert result.get_response()["id"] == "é 7" and result.get_response()["model_name"] == MODEL
    assert result.get_output("output")["datatype"] == "FP32" and result.get_output("x") is None
    same(client.infer(MODEL, [tensor(image())], priority=2, parameters={"mine": "x"}))
    same(client.infer(MODEL, [tensor(image())], headers={"X-Request-Id": "r1"}, query_params={"timeout_ms": 30000}))


@case
def infer_refused(client):
    refused(client.infer, "none", [tensor(image())], status="404")
    refused(client.infer, MODEL, [tensor(image()[:, :, :, :5])], status="400", part="shape")
    refused(client.infer, MODEL, [tensor(image())], sequence_id=7, sequence_start=True, status="400", part="sequence_id")
    reserved = {"parameters": {"triton_x": 1}, "status": "400", "part": "triton_x", "by_client": True}
    refused(client.infer, MODEL, [tensor(image())], **reserved)
    for key in ("triton_x", "sequence_id", "sequence_end", "headers"):
        refused_json({key: 1}, f"parameters.{key}: not understood here")
    refused(client.infer, MODEL, [tensor(image())], outputs=[InferRequestedOutput("y")], status="400", part="'y'")
    refused(client.infer, MODEL, [tensor(image(300))], timeout=1, status="504", part="deadline")
    shared = InferInput("input", [1, 1, 28, 28], "FP32")
    shared.set_shared_memory("region", 3136)
    refused(client.infer, MODEL, [shared], status="400", part="shared_memory_region")
    output = InferRequestedOutput("output")
    output.set_shared_memory("region", 40)
    refused(client.infer, MODEL, [tensor(image())], outputs=[output], status="400", part="shared_memory_region")
    words = InferInput("input", [1], "BYTES")
    words.set_data_from_numpy(numpy.array([b"x"], dtype=object))
    refused(client.infer, MODEL, [words], status="400", part="datatype")


@case
def infer_async(client):
    with InferenceServerClient(URL, concurrency=4) as many:
        handles = [
            many.async_infer(
                MODEL,
                [tensor(image(n % 3 + 1), binary=n % 2 == 0)],
                request_id=str(n),
                request_compression_algorithm=("gzip", "deflate", None)[n % 3],
                response_compression_algorithm=("deflate", None)[n % 2],
            )
            for n in range(12)
        ]
        for n, handle in enumerate(handles):
            result = handle.get_result(timeout=60)
            same(result, n % 3 + 1)
            assert result.get_response()["id"] == str(n)
        refused(many.async_infer("none", [tensor(image())]).get_result, status="404")


@case
def bodies_made_and_read(client):
    body, size = InferenceServerClient.generate_request_body([tensor(image())], request_id="g")
    headers = {"Inference-Header-Content-Length": str(size)}
    request = urllib.request.Request(f"http://{URL}/v2/models/{MODEL}/infer", body, headers)
    with urllib.request.urlopen(request) as answer:
        length = answer.headers["Inference-Header-Content-Length"]
        result = InferenceServerClient.parse_response_body(answer.read(), header_length=int(length))
    same(result)
    body, size = InferenceServerClient.generate_request_body(
        [tensor(image(), binary=False)], outputs=[InferRequestedOutput("output", binary_data=False)]
    )
    assert size is None
    request = urllib.request.Request(f"http://{URL}/v2/models/{MODEL}/infer", body)
    with urllib.request.urlopen(request) as answer:
        same(InferenceServerClient.parse_response_body(answer.read()))


@case
def statistics(client):
    before = client.get_inference_statistics(MODEL)["model_stats"][0]
    client.infer(MODEL, [tensor(image(2))])
    after = client.get_inference_statistics(MODEL, "1")["model_stats"][0]
    assert after["inference_count"] == before["inference_count"] + 2
    assert after["inference_stats"]["success"]["count"] == before["inference_stats"]["success"]["count"] + 1
    assert {row["name"] for row in client.get_inference_statistics()["model_stats"]} == {MODEL, OTHER}


@case
def repository(client):
    def states():
        return {row["name"]: row["state"] for row in client.get_model_repository_index()}

    assert states() == {MODEL: "READY", OTHER: "READY"}
    client.load_model(OTHER)
    client.unload_model(OTHER)
    assert states()[OTHER] == "UNAVAILABLE" and not client.is_model_ready(OTHER)
    refused(client.infer, OTHER, [tensor(image())], status="404")
    client.load_model(OTHER)
    assert states()[OTHER] == "READY" and client.is_model_ready(OTHER)
    client.unload_model(OTHER, unload_dependents=True)
    client.load_model(OTHER)
    refused(client.load_model, OTHER, config="{}", status="400", part="config")
    refused(client.load_model, "none", status="404", part="none")


@case
def asyncio_client(client):
    try:
        from tritonclient.http import aio
    except (ImportError, RuntimeError):
        return  # its aiohttp is not there

    async def ask():
        async with aio.InferenceServerClient(URL) as other:
            assert await other.is_server_live() and await other.is_model_ready(MODEL, "1")
            assert (await other.get_server_metadata())["name"] == "resnetd"
            assert (await other.get_model_metadata(MODEL))["name"] == MODEL
            assert (await other.get_model_config(MODEL))["name"] == MODEL
            assert len((await other.get_inference_statistics())["model_stats"]) == 2
            await other.unload_model(OTHER)
            await other.load_model(OTHER)
            assert len(await other.get_model_repository_index()) == 2
            # the first one has what aiohttp adds: Accept-Encoding: gzip, deflate
            for given in (None, "gzip", "deflate"):
                for asked in (None, "gzip", "deflate"):
                    for binary in (True, False):
                        result = await other.infer(
                            MODEL,
                            [tensor(image(60), binary=binary)],
                            outputs=[InferRequestedOutput("output", binary_data=binary)],
                            request_compression_algorithm=asked,
                            response_compression_algorithm=given,
                        )
                        same(result, 60)
            many = [other.infer(MODEL, [tensor(image(n))], request_id=str(n)) for n in range(1, 9)]
            for n, result in enumerate(await asyncio.gather(*many), 1):
                same(result, n)

    asyncio.run(ask())


@case
def what_is_not_offered(client):
    for call in (
        client.get_trace_settings,
        client.get_log_settings,
        client.get_system_shared_memory_status,
        client.get_cuda_shared_memory_status,
        client.unregister_system_shared_memory,
        client.unregister_cuda_shared_memory,
    ):
        refused(call, status="404", part="no such path")
    refused(client.update_trace_settings, MODEL, {}, status="404")
    refused(client.update_log_settings, {}, status="404")
    refused(client.register_system_shared_memory, "r", "/r", 4, status="404")
    refused(client.register_cuda_shared_memory, "r", "AAAA", 0, 4, status="404")


def main():
    passed, failed = 0, 0
    for function in CASES:
        client = InferenceServerClient(URL)
        try:
            function(client)
            passed += 1
        except Exception as error:
            failed += 1
            print("FAIL", function.__name__, f"{type(error).__name__}: {error}"[:600])
        finally:
            client.close()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
