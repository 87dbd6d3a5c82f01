"""The table of threats says what is so."""

from __future__ import annotations

import importlib
import re

import pytest

from roomhost.runtime.host_settings import fields
from roomhost.runtime.intake import Reason

from ..helpers.served import served
from . import raw
from .app import app
from .raw import REPOSITORY
from .threats import REFUSALS, THREATS, Threat, path_of, table

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat.name)
def test_a_threat_has_a_limit_and_tests_that_exist(threat: Threat) -> None:
    """A limit is a constant above zero, or a setting; a test is a function of its file."""
    for name in threat.limits:
        folder, _, constant = name.rpartition(".")
        if folder:
            assert getattr(importlib.import_module(f"roomhost.{folder}.limits"), constant) > 0
        else:
            assert name in fields()
    assert threat.tests
    for test in threat.tests:
        file, _, function = path_of(test).partition("::")
        assert re.search(rf"def {function}\(", (REPOSITORY / file).read_text(encoding="utf-8")), (
            test
        )


async def test_every_threat_is_counted() -> None:
    """By a metric that a host exposes; and every reason of one belongs to a threat."""
    async with served(app) as (url, _), await raw.connect(url) as client:
        await client.ask(raw.get("/mirror/a/count"))
        text = (await client.ask(raw.get("/metrics"))).body.decode()
    for threat in THREATS:
        assert threat.metric or threat.reasons
        for reason in threat.reasons:
            assert f'{REFUSALS}{{reason="{reason}"}} ' in text
        assert f"\n# TYPE {threat.metric}" in text or not threat.metric
    told = {reason for threat in THREATS for reason in threat.reasons}
    assert told == {reason.value for reason in Reason}


def test_the_table_has_a_row_for_each() -> None:
    """Of five columns."""
    rows = list(table())
    assert len(rows) == len(THREATS) + 2
    assert {row.count("|") for row in rows} == {6}


def test_the_page_has_the_table() -> None:
    """As `python -m tests.hostile` prints it."""
    page = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page
