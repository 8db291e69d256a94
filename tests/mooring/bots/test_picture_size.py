"""The size of a picture is read from its file, whatever the file holds."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mooring.bots.messages import compose
from mooring.bots.picture_size import picture_size


def jpeg(orientation: int, order: str = ">") -> bytes:
    mark = b"MM\0*" if order == ">" else b"II*\0"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)
    head = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return head + b"\xff\xc4" + struct.pack(">H", 4) + b"\0\0" + b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, 300, 400, 3) + bytes(9)


PNG_REST = b"\x08\x06\0\0\0\x1f\x15\xc4\x89"
WEBP = b"RIFF\0\0\0\0WEBP"
PICTURES = {
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 400, 300) + PNG_REST, (400, 300)),
    "gif": (b"GIF89a" + struct.pack("<HH", 400, 300), (400, 300)),
    "jpeg": (jpeg(1), (400, 300)),
    "jpeg that was held upright": (jpeg(6), (300, 400)),
    "jpeg of the other order": (jpeg(8, "<"), (300, 400)),
    "webp": (WEBP + b"VP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 400, 300), (400, 300)),
    "webp without loss": (WEBP + b"VP8L\0\0\0\0\x2f" + struct.pack("<I", 399 | 299 << 14), (400, 300)),
    "webp with more": (WEBP + b"VP8X\0\0\0\0\0\0\0\0" + (399).to_bytes(3, "little") + (299).to_bytes(3, "little"), (400, 300)),
    "text": (b"good evening", None),
    "svg": (b"\xef\xbb\xbf\n<svg xmlns='http://www.w3.org/2000/svg' width='400' height='300'/>", None),
    "nothing": (b"", None),
    "png of no width": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 0, 300) + PNG_REST, None),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_sizes_are_read(tmp_path: Path, kind: str) -> None:
    data, size = PICTURES[kind]
    (tmp_path / "it").write_bytes(data)
    assert picture_size(str(tmp_path / "it")) == size


def test_a_file_that_is_gone_has_no_size(tmp_path: Path) -> None:
    assert picture_size(str(tmp_path / "gone.png")) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.sampled_from([data for data, _ in PICTURES.values()]), some.data())
def test_damage_is_no_trouble(tmp_path: Path, data: bytes, given: some.DataObject) -> None:
    end = given.draw(some.integers(0, len(data)))
    (tmp_path / "it").write_bytes(data[:end] + given.draw(some.binary(max_size=40)))
    size = picture_size(str(tmp_path / "it"))
    assert size is None or min(size) > 0


def test_only_files_of_ours_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "it.png").write_bytes(PICTURES["png"][0])
    assert compose(tmp_path / "it.png").context == {"picture": {"width": 400, "height": 300}}
    assert compose("https://example.org/it.png", subtype="image").context is None
