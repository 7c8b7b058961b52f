"""Holds what the daemon answers to its own API document, and V2 answers to the protocol's schema.

  tests/http/api_check.py PORT

The daemon serves the built-in models with --model-control explicit. SPEC=FILE names the Open
Inference Protocol's OpenAPI file, which is not in this tree: with it, V2 answers are held to that
one too. Prints what failed, and the sum as its last line."""
import http.client
import json
import os
import re
import sys

import jsonschema
import yaml

ROUTES = os.path.join(os.path.dirname(__file__), "../../server/routes.def")
MODEL = "/v2/models/fashion-resnet"
passed, failed = 0, 0


def check(name, good, text=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("FAIL", name, text)


def ask(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    if isinstance(body, dict):
        body = json.dumps(body)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), data


class Schemas:
    """The named schemas of an OpenAPI document."""

    def __init__(self, document, validator):
        self.document = document
        self.validator = validator
        self.resolver = jsonschema.RefResolver.from_schema(document)

    def errors(self, name, value):
        schema = {"$ref": "#/components/schemas/" + name}
        found = self.validator(schema, resolver=self.resolver).iter_errors(value)
        return "; ".join("/".join(map(str, e.path)) + ": " + e.message[:200] for e in found)


# ---- the document ------------------------------------------------------------------------------


def references(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolves(document, reference):
    at = document
    for part in reference.removeprefix("#/").split("/"):
        if part not in at:
            return False
        at = at[part]
    return True


def rows():
    """(method, template) of each row of the routes' table."""
    with open(ROUTES, encoding="utf-8") as file:
        return re.findall(r'^ROUTE\((\w+), "([^"]+)"', file.read(), re.MULTILINE)


def check_operation(document, path, method, operation):
    name = method + " " + path
    names = set()
    for parameter in operation["parameters"]:
        check(name + ": " + parameter["$ref"], resolves(document, parameter["$ref"]))
        found = document["components"]["parameters"][parameter["$ref"].split("/")[-1]]
        names.add((found["in"], found["name"]))
    captured = set(re.findall(r"{(\w+)}", path))
    check(name + ": path parameters", {n for i, n in names if i == "path"} == captured, names)
    check(name + ": summary", bool(operation["summary"]))
    check(name + ": answers", set(operation["responses"]) == {"200", "default"})
    check(name + ": body", ("requestBody" in operation) == (method in ("post", "put")))


def check_document(document, text):
    check("version", document["openapi"] == "3.1.0" and document["info"]["title"] and document["info"]["version"])
    for reference in set(references(document)):
        check("refers to " + reference, resolves(document, reference))
    for name, schema in document["components"]["schemas"].items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
            check("schema " + name, True)
        except jsonschema.SchemaError as error:
            check("schema " + name, False, error.message)
    methods = {"GET": ["get"], "POST": ["post"], "POST_PUT": ["post", "put"]}
    want = {path: methods[method] for method, path in rows()}
    check("some routes", len(want) > 20)
    check("paths are the routes", {p: sorted(o) for p, o in document["paths"].items()} == want)
    check("no path twice", text.count(b'"/') == len(want))
    ids = [o["operationId"] for p in document["paths"].values() for o in p.values()]
    check("operation ids", len(ids) == len(set(ids)) and all(re.fullmatch(r"\w+", i) for i in ids))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            check_operation(document, path, method, operation)


# ---- the answers -------------------------------------------------------------------------------


def tensor(samples=1, **more):
    values = [i % 9 / 9 for i in range(784 * samples)]
    entry = {"name": "input", "shape": [samples, 1, 28, 28], "datatype": "FP32", "data": values}
    entry.update(more)
    return entry


def requests():
    """name, method, path, body, status, schema here, schema of the protocol (None: has none)"""
    get = [
        ("/v2", "server", "metadata_server_response"),
        ("/v2/", "server", "metadata_server_response"),
        (MODEL, "model", "metadata_model_response"),
        (MODEL + "/versions/1", "model", "metadata_model_response"),
        ("/v2/models/fashion-reslayer", "model", "metadata_model_response"),
        ("/v2/health/live", "live", None),
        ("/v2/health/ready", "ready", None),
        ("/v2/models", "models", None),
        (MODEL + "/ready", "model_ready", None),
        (MODEL + "/config", "config", None),
        (MODEL + "/example", "infer_request", None),
        ("/v1/models/fashion-resnet", "status", None),
        ("/ping", "ping", None),
    ]
    for path, ours, theirs in get:
        yield "GET " + path, "GET", path, None, 200, ours, theirs
    for path in (MODEL + "/versions/2", "/v2/models/none", "/v2/models/none/config", "/v2/models/none/stats", "/v2/x"):
        yield "GET " + path, "GET", path, None, 404, "error", "metadata_model_error_response"
    yield "DELETE /v2", "DELETE", "/v2", None, 405, "error", "metadata_server_error_response"

    nested = [[[[0.5] * 28] * 28]]
    good = {
        "plain": {"inputs": [tensor()]},
        "nested": {"inputs": [tensor(data=nested)]},
        "batch": {"inputs": [tensor(3)], "id": "é7"},
        "integers": {"inputs": [tensor(datatype="UINT8", data=[7] * 784)]},
        "output": {"inputs": [tensor()], "outputs": [{"name": "output"}]},
        "classes": {"inputs": [tensor(2)], "outputs": [{"name": "output", "parameters": {"classification": 3}}]},
        "parameters": {"inputs": [tensor()], "parameters": {"priority": 1, "timeout": 30000000, "mine": "x"}},
    }
    bad = {
        "empty": b"",
        "no JSON": b"{",
        "no inputs": {"id": "1"},
        "name": {"inputs": [tensor(name="x")]},
        "shape": {"inputs": [tensor(shape=[28, 28])]},
        "count": {"inputs": [tensor(data=[1, 2])]},
        "type": {"inputs": [tensor(datatype="FP16")]},
        "two": {"inputs": [tensor(), tensor()]},
        "output": {"inputs": [tensor()], "outputs": [{"name": "y"}]},
        "twice": {"inputs": [tensor()], "outputs": [{"name": "output"}, {"name": "output"}]},
        "shared memory": {"inputs": [tensor()], "outputs": [{"name": "output", "parameters": {"shared_memory_region": "r"}}]},
        "sequence": {"inputs": [tensor()], "parameters": {"sequence_id": 7}},
        "sequence start": {"inputs": [tensor()], "parameters": {"sequence_start": True}},
        "sequence end": {"inputs": [tensor()], "parameters": {"sequence_end": True}},
        "headers": {"inputs": [tensor()], "parameters": {"headers": "x"}},
        "triton_": {"inputs": [tensor()], "parameters": {"triton_x": 1}},
    }
    for name, body in good.items():
        yield "infer, " + name, "POST", MODEL + "/infer", body, 200, "v2_answer", "inference_response"
    for name, body in bad.items():
        yield "infer, " + name, "POST", MODEL + "/infer", body, 400, "error", "inference_error_response"
    yield "infer, version", "POST", MODEL + "/versions/1/infer", good["plain"], 200, "v2_answer", "inference_response"
    yield "infer, no model", "POST", "/v2/models/none/infer", good["plain"], 404, "error", "inference_error_response"
    yield "/infer", "POST", "/infer?top_k=2", {"input": nested}, 200, "infer_answer", None
    yield "predict", "POST", "/v1/models/fashion-resnet:predict", {"instances": nested}, 200, "v1_answer", None
    yield "predict, columns", "POST", "/v1/models/fashion-resnet:predict", {"inputs": nested}, 200, "v1_answer", None
    both = {"inputs": nested, "instances": nested}
    yield "predict, both", "POST", "/v1/models/fashion-resnet:predict", both, 400, "error", None

    for path in ("/v2/models/stats", MODEL + "/stats", MODEL + "/versions/1/stats"):
        yield "GET " + path, "GET", path, None, 200, "stats", None
    repository = "/v2/repository/models/fashion-reslayer"
    yield "index", "POST", "/v2/repository/index", b"", 200, "index", None
    yield "unload", "POST", repository + "/unload", {}, 200, "state", None
    yield "index, one unloaded", "POST", "/v2/repository/index", {}, 200, "index", None
    yield "unloaded", "GET", "/v2/models/fashion-reslayer", None, 404, "error", "metadata_model_error_response"
    yield "load", "POST", repository + "/load", {}, 200, "state", None
    yield "load, config", "POST", repository + "/load", {"parameters": {"config": "{}"}}, 400, "error", None


def check_answers(ours, theirs):
    for name, method, path, body, status, schema, protocol in requests():
        code, kind, data = ask(method, path, body)
        check(name + ": status", code == status, (code, data[:200]))
        check(name + ": type", kind == "application/json", kind)
        try:
            value = json.loads(data)
        except ValueError:
            check(name + ": JSON", False, data[:200])
            continue
        for schemas, which in ((ours, schema), (theirs, protocol)):
            if schemas and which:
                wrong = schemas.errors(which, value)
                check(f"{name}: {which}", not wrong, wrong)


def main():
    code, kind, text = ask("GET", "/openapi.json")
    check("the document", code == 200 and kind == "application/json")
    document = json.loads(text)
    check_document(document, text)
    ours = Schemas(document, jsonschema.Draft202012Validator)
    check("a schema that refuses", ours.errors("error", {}) and ours.errors("v2_answer", {"model_name": "x"}))
    theirs = None
    if os.environ.get("SPEC"):
        with open(os.environ["SPEC"], encoding="utf-8") as file:
            theirs = Schemas(yaml.safe_load(file), jsonschema.Draft4Validator)
        check("its schema refuses", theirs.errors("inference_response", {"model_name": "x"}))
    check_answers(ours, theirs)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
