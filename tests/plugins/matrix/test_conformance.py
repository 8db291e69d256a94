"""The suite for gateways, over Matrix and a real homeserver."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.mooring.gateways.conformance import GatewayConformance
from tests.plugins.matrix.network import Matrix
from tests.plugins.matrix.synapse import Synapse

_numbers = itertools.count()


class TestMatrix(GatewayConformance):
    every_name = 6
    lines = 40
    gap = 25

    @pytest.fixture
    def network(self, tmp_path: Path, synapse: Synapse) -> Matrix:
        return Matrix(synapse, tmp_path, f"bot{next(_numbers)}")
