"""Requests that mean harm, or nothing: what the documents describe, filled with what exists, then spoilt in a few places."""

import json
import random
from urllib.parse import urlencode

from tests.web.doors import quoted

TEXTS = (
    "", " ", "\0", "a\0b", "\ud800", "ü" * 300, "x" * 10_000, "x" * 300_000, "'", '"', "`", "%", "%00", "\\", "/", "..", "../x", "a/../b", "%2e%2e",
    "{}", "[]", "null", "true", "NaN", "-Infinity", "1e999", "0", "-1", "01", "１", "²", "1" * 5000, "9223372036854775808", "99999999999999999999999999",
    "' OR 1=1 --", "); DROP TABLE runs; --", "file:///etc/passwd", "http://127.0.0.1/x", "http:///x", "https://[::1]/", "https://x:99999/",
    "models:/churn/1", "models:/churn@best", "models:/m-" + "0" * 32, "runs:/x/y", "mlflow-artifacts:/", "mlflow-artifacts:/0/x#y", "C:\\x",
    "eyJvZmZzZXQiOiAxfQ==", "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiA5MDA3MTk5MjU0NzQwOTkyMDAwfQ==", "bnVsbA==", "W10=", "====", "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00-23:59", "-99999999999.999999999s", "latest", "mlflow.log-model.history", "mlflow.runName", "mlflow.trace.sizeStats", "Production", "None", "ACTIVE", "FINISHED", "\r\nx: y", "a,b", "🙂", "\u202e", "\ufeff",
)  # fmt: skip
NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**30,
    1e308,
    -1e308,
    1e-320,
    0.5,
    float("nan"),
    float("inf"),
)
OTHERS = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": ""},
    {"key": None},
    [{"key": "a"}],
    [{"key": 1, "value": 2}],
    [1, "a", None],
)
WORDS = (
    "metrics.", "params.", "tags.", "attributes.", "datasets.", "metric.", "run.", "trace.", "span.", "rmse", "`a b`", '"a"', "`", "name", "run_id", "version_number",
    "start_time", "status", "=", "!=", ">", "<=", "LIKE", "ILIKE", "RLIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL", "and", "or", "AND", "(", ")", ",", "'x'", "'%_\\'",
    "1", "-1.5", "1e400", "0x1", "nan", "''", "'", ";", "--", "ASC", "DESC", "\0", "é", "(" * 50, "('a', 'b')", "timestamp", "1" * 400, "'" + "(a+)+$" + "'",
)  # fmt: skip
MOST_BYTES = 20_000_000  # of a list; long texts, repeated twice over, filled the memory of the tests
FILTERS = {"filter", "order_by"}


def value(dice: random.Random, depth: int = 0):
    """Return anything that JSON, or what some readers take for it, can say."""
    match dice.randrange(6):
        case 0 | 1:
            return dice.choice(TEXTS)
        case 2:
            return dice.choice(NUMBERS)
        case 3:
            return dice.choice(OTHERS)
        case 4 if depth < 3:
            return [value(dice, depth + 1) for _ in range(dice.randrange(4))]
        case 5 if depth < 3:
            return {dice.choice(TEXTS): value(dice, depth + 1) for _ in range(dice.randrange(4))}
        case _:
            return "".join(chr(dice.randrange(0x250)) for _ in range(dice.randrange(20)))


def sentence(dice: random.Random) -> str:
    """Return what may or may not be a filter."""
    return " ".join(dice.choice(WORDS) for _ in range(dice.randrange(1, 12)))


def spoilt(dice: random.Random, content):
    """Return the value with one place in it changed."""
    if isinstance(content, dict) and content and dice.random() < 0.85:
        key = dice.choice(list(content))
        return {**content, key: spoilt(dice, content[key])}
    if isinstance(content, list) and content and dice.random() < 0.85:
        at = dice.randrange(len(content))
        return [*content[:at], spoilt(dice, content[at]), *content[at + 1 :]]
    if isinstance(content, list) and dice.random() < 0.3:
        content, times = content or [value(dice)], dice.choice((2, 101, 1001))
        return content * times if len(json.dumps(content)) * times < MOST_BYTES else content
    if isinstance(content, dict) and dice.random() < 0.3:
        return {**content, dice.choice(TEXTS): value(dice)}
    return value(dice)


def usual(name: str, schema: dict, known: dict, dice: random.Random):
    """Return a value that the field may have: one that exists where there is one."""
    if name in FILTERS and dice.random() < 0.7:
        return sentence(dice) if schema.get("type") == "string" else [sentence(dice)]
    if name in known:
        return known[name] if schema.get("type") != "array" else [known[name]]
    if "examples" in schema:
        return schema["examples"][0]
    kinds = {"string": "x", "integer": 1, "boolean": True, "array": [], "object": {}}
    return kinds.get(schema.get("type"), 0.5 if "anyOf" in schema else "x")


def requests(dice: random.Random, document: dict, known: dict):
    """Yield (method, address, headers, body), without end."""
    operations = [
        (path, method.upper(), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = document["components"]["schemas"]
    while True:
        path, method, operation = dice.choice(operations)
        yield method, *_request(dice, path, operation, schemas=schemas, known=known)


def _request(dice, path, operation, *, schemas, known):
    query, headers = {}, {}
    for each in operation.get("parameters", []):
        found = usual(each["name"], each["schema"], known, dice)
        is_spoilt = dice.random() < 0.25
        match each["in"]:
            case "path":
                text = dice.choice(TEXTS) if is_spoilt else str(found)
                path = path.replace(f"{{{each['name']}}}", quoted(text[:2000]) or "x")
            case "query" if each["required"] or dice.random() < 0.6:
                query[each["name"]] = _texts(value(dice) if is_spoilt else found)
            case "header":
                headers[each["name"]] = str(found)[:100]
    address = path + ("?" + urlencode(query, doseq=True, errors="replace") if query else "")
    body = b""
    contents = operation.get("requestBody", {}).get("content", {})
    if contents:
        kind = dice.choice(list(contents))
        headers["content-type"] = kind
        body = (
            _body(dice, contents[kind]["schema"], schemas, known)
            if kind == "application/json"
            else dice.randbytes(dice.randrange(200))
        )
    return address, headers, body


def _body(dice, schema, schemas, known) -> bytes:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    needed = schema.get("required", ())
    content = {
        name: usual(name, each, known, dice)
        for name, each in schema.get("properties", {}).items()
        if name in needed or dice.random() < 0.7
    }
    for _ in range(dice.choice((0, 0, 1, 1, 1, 2, 3))):
        content = spoilt(dice, content)
    if dice.random() < 0.02:
        return b"[" * dice.choice((500, 100_000)) + b"]"
    body = json.dumps(content).encode()
    if dice.random() < 0.05:  # broken on its way
        at = dice.randrange(len(body))
        body = body[:at] + dice.randbytes(3) + body[at + 1 :]
    return body


def _texts(found):
    return [str(each) for each in found] if isinstance(found, list) else str(found)
