"""What one address may do in a while, over all its connections."""

from __future__ import annotations

from collections import OrderedDict

from mooring import TokenBucket

_MOST = 20_000
"""Addresses that are remembered; beyond it those are forgotten that were not heard of for the longest time."""


class BucketsByAddress:
    """A bucket for each address, as `group_of` gives it; one that nothing is known of has a full one."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def of(self, address: str, now: float) -> TokenBucket:
        """The bucket of an address."""
        bucket = self._buckets.get(address)
        if bucket is None:
            bucket = self._buckets[address] = TokenBucket(self._per_second, self._burst, now)
            if len(self._buckets) > _MOST:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(address)
        return bucket

    def refusal_seconds(self, address: str, now: float) -> int:
        """Count one more from an address; returns in how many seconds to come back if that is too many, or else 0."""
        bucket = self.of(address, now)
        return 0 if bucket.take(now) else max(1, round(bucket.wait(now) + 0.5))


def of_many(allowed: tuple[float, float]) -> BucketsByAddress:
    """What ten connections may have, a second and at once, for all of an address. There may be a hundred people, but not ten who are at it."""
    per_second, burst = allowed
    return BucketsByAddress(10 * per_second, 10 * burst)


def per_minute(count: int) -> BucketsByAddress:
    """So many a minute, all of which may come at once."""
    return BucketsByAddress(count / 60, count)
