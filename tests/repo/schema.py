# SPDX-License-Identifier: Apache-2.0
"""The part of JSON Schema that docs/schemas uses. A keyword that is not known is an error, so a schema
cannot promise what nobody checks."""
import json
import pathlib
import re

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "schemas"
NOTES = {"$schema", "$id", "$defs", "title", "description"}
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
}


def names_of(word):
    return word if isinstance(word, list) else [word]


def check_object(schema, value, root, place):
    known = schema.get("properties", {})
    for key in schema.get("required", []):
        if key not in value:
            yield f"{place}: \"{key}\" is missing"
    for key, one in value.items():
        if key in known:
            yield from check(known[key], one, root, f"{place}.{key}")
        elif schema.get("additionalProperties") is False:
            yield f"{place}: \"{key}\" is not in the schema"
        elif isinstance(schema.get("additionalProperties"), dict):
            yield from check(schema["additionalProperties"], one, root, f"{place}.{key}")


def check(schema, value, root=None, place="$"):
    """Lines that tell where the value differs from the schema."""
    root = schema if root is None else root
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for word in schema:
        if word not in NOTES | {"type", "properties", "required", "additionalProperties", "items", "enum",
                                "const", "minimum", "pattern", "anyOf"}:
            yield f"{place}: the schema's keyword {word} is not known to the tests"
    if "type" in schema and not any(TYPES[t](value) for t in names_of(schema["type"])):
        yield f"{place}: {json.dumps(value)[:60]} is not of type {schema['type']}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {schema['enum']}"
    if "minimum" in schema and TYPES["number"](value) and value < schema["minimum"]:
        yield f"{place}: {value} is less than {schema['minimum']}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"{place}: {value!r} does not match {schema['pattern']}"
    if "anyOf" in schema and all(list(check(s, value, root, place)) for s in schema["anyOf"]):
        yield f"{place}: {json.dumps(value)[:60]} matches none of the alternatives"
    if isinstance(value, dict):
        yield from check_object(schema, value, root, place)
    if isinstance(value, list) and "items" in schema:
        for i, one in enumerate(value):
            yield from check(schema["items"], one, root, f"{place}[{i}]")


def problems(name, value):
    """What is wrong with a value by docs/schemas/NAME.json."""
    return list(check(json.loads((SCHEMAS / f"{name}.json").read_text("utf-8")), value))
