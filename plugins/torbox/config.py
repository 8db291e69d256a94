"""The settings of the plugin. The key is none of them: it comes from the environment, or from a file that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mooring import ConfigPath
from mooring.plugins.torbox.pool import DEFAULT_FOLDER


class TorBoxConfig(BaseModel):
    """Folders are relative to the working directory of the service."""

    model_config = ConfigDict(extra="forbid")

    root_dir: ConfigPath = Path(DEFAULT_FOLDER)
    """Where the databases are."""
    import_dir: ConfigPath = Path("torbox_import")
    """Where `/torbox import` looks for files, and nowhere else."""
    api_url: str | None = None
    """Used when TORBOX_API_URL is not set; TorBox's own if neither is."""
    api_key_file: ConfigPath | None = None
    """Read when TORBOX_API_KEY is not set."""
    refresh_minutes: Annotated[float, Field(ge=0)] = 0
    """Fetch all lists anew this often, beside the channels; 0 for never."""
    requests_per_minute: Annotated[int, Field(ge=1, le=300)] = 300
    timeout: Annotated[float, Field(gt=0, le=600)] = 30
    """Seconds for TorBox to begin an answer."""
    page_size: Annotated[int, Field(ge=1, le=100)] = 20
    """Lines of a page of `/torbox list` and `/torbox search`."""
    durability: Literal["commit", "always", "never"] = "commit"
