"""The process that reads release names: a line of JSON in with the names of files, a line out with what they say.

    python -m mooring.plugins.torbox.name_worker

It ends when its input does, and so with the process that started it, however that ends.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from mooring.plugins.torbox.release_names import read_release_name


def main() -> None:
    """Read until there is nothing more."""
    if hasattr(os, "nice"):
        os.nice(10)  # channels come first
    for line in sys.stdin:
        said = [asdict(read_release_name(*names)) for names in json.loads(line)]
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
