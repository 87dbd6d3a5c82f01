"""Requests that Schemathesis makes of the description, to a real server: of a bounded number, and
others each time. Nothing fails with 5xx, and nothing comes back that is not described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ..helpers.host_process import HostProcess

EXAMPLES = 6  # of each route, good ones, and as many bad ones
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
KEY = {"authorization": "Bearer key"}
# Not `negative_data_rejection`: what it makes wrong may be the credential, which is given here, or be
# lost on the way into a URL. What is wrong and refused is in test_hostile_input.
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a served module."""
    directory = tmp_path_factory.mktemp("fuzz") / "state"
    environment = {"ROOMHOST_API_KEYS": "key"}
    with HostProcess("tests.helpers.collab_app:app", directory, environment) as process:
        yield f"{process.url}/realtime/collab"


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_what_is_described_is_what_comes(base: str, mode: GenerationMode) -> None:
    """Of every route, with an API key, for good input and for bad."""
    described = schemathesis.openapi.from_url(f"{base}/openapi.json")
    for found in described.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(max_examples=EXAMPLES, suppress_health_check=SLOW, derandomize=False)
        @given(case=operation.as_strategy(generation_mode=mode))
        def try_it(case: Case[Any]) -> None:
            case.call_and_validate(base_url=base, headers=KEY, checks=CHECKS)

        try:
            try_it()
        except Exception as error:
            if type(error).__name__ != "Unsatisfiable":  # nothing about the route can be wrong
                raise
