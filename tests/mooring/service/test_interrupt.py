"""Who is interrupted when the event loop is blocked: what blocks it, and nobody who comes after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mooring.errors import HandlerBlocked
from mooring.service.interrupt import Interrupter

SOURCE = """
def run(begun, end):
    begun.set()
    end.wait(10)
    return "came back"
"""


@pytest.fixture
def interrupter() -> Iterator[Interrupter]:
    made = Interrupter(lambda: ["a_plugin"])
    yield made
    made.close()


@pytest.fixture
def run() -> Callable[..., str]:
    """A plugin's function: it says that it has begun, and waits for the word to end."""
    namespace: dict[str, Any] = {"__name__": "a_plugin"}
    exec(SOURCE, namespace)
    found: Callable[..., str] = namespace["run"]
    return found


def looked_at(interrupter: Interrupter, run: Callable[..., str], times: int) -> str:
    """What the function returns, while another thread asks so many times that it be interrupted."""
    begun, end = threading.Event(), threading.Event()

    def ask() -> None:
        begun.wait(10)
        for _ in range(times):
            interrupter.interrupt()
        end.set()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        return run(begun, end)
    finally:
        thread.join()


def test_what_goes_on_is_interrupted(interrupter: Interrupter, run: Callable[..., str]) -> None:
    with pytest.raises(HandlerBlocked):
        looked_at(interrupter, run, 2)


def test_what_has_only_begun_is_not(interrupter: Interrupter, run: Callable[..., str]) -> None:
    assert [looked_at(interrupter, run, 1) for _ in range(3)] == ["came back"] * 3
    interrupter.withdraw()
    assert looked_at(interrupter, run, 1) == "came back"


def test_what_calls_the_framework_is_left_alone(interrupter: Interrupter, run: Callable[..., str]) -> None:
    namespace: dict[str, Any] = {"__name__": "mooring.something"}
    exec(SOURCE, namespace)
    assert looked_at(interrupter, namespace["run"], 3) == "came back"
