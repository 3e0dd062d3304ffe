"""The front desk's page for people: its OpenAPI document, drawn without a script or anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "h2{margin-top:2.5rem}h3{font:600 1rem ui-monospace,monospace;margin:1.8rem 0 0}"
    "table{border-collapse:collapse}td{padding:.1rem .8rem .1rem 0;vertical-align:top}code{white-space:nowrap}"
)


def draw_page(document: dict[str, Any]) -> str:
    """Give the OpenAPI *document* as one HTML page."""
    info = document["info"]
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])}</title>"
    body = "".join(_sections(document))
    intro = "".join(f"<p>{escape(x)}</p>" for x in info["description"].split("\n\n"))
    return (
        f"{head}<style>{_STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1>{intro}"
        f"<p>For programs: <a href=/openapi.json>/openapi.json</a>.</p>{body}</html>"
    )


def _sections(document: dict[str, Any]) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    section = ""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation["tags"][0] != section:
                section = operation["tags"][0]
                yield f"<h2>{escape(section)}</h2>"
            yield f"<h3>{escape(method.upper())} {escape(path)}</h3><p>{escape(operation['description'])}</p>"
            yield _draw_form(operation, schemas)
            yield f"<p>Answers: {escape(', '.join(operation['responses']))}</p>"
    yield "<h2>Errors</h2><p>Every error is one document of these fields.</p>" + _draw_schema(schemas["Problem"])


def _draw_form(operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    body = operation.get("requestBody")
    if body is None:
        return ""
    name = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    return f"<p>{escape(schemas[name].get('description', ''))}</p>{_draw_schema(schemas[name])}"


def _draw_schema(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{'' if name in required else 'optional. '}"
        f"{escape(field.get('description', ''))} {_draw_example(field)}"
        for name, field in schema["properties"].items()
    )
    return f"<table>{rows}</table>"


def _draw_example(field: dict[str, Any]) -> str:
    return f"<code>{escape(str(field['examples'][0]))}</code>" if field.get("examples") else ""
