"""The pieces of an OpenAPI 3.1 document: what routes are described with, and how that becomes JSON.

The schemas of bodies are those of the structs that the handlers read and write (JSON Schema by msgspec).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from realtime.errors import ERRORS, ErrorCode
from realtime.server.errors import ErrorBody
from realtime.server.exchange import REQUEST_ID

Json = dict[str, Any]
JSON = "application/json"
#: What any request may be answered with, whatever its route.
COMMON_ERRORS = (ErrorCode.FORBIDDEN, ErrorCode.INTERNAL)
#: What a request may be answered with where keys are asked for.
KEY_ERRORS = (ErrorCode.UNAUTHORIZED, ErrorCode.RATE_LIMITED)
#: A request that does not come to its end in time has this status, though the code is that of a timeout.
_SLOW_REQUEST = 408
_REF_TEMPLATE = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a path (`place` is "path") or a query ("query")."""

    name: str
    place: str
    description: str
    schema: Json
    example: str

    def json(self) -> Json:
        """As OpenAPI has it."""
        return {
            "name": self.name,
            "in": self.place,
            "required": self.place == "path",
            "description": self.description,
            "schema": self.schema,
            "example": self.example,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no error: the schemas of its bodies by media type, and the names of its headers."""

    description: str
    content: Mapping[str, Json] = field(default_factory=dict)
    headers: tuple[str, ...] = ()

    def json(self) -> Json:
        """As OpenAPI has it."""
        answer: Json = {"description": self.description, "headers": _headers(self.headers)}
        if self.content:
            answer["content"] = {media: {"schema": schema} for media, schema in self.content.items()}
        return answer


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request, with examples by name; `also`: other media types that are taken."""

    media: str
    schema: Json
    examples: Mapping[str, Json] = field(default_factory=dict)
    also: Mapping[str, Json] = field(default_factory=dict)

    def json(self) -> Json:
        """As OpenAPI has it."""
        content: Json = {"schema": self.schema}
        if self.examples:
            content["examples"] = {name: {"value": value} for name, value in self.examples.items()}
        also = {media: {"schema": schema} for media, schema in self.also.items()}
        return {"required": True, "content": {self.media: content, **also}}


@dataclass(frozen=True, slots=True)
class Operation:
    """A route. `is_open`: no key is asked for."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    errors: tuple[ErrorCode, ...] = ()
    is_open: bool = False

    def json(self, keys: bool) -> Json:
        """As OpenAPI has it, on a server that asks for `keys` or does not."""
        guarded = keys and not self.is_open
        described: Json = {"operationId": self.name, "tags": [self.tag], "summary": self.summary}
        if self.description:
            described["description"] = self.description
        if self.parameters:
            described["parameters"] = [parameter.json() for parameter in self.parameters]
        codes = {*self.errors, *COMMON_ERRORS, *(KEY_ERRORS if guarded else ())}
        statuses = {code: ERRORS[code].http_status for code in codes}
        answers = {status: answer.json() for status, answer in self.answers.items()}
        answers |= {
            status: _error_answer(status, sorted(code for code in codes if statuses[code] == status))
            for status in set(statuses.values())
        }
        if self.body is not None:
            described["requestBody"] = self.body.json()
            answers[_SLOW_REQUEST] = _error_answer(_SLOW_REQUEST, [ErrorCode.TIMEOUT])
        described["responses"] = {str(status): answers[status] for status in sorted(answers)}
        described["security"] = [{"key": []}] if guarded else []
        return described


def _error_answer(status: int, codes: list[ErrorCode]) -> Json:
    """The answer to requests that fail with one of `codes`."""
    body = {"properties": {"code": {"enum": [code.value for code in codes]}}}
    schema = {"allOf": [reference(ErrorBody), {"properties": {"error": body}}]}
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code.value}`' for code in codes)}",
        "headers": _headers(("Retry-After",) if status in (429, 503) else ()),
        "content": {JSON: {"schema": schema}},
    }


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (REQUEST_ID, *names)}


def reference(struct: type) -> Json:
    """A reference to the schema of a struct."""
    return {"$ref": _REF_TEMPLATE.format(name=struct.__name__)}


def json_of(struct: type) -> dict[str, Json]:
    """The content of an answer that is a struct."""
    return {JSON: reference(struct)}


def schemas(structs: Iterable[type]) -> Json:
    """The schemas of structs, and of all that they are made of, by name."""
    _, components = msgspec.json.schema_components(structs, ref_template=_REF_TEMPLATE)
    for schema in components.values():
        if "description" in schema:  # a docstring
            schema["description"] = inspect.cleandoc(schema["description"])
    return dict(sorted(components.items()))
