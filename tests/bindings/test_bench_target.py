"""What `roomhost bench` calls, and what it says where that is not clear."""

from __future__ import annotations

import pytest

from roomhost.bindings import App
from roomhost.bindings.bench_target import Call, parse_call, target_of
from roomhost.runtime import DurableObject, HostError

from ..helpers.bench_app import Board, app


class Bare(DurableObject):
    """Has nothing to call."""


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("keep", Call("keep")),
        ('keep:["a", [1]]', Call("keep", ("a", [1]))),
        ('keep:{"key": "a"}', Call("keep", (), {"key": "a"})),
        ("keep:5", Call("keep", (5,))),
        ("keep:null", Call("keep", (None,))),
        ("keep:[]", Call("keep")),
    ],
)
def test_a_call_is_a_method_and_json(text: str, call: Call) -> None:
    """A list of arguments, keywords, or the one argument."""
    assert parse_call(text) == call


@pytest.mark.parametrize("text", ["", ":1", "a b", "keep()", "keep:", "keep:{"])
def test_what_is_no_call_is_refused(text: str) -> None:
    """With one line."""
    with pytest.raises(HostError, match=r"^--call[^\n]*$"):
        parse_call(text)


@pytest.mark.parametrize(
    ("binding", "call", "message"),
    [
        (None, "keep", "--binding NAME; boards has BOARD, COLLAB"),
        ("BORD", "keep", "there is no BORD; boards has BOARD, COLLAB"),
        ("BOARD", None, "--call METHOD or --call METHOD:JSON; BOARD has fail, keep"),
        ("BOARD", "lose", "there is no method lose; BOARD has fail, keep"),
        ("BOARD", "fetch", "there is no method fetch"),
        ("BOARD", "_private", "there is no method _private"),
        ("COLLAB", "keep", "COLLAB is a module: leave it out"),
    ],
)
def test_what_has_to_be_said_is_said(binding: str | None, call: str | None, message: str) -> None:
    """With what there is to choose from."""
    with pytest.raises(HostError) as caught:
        target_of(app, binding, call)
    assert message in str(caught.value)


def test_the_only_binding_needs_no_name() -> None:
    """A class without methods says so."""
    assert target_of(App(name="a", bindings={"BOARD": Board}), None, "keep").label == "keep"
    assert target_of(app, "COLLAB", None).label == "publish"
    with pytest.raises(HostError, match="BARE has no public method"):
        target_of(App(name="a", bindings={"BARE": Bare}), None, None)
