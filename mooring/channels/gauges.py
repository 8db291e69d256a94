"""Gauges: measures that are taken at the moment when somebody asks for them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mooring.errors import PluginError

log = logging.getLogger(__name__)

Reading = tuple[str, str, Iterable[tuple[Mapping[str, str], float]]]
"""A gauge as it was read: name, explanation, and its values by label."""

Read = Callable[[], Mapping[str, float]]
"""Takes a measure: a number for each value of the gauge's label."""

_OURS = "mooring_"
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # new versions of Prometheus take any, older ones then refuse the whole page


class Readings(Collector):
    """The gauges of a registry; `read` is called whenever the page is made."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        for name, explanation, values in self._read():
            gauge = GaugeMetricFamily(name, explanation)
            for labels, value in values:
                gauge.add_sample(name, dict(labels), value)
            yield gauge

    def describe(self) -> Iterable[Metric]:
        return ()


class PluginGauges:
    """What plugins measure. A gauge that cannot be read is left out, and keeps no other from the page."""

    def __init__(self) -> None:
        self._gauges: dict[str, tuple[str, str, Read]] = {}

    def add(self, name: str, explanation: str, label: str, read: Read) -> None:
        """Put a gauge on the page, in place of one of the same name. Raises PluginError for a name that cannot be."""
        if name.startswith(_OURS):
            raise PluginError(f"the gauge {name} must have a name of its own: those that begin with {_OURS} are the service's")
        for each in (name, label):
            if not _NAME.fullmatch(each):
                raise PluginError(f"{each!r} is no name for a gauge or its label: use small letters, digits and '_'")
        self._gauges[name] = (explanation, label, read)

    def read(self) -> Iterator[Reading]:
        """All gauges as they are now."""
        for name, (explanation, label, read) in list(self._gauges.items()):
            try:
                values = [({label: key}, float(value)) for key, value in read().items()]
            except Exception:
                log.exception("the gauge %s could not be read", name)
            else:
                yield name, explanation, values
