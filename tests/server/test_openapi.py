"""The OpenAPI document: valid, complete, and true of the server that gives it."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import schemathesis
import soundfile
from openapi_spec_validator import validate
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from realtime import __version__
from realtime.app import Server
from realtime.app.building import make_offer
from realtime.config import Config
from realtime.errors import ERRORS, ErrorCode
from realtime.server.addresses import AddressLimits, TrustedProxies
from realtime.server.application import Rooms, make_application
from realtime.server.catalogue import Catalogue
from realtime.server.gate import Gate
from realtime.server.keys import KeyLimits, KeyRing
from realtime.server.openapi import make_document
from realtime.server.origins import OriginPolicy
from realtime.server.speech import SpeechAnswers
from realtime.server.webrtc.whep import PEER_ROUTE
from realtime.voices.store import VoiceStore
from tests.conftest import Serve
from tests.rtc_client import rtc_client

KEY = "a-key-of-the-tests"
#: Each takes most of a second to be decoded.
RECORDINGS = 4
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


#: What a text may have: not what is usual.
TEXT_BYTES = 300_000


def document(keys: bool = False) -> dict[str, Any]:
    return make_document(__version__, "tone", "tts-1", keys, TEXT_BYTES)


def recording() -> bytes:
    """A file with a tone of 1.2 s."""
    file = io.BytesIO()
    times = np.arange(28_800) / 24_000
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * 440 * times), 24_000, format="FLAC")
    return file.getvalue()


def config(url: str, max_examples: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "base-url": url,
            "request-timeout": 30,
            "headers": {"Authorization": f"Bearer {KEY}"},
            "generation": {
                "max-examples": max_examples,
                "deterministic": True,
                "no-shrink": True,
                "database": "none",
            },
            "phases": {"stateful": {"enabled": False}},
            "checks": {
                "enabled": False,
                **{name: {"enabled": True} for name in CHECKS},
                "negative_data_rejection": {"enabled": True, "expected-statuses": ["4xx"]},
            },
        }
    )


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def as_text(context: Any, value: Any) -> bytes:
    """Of bodies that are text; what else is tried is written somehow."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


class Explored:
    """What schemathesis found out: statuses by operation, and everything that contradicts the document."""

    def __init__(self, schema: schemathesis.BaseSchema) -> None:
        self.statuses: dict[str, set[int]] = {}
        self.failures: list[str] = []
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                self._add(event)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                self.failures.append(str(event))

    def _add(self, event: events.ScenarioFinished) -> None:
        statuses = self.statuses.setdefault(event.label or "", set())
        for interaction in event.recorder.interactions.values():
            if interaction.response is not None:
                statuses.add(interaction.response.status_code)
        for checked in event.recorder.checks.values():
            for check in checked:
                if (found := check.failure_info) is not None:
                    self.failures.append(f"{event.label}: {check.name}: {found.failure}\n{found.code_sample}")


