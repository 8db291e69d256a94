"""Where a process keeps its data, and how a check looks at what is kept without asking the process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mooring import MoobiusStorage
from storage.database_interface import DatabaseInterface
from storage.db_config import DictConfig
from storage.domains import domain_of
from storage.encoding import codec
from storage.engine_support.shared_instances import SharedInstances
from storage.json.database import JSONDatabase
from storage.json.retained import Retention
from storage.json.store import Store
from tests.simulation.disk import Disk
from tests.simulation.loop import Process
from tests.simulation.plugins.market import DICTS
from tests.simulation.shared_engine import ChannelClient, SharedDatabase, SharedServer
from tests.simulation.threads import SimulatedCheckpoints, SimulatedCommitter

if TYPE_CHECKING:
    from tests.simulation.world import World

SERVICE_ID = "1"


class Site(Protocol):
    """What differs between a disk of one's own and a server that is shared."""

    def engine(self, domain: str, settings: Mapping[str, Any]) -> DatabaseInterface:
        """Open what keeps one dict."""

    def config(self) -> list[dict[str, Any]]:
        """The db config of a channel."""

    def kept(self, storage: MoobiusStorage, name: str) -> dict[str, Any]:
        """What is kept now of one dict, those of the system included."""

    def die(self, *, power_loss: bool) -> None:
        """The process is gone."""

    def forget(self) -> None:
        """Let nothing of it happen when the interpreter comes across it later."""


class SimulatedStore(Store):
    """A store whose checkpoints make no pauses, as nothing runs beside them."""

    def _checkpoint_in_background(self) -> None:
        self.checkpoint()


class DiskSite:
    """JSON files on a simulated disk."""

    def __init__(self, world: World, disk: Disk, process: Process) -> None:
        self._world = world
        self._disk = disk
        self._files = disk.files()
        self._stores: list[Store] = []
        self._engines: list[JSONDatabase] = []
        self._class = self._engine_class(process)

    def engine(self, domain: str, settings: Mapping[str, Any]) -> DatabaseInterface:
        engine = self._class(domain, **settings)
        self._engines.append(engine)
        return engine

    def config(self) -> list[dict[str, Any]]:
        size = self._world.random.choice((2_000, 20_000, 4 << 20))
        settings = {"root_dir": str(self._disk.root), "checkpoint_bytes": size}
        return [{"implementation": "json", "name": name, "settings": settings} for name in DICTS]

    def kept(self, storage: MoobiusStorage, name: str) -> dict[str, Any]:
        return dict(storage.system(name[1:]) if name.startswith("_") else getattr(storage, name))

    def die(self, *, power_loss: bool) -> None:
        self._files.is_dead = True
        self._disk.stop(power_loss=power_loss)

    def forget(self) -> None:
        self._files.is_dead = True
        for engine in self._engines:
            engine._release.detach()
        for store in self._stores:
            store._ownership.abandon()

    def _engine_class(self, process: Process) -> type[JSONDatabase]:
        class LocalCommitter(SimulatedCommitter[Any]):
            pass

        class LocalCheckpoints(SimulatedCheckpoints):
            pass

        LocalCommitter.loop = LocalCheckpoints.loop = self._world.loop
        LocalCommitter.process = LocalCheckpoints.process = process

        def make_store(root: Path, checkpoint_bytes: int, retention: Retention) -> Store:
            seams: dict[str, Any] = {"files": self._files, "committer": LocalCommitter, "checkpoints": LocalCheckpoints}
            store = SimulatedStore(root, checkpoint_bytes=checkpoint_bytes, retention=retention, **seams)
            self._stores.append(store)
            return store

        class LocalJSONDatabase(JSONDatabase):
            _stores = SharedInstances()
            _make_store = staticmethod(make_store)

        return LocalJSONDatabase


class SharedSite:
    """A server that other processes use as well."""

    def __init__(self, server: SharedServer, process: Process) -> None:
        self._server = server
        self._process = process
        self._clients: dict[str, ChannelClient] = {}

    def engine(self, domain: str, settings: Mapping[str, Any]) -> DatabaseInterface:
        channel = domain.rpartition(".")[0]
        client = self._clients.setdefault(channel, ChannelClient(self._server, self._process, channel))
        return SharedDatabase(domain, client)

    def config(self) -> list[dict[str, Any]]:
        return [{"implementation": "redis", "name": name, "settings": {}} for name in DICTS]

    def kept(self, storage: MoobiusStorage, name: str) -> dict[str, Any]:
        domain = domain_of(storage.service_id, storage.channel_id, name, storage.variant)
        content = self._server.channel(domain.rpartition(".")[0]).content.get(domain, {})
        return {key: codec.decode(value) for key, value in content.items()}

    def die(self, *, power_loss: bool) -> None:
        self._server.followers = [each for each in self._server.followers if each.process is not self._process]

    def forget(self) -> None:
        """It holds nothing."""


def make_storage(site: Site, channel_id: str, made: list[MoobiusStorage]) -> MoobiusStorage:
    """What a service keeps of one channel, in the site's engines; it is added to `made`, with all that is made beside it."""

    class LocalStorage(MoobiusStorage):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

        def beside(self, variant: str) -> MoobiusStorage:
            other = super().beside(variant)
            other.__class__ = LocalStorage  # it is a plain one, whose engines would be real
            made.append(other)
            return other

        def _engine(self, entry: DictConfig, name: str) -> DatabaseInterface:
            return site.engine(domain_of(self.service_id, self.channel_id, name, self.variant), entry.settings)

    return LocalStorage(SERVICE_ID, channel_id, site.config())
