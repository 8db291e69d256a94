"""What a log says again and again is counted, and nothing else is lost."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest

from mooring.repeated_records import RepeatedRecords


class Lines(logging.Handler):
    def __init__(self, level: int = logging.DEBUG) -> None:
        super().__init__(level)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.lines.append(self.format(record))
        except TypeError:
            self.handleError(record)


class Log:
    def __init__(self) -> None:
        self.time = 0.0
        self.lines, self.errors = Lines(), Lines(logging.ERROR)
        self.handler = RepeatedRecords([self.lines, self.errors], lambda: self.time)
        self.log = logging.Logger("test")
        self.log.addHandler(self.handler)


@pytest.fixture
def log() -> Log:
    return Log()


def test_what_repeats_is_counted(log: Log) -> None:
    for _ in range(128_000):
        log.log.error("no room for %s", "ann")
    log.log.info("going on")
    assert log.lines.lines == ["no room for ann", "going on"]
    log.time = 11.0
    log.log.info("going on")
    assert log.lines.lines[2:] == ["127999 more times in 10 s: no room for ann", "going on"]
    assert log.errors.lines == ["no room for ann", "127999 more times in 10 s: no room for ann"]


def test_what_differs_is_written(log: Log) -> None:
    for number in range(3):
        log.log.error("failed (reference %d)", number)
        log.log.warning("failed (reference %d)", number)
    assert len(log.lines.lines) == 6


def test_errors_that_differ_are_written(log: Log) -> None:
    for divisor in (0, 0, 1):
        try:
            print([1][1 // divisor])
        except (ZeroDivisionError, IndexError):
            log.log.exception("failed")
    assert len(log.lines.lines) == 2
    assert "IndexError" in log.lines.lines[1]


def test_the_end_tells_what_was_counted(log: Log) -> None:
    log.log.info("once")
    log.log.info("twice")
    log.log.info("twice")
    log.handler.close()
    assert log.lines.lines == ["once", "twice", "1 more times in 10 s: twice"]


def test_many_different_ones_are_not_kept(log: Log) -> None:
    for number in range(10_000):
        log.log.info("line %d", number)
    assert len(log.lines.lines) == 10_000
    assert len(log.handler._seen) <= 1001


def test_a_record_that_cannot_be_formatted_is_told_like_ever(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    log.log.info("%d", "no number")
    log.log.info("going on")
    assert log.lines.lines == ["going on"]
    assert "TypeError: %d format" in capsys.readouterr().err


def test_what_is_counted_keeps_no_error_alive() -> None:
    class Failed(Exception):
        pass

    handler = RepeatedRecords([logging.NullHandler()])
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise Failed
    except Failed as error:
        kept = weakref.ref(error)
        logger.exception("it failed")
        logger.exception("it failed")
    gc.collect()
    assert kept() is None
    handler.close()