def explore(url: str, offer: str) -> Explored:
    """Blocks for seconds. Some bodies that are as they must be get a recording to clone, or an offer."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config(url, max_examples=10))
    good_file, given = recording(), Counter[str]()

    @schema.hook
    def map_case(context: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
        label, body = case.operation.label, case.body
        good = case.meta is not None and case.meta.generation.mode.is_positive
        # Of the many that have more fields most are refused for one of them.
        if (
            good
            and isinstance(body, dict)
            and "file" in body
            and len(body) <= 4
            and given[label] < RECORDINGS
        ):
            body["file"] = good_file
            given[label] += 1
        if good and isinstance(body, dict) and "sdp" in body and given[label] < RECORDINGS:
            body["sdp"] = offer
            body.pop("token", None)
            given[label] += 1
        return case

    return Explored(schema)


@pytest.fixture
def routes(tmp_path: Path) -> set[tuple[str, str]]:
    """Methods and paths of the application that serves all."""
    unused: Any = None
    catalogue = Catalogue(make_offer(Config(engine="tone")), VoiceStore(tmp_path, 1), unused)
    answers = SpeechAnswers(unused, unused, unused, unused, "", lambda: None, unused, unused)
    peers: Any = object()
    metrics: Any = object()
    rooms = Rooms(
        catalogue,
        answers,
        unused,
        peers,
        unused,
        unused,
        metrics,
        True,
        *[unused] * 5,
        Gate(),
        (),
        *[unused] * 3,
    )
    unlimited = AddressLimits(KeyLimits(), TrustedProxies())
    application = make_application(rooms, __version__, KeyRing(()), OriginPolicy(), unlimited)
    return {
        (route.method, route.resource.canonical)
        for route in application.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }


class TestDocument:
    @pytest.mark.parametrize("keys", [False, True])
    def test_it_is_valid_and_always_the_same(self, keys: bool) -> None:
        validate(document(keys))
        assert msgspec.json.encode(document(keys)) == msgspec.json.encode(document(keys))

    def test_no_route_is_missing_and_none_is_made_up(self, routes: set[tuple[str, str]]) -> None:
        paths = document()["paths"]
        assert {(method.upper(), path) for path, each in paths.items() for method in each} == routes
        names = [operation["operationId"] for each in paths.values() for operation in each.values()]
        assert len(set(names)) == len(names)

    def test_every_error_has_the_status_of_the_table(self) -> None:
        codes = set()
        for status, answer in self._answers(document(keys=True)):
            media = answer.get("content", {}).get("application/json", {}).get("schema", {})
            for part in media.get("allOf", [])[1:]:
                for code in part["properties"]["error"]["properties"]["code"]["enum"]:
                    slow = (status, code) == ("408", "timeout")
                    assert slow or ERRORS[ErrorCode(code)].http_status == int(status)
                    codes.add(code)
        only_sessions = {"context_closed", "too_many_contexts"}
        elsewhere = {"method_not_allowed"}  # of no operation, but of what is none
        assert codes == {code.value for code in ErrorCode} - only_sessions - elsewhere

    @staticmethod
    def _answers(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for operations in document["paths"].values():
            for operation in operations.values():
                yield from operation["responses"].items()

    async def test_it_is_served(self, server: Server) -> None:
        async with httpx.AsyncClient(base_url=server.url) as http:
            answer = await http.get("/openapi.json")
        assert answer.headers["Content-Type"] == "application/json"
        usual = Config().max_text_per_context
        assert answer.json() == make_document(__version__, "tone", "tone", False, usual)

    def test_the_limit_of_a_text_is_that_of_the_settings(self) -> None:
        told = document()
        form = told["paths"]["/v1/audio/clone"]["post"]["requestBody"]["content"]["multipart/form-data"]
        for properties in (told["components"]["schemas"]["SpeechRequest"], form["schema"]):
            assert "300000 bytes" in properties["properties"]["input"]["description"]

    async def test_where_keys_are_asked_for_it_says_so(self, serve_tone: Serve) -> None:
        async with serve_tone(api_keys=KEY) as server, httpx.AsyncClient(base_url=server.url) as http:
            told = (await http.get("/openapi.json")).json()
            assert (await http.get("/v1/voices")).status_code == 401
        listing, health = told["paths"]["/v1/voices"]["get"], told["paths"]["/health"]["get"]
        assert listing["security"] == [{"key": []}] and "401" in listing["responses"]
        assert health["security"] == [] and "401" not in health["responses"]


class TestTruth:
    async def test_the_server_does_what_the_document_says(self, serve_tone: Serve, tmp_path: Path) -> None:
        async with serve_tone(api_keys=KEY, data_folder=str(tmp_path)) as server:
            async with rtc_client(server.url) as client:
                found = await asyncio.to_thread(explore, server.url, await client.offer())
        assert found.failures == []
        spoke = {operation for operation, statuses in found.statuses.items() if statuses & {200, 201}}
        # They need a handshake, or a peer that there is.
        others = {"GET /v1/audio/speech/ws", f"PATCH {PEER_ROUTE}", f"DELETE {PEER_ROUTE}"}
        assert spoke == set(found.statuses) - others
        assert len(found.statuses) == sum(map(len, document()["paths"].values())) - 1  # but `/openapi.json`

    async def test_a_lie_would_be_found(self, serve_tone: Serve) -> None:
        async with serve_tone(api_keys=KEY) as server:
            false = document(keys=True)
            false["components"]["schemas"]["VoiceEntry"]["properties"]["kind"] = {"enum": ["cloned"]}
            del false["paths"]["/v1/voices"]["get"]["responses"]["400"]
            schema = schemathesis.openapi.from_dict(false, config=config(server.url, max_examples=3))
            found = await asyncio.to_thread(Explored, schema.include(path="/v1/voices", method="GET"))
        assert any("response_schema_conformance" in failure for failure in found.failures)
        assert any("status_code_conformance" in failure for failure in found.failures)
