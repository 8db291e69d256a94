"""The story of a store, with a disk that fails, a process that stops and power that goes away at every single call."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from storage.files import Files
from tests.crash.disks import CountingFiles, FailingFiles, PowerLossFiles, Stop, StoppingFiles
from tests.crash.story import COMMITS, LONGEST_FAULT, Ledger, live, opened, state_of


def _calls_of_the_story(root: Path, *, overlapping: bool = False) -> int:
    files = CountingFiles()
    live(root, files, Ledger(), overlapping=overlapping)
    return files.calls


def _story_until_stop(root: Path, files: Files, *, overlapping: bool = False) -> Ledger:
    ledger = Ledger()
    with suppress(Stop):
        live(root, files, ledger, overlapping=overlapping)
    return ledger


def test_the_story_without_faults_leaves_only_snapshots(tmp_path: Path) -> None:
    ledger = Ledger()
    live(tmp_path / "store", Files(), ledger)
    assert ledger.acknowledged == len(COMMITS)
    files = [path.relative_to(tmp_path / "store") for path in (tmp_path / "store").rglob("*") if path.is_file()]
    left = {str(path) for path in files if path.parts[0] != "retained"}
    assert left == {"service_1/channel_x/health_bars.json", "service_1/channel_x/mana_bars.json"}


@pytest.mark.parametrize(("half", "overlapping"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("length", [1, 2, LONGEST_FAULT])
def test_a_disk_that_fails_at_any_call_costs_at_most_the_commits_that_said_so(tmp_path: Path, length: int, half: bool, overlapping: bool) -> None:
    calls = _calls_of_the_story(tmp_path / "counted", overlapping=overlapping)
    failed = 0
    for at in range(1, calls + 1):
        ledger = Ledger()
        root = tmp_path / str(at)
        live(root, FailingFiles(at, length=length, half=half), ledger, overlapping=overlapping)
        with opened(root) as store:
            assert state_of(store) == ledger.last, f"the fault was at call {at}"
            assert {finding.kind for finding in store.findings} <= {"replayed", "torn"}, store.findings
        failed += ledger.failed
    assert failed > len(COMMITS)


@pytest.mark.parametrize(("half", "overlapping"), [(False, False), (True, False), (True, True)])
def test_a_process_killed_at_any_call_keeps_every_acknowledged_commit_and_no_half_one(tmp_path: Path, half: bool, overlapping: bool) -> None:
    calls = _calls_of_the_story(tmp_path / "counted", overlapping=overlapping)
    for at in range(1, calls + 1):
        root = tmp_path / str(at)
        ledger = _story_until_stop(root, StoppingFiles(at, half=half), overlapping=overlapping)
        for _ in range(2):
            with opened(root) as store:
                assert state_of(store) in ledger.states[ledger.acknowledged :], f"stopped at call {at}"
                assert {finding.kind for finding in store.findings} <= {"replayed", "torn"}, store.findings


@pytest.mark.parametrize("half", [False, True])
def test_a_process_killed_while_it_recovers_from_a_kill_loses_nothing_either(tmp_path: Path, half: bool) -> None:
    calls = _calls_of_the_story(tmp_path / "counted")
    for at in range(calls // 4, calls, 5):
        for again in range(1, 40, 2):
            root = tmp_path / f"{at}-{again}"
            first = _story_until_stop(root, StoppingFiles(at, half=half))
            second = StoppingFiles(again)
            with suppress(Stop), opened(root, second) as store:
                assert state_of(store) in first.states[first.acknowledged :]
            with opened(root) as store:
                assert state_of(store) in first.states[first.acknowledged :], f"stopped at calls {at} and {again}"


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("eager", [False, True])
def test_power_lost_at_any_call_keeps_every_synced_commit(tmp_path: Path, eager: bool, overlapping: bool) -> None:
    calls = _calls_of_the_story(tmp_path / "counted", overlapping=overlapping)
    for at in range(1, calls + 2):
        root = tmp_path / str(at)
        files = PowerLossFiles(root, at, eager=eager)
        ledger = _story_until_stop(root, files, overlapping=overlapping)
        disk = tmp_path / f"{at}-disk"
        files.power_on_again(disk)
        with opened(disk) as store:
            assert state_of(store) in ledger.states[ledger.synced :], f"power was lost at call {at}"


def test_a_failed_commit_does_not_come_back_when_nothing_can_be_taken_back(tmp_path: Path) -> None:
    """The write comes through, then the sync fails, the cut fails, and the segment has to be given up."""
    root = tmp_path / "store"
    for length in range(1, 8):
        files = FailingFiles(1 << 30, length=length)
        ledger = Ledger()
        with opened(root / str(length), files) as store:
            ledger.run(store, COMMITS[0][0], sync=True)
            files.at = files.calls + 2  # the call after the write
            ledger.run(store, COMMITS[2][0], sync=True)
            assert ledger.failed == 1
            files.at = 1 << 30
            ledger.run(store, COMMITS[4][0], sync=True)
            assert state_of(store) == ledger.last
            store.abandon()
            with opened(root / str(length)) as after:
                assert state_of(after) == ledger.last
