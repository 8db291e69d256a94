"""`python -m tests.simulation`: run seeds, and say how to run one again that fails."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
import traceback
from functools import partial
from typing import Annotated

import typer

from tests.simulation.world import Run, run_seed

_COLLECTED_EVERY = 25
_REPORTED_EVERY = 1.0
_SEED_SECONDS = 60
"""Of real time, which is a hundred times what a seed takes."""


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds to run.")] = 300,
    first: Annotated[int, typer.Option("--from", help="The first of them.")] = 0,
    trace: Annotated[bool, typer.Option("--trace", help="Print what happens, and the log of the service.")] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Go on after a seed that fails.")] = False,
) -> None:
    """Simulate the service, its disk, its network and its members, once for each seed."""
    if trace:
        logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    else:
        logging.disable(logging.CRITICAL)
    sys.unraisablehook = lambda _: None  # coroutines of dead processes say at their end that nobody waits for them
    gc.collect()
    gc.freeze()
    gc.disable()  # when it runs is nobody's to repeat
    failed = _run(range(first, first + seeds), trace=trace, keep_going=keep_going)
    if failed:
        raise typer.Exit(1)


def _run(seeds: range, *, trace: bool, keep_going: bool) -> int:
    began, reported, failed = time.monotonic(), 0.0, 0
    total = Run(-1, "", 0, 0, 0, 0, 0.0)
    for count, seed in enumerate(seeds, 1):
        try:
            signal.signal(signal.SIGALRM, partial(_hangs, seed))
            signal.alarm(_SEED_SECONDS)
            run = run_seed(seed, trace=trace)
        except Exception as error:
            failed += 1
            print(f"\nseed {seed} failed: {type(error).__name__}: {error}\nrun it again: {_again(seed)}", flush=True)
            if trace or not keep_going:
                logging.getLogger(__name__).debug("it failed", exc_info=True)
                return failed
        else:
            total = total.plus(run)
            if len(seeds) == 1:
                print(f"seed {seed}: {run.digest}")
        if count % _COLLECTED_EVERY == 0:
            gc.collect()
        now = time.monotonic()
        if count == len(seeds) or (now - reported > _REPORTED_EVERY and sys.stdout.isatty()):
            reported = now
            print(_line(count, len(seeds), total, failed, now - began), end="\n" if count == len(seeds) else "\r", flush=True)
    return failed


def _hangs(seed: int, *_: object) -> None:
    """Whatever is raised here may be caught by what hangs."""
    print(f"\nseed {seed} hangs in\n{''.join(traceback.format_stack()[-12:])}run it again: {_again(seed)}", flush=True)
    os._exit(1)


def _again(seed: int) -> str:
    return f"make simulate SEEDS=1 FROM={seed} TRACE=1"


def _line(count: int, of: int, total: Run, failed: int, seconds: float) -> str:
    what = f"{total.answers} answers, {total.kills} kills, {total.faults} disk faults, {total.seconds / 3600:.1f} simulated hours"
    return f"{count} of {of} seeds, {failed} failed, {count / max(seconds, 0.001):.1f} a second: {what}"


if __name__ == "__main__":
    typer.run(main)
