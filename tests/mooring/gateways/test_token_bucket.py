"""How fast somebody may go on."""

from __future__ import annotations

from mooring.gateways.token_bucket import TokenBucket


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=2, burst=3, now=100)
    assert [bucket.take(100) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(101) for _ in range(3)] == [True, True, False]
    assert [bucket.take(1000) for _ in range(4)] == [True, True, True, False]


def test_what_came_already_is_paid_for_afterwards() -> None:
    bucket = TokenBucket(rate=8, burst=100, now=0)
    assert bucket.spend(99, now=0) == 0
    assert bucket.spend(40, now=0) == 5
    assert not bucket.take(now=4.9)
    assert bucket.wait(now=5.5) == 0
    assert bucket.take(now=5.5)
