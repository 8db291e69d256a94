"""Our tables beside TinyDB's own: the same operations have the same results, also after the file was read again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tinydb import Query, TinyDB, operations, where
from tinydb.middlewares import CachingMiddleware, Middleware
from tinydb.storages import JSONStorage
from tinydb.table import Document

from mooring.plugins.torbox.table import JournalDB
from mooring.plugins.torbox.tinydb_storage import JournalStorage
from storage import StoreClosed, StoreLocked

Operation = Callable[[TinyDB], Any]
caching: Any = CachingMiddleware


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.json"


@pytest.fixture
def database(path: Path) -> Iterator[JournalDB]:
    with JournalDB(path) as database:
        yield database


def content(database: TinyDB) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    return {name: [(document.doc_id, dict(document)) for document in database.table(name)] for name in sorted(database.tables())}


def stock_content(path: Path) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    with TinyDB(path) as database:
        return content(database)


numbers = st.one_of(st.integers(-3, 3), st.integers(2**63, 2**70), st.floats(allow_nan=False, allow_infinity=False))
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=3))
values = st.one_of(scalars, st.lists(scalars, max_size=2), st.dictionaries(st.text(max_size=2), scalars, max_size=2), st.tuples(scalars))
documents = st.dictionaries(st.sampled_from(["a", "b", "item_id", "file_id"]), values, max_size=4)
conditions = st.one_of(
    st.tuples(st.sampled_from(["a", "b", "item_id", "file_id"]), scalars).map(lambda pair: where(pair[0]) == pair[1]),
    st.tuples(st.integers(-3, 3), st.integers(-3, 3)).map(lambda pair: (where("item_id") == pair[0]) & (where("file_id") == pair[1])),
    st.sampled_from([where("a").exists(), ~where("b").exists(), (where("a") == 1) | (where("b") == 2)]),
    st.sampled_from([where("a").test(bool), where("b").one_of([1, 2, "x"]), Query().noop()]),
    st.lists(scalars, max_size=2).map(lambda value: where("a") == value),
)
ids = st.lists(st.integers(1, 12), max_size=3, unique=True)
tables = st.sampled_from(["_default", "other"])


def in_table(make: Callable[[Any], Any]) -> Callable[[tuple[str, Any]], Operation]:
    return lambda drawn: lambda database: make(drawn[1])(database.table(drawn[0]))


def on_table(strategy: st.SearchStrategy[Any], call: Callable[[Any, Any], Any]) -> st.SearchStrategy[Operation]:
    return st.tuples(tables, strategy).map(in_table(lambda drawn: lambda table: call(table, drawn)))


operations_on_both = st.one_of(
    on_table(documents, lambda table, document: table.insert(document)),
    on_table(st.lists(documents, max_size=3), lambda table, several: table.insert_multiple(several)),
    on_table(st.tuples(documents, conditions), lambda table, drawn: table.update(drawn[0], drawn[1])),
    on_table(st.tuples(documents, ids), lambda table, drawn: table.update(drawn[0], doc_ids=drawn[1])),
    on_table(documents, lambda table, document: table.update(document)),
    on_table(conditions, lambda table, condition: table.update(operations.set("a", [1]), condition)),
    on_table(conditions, lambda table, condition: table.update_multiple([(operations.set("b", 2), condition), ({"a": 1}, where("b") == 2)])),
    on_table(st.tuples(documents, conditions), lambda table, drawn: table.upsert(drawn[0], drawn[1])),
    on_table(st.tuples(documents, st.integers(1, 5)), lambda table, drawn: sorted(table.update(drawn[0], doc_ids=[drawn[1]]))),
    on_table(conditions, lambda table, condition: table.remove(condition)),
    on_table(ids, lambda table, drawn: table.remove(doc_ids=drawn)),
    on_table(conditions, lambda table, condition: [dict(found) for found in table.search(condition)]),
    on_table(conditions, lambda table, condition: (table.get(condition), table.count(condition), table.contains(condition))),
    on_table(ids, lambda table, drawn: [(found.doc_id, dict(found)) for found in table.get(doc_ids=drawn)]),
    on_table(st.integers(1, 9), lambda table, drawn: (table.get(doc_id=drawn), table.contains(doc_id=drawn))),
    on_table(st.none(), lambda table, _: (len(table), table.all())),
    st.just(lambda database: database.drop_table("other")),
    st.just(lambda database: database.table("other").truncate()),
    st.just(lambda database: database.drop_tables()),
    st.just(lambda database: database.tables()),
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(operations_on_both, max_size=12))
def test_every_operation_does_what_it_does_in_tinydb(chosen: list[Operation]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours, stock = JournalDB(Path(folder) / "ours.json"), TinyDB(Path(folder) / "stock.json")
        for operation in chosen:
            assert operation(ours) == operation(stock)
        expected = content(stock)
        assert content(ours) == expected
        ours.close()
        stock.close()
        with TinyDB(Path(folder) / "ours.json") as reopened:
            assert content(reopened) == expected
        with JournalDB(Path(folder) / "ours.json") as reopened:
            assert content(reopened) == expected


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(operations_on_both, max_size=10))
def test_with_a_middleware_between_it_is_a_stock_database(chosen: list[Operation]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours = JournalDB(Path(folder) / "ours.json", storage=caching(JournalStorage))
        stock = TinyDB(Path(folder) / "stock.json", storage=caching(JSONStorage))
        for operation in chosen:
            assert operation(ours) == operation(stock)
        ours.close()
        stock.close()
        with JournalDB(Path(folder) / "ours.json") as reopened, TinyDB(Path(folder) / "stock.json") as expected:
            assert content(reopened) == content(expected)


def test_stock_tables_work_over_our_storage(path: Path) -> None:
    with TinyDB(path, storage=JournalStorage) as database:
        database.insert({"a": 1})
        database.insert({"a": 2})
        database.update(operations.increment("a"), where("a") == 2)
        database.remove(where("a") == 1)
    assert stock_content(path) == {"_default": [(2, {"a": 3})]}


def test_any_middleware_sees_every_read_and_write(path: Path) -> None:
    seen: list[str] = []

    class Noting(Middleware):
        def read(self) -> Any:
            seen.append("read")
            return self.storage.read()

        def write(self, data: Any) -> None:
            seen.append("write")
            self.storage.write(data)

        def close(self) -> None:
            self.storage.close()

    with JournalDB(path, storage=Noting(JournalStorage)) as database:
        database.insert({"a": 1})
        database.drop_table("_default")
    assert "read" in seen
    assert seen.count("write") == 2


def test_a_document_with_an_id_of_its_own_keeps_it(database: JournalDB) -> None:
    assert database.insert(Document({"a": 1}, doc_id=40)) == 40
    assert database.insert({"a": 2}) == 41
    assert database.upsert(Document({"a": 3}, doc_id=40)) == [40]
    assert database.upsert(Document({"a": 4}, doc_id=7)) == [7]
    with pytest.raises(ValueError, match="already exists"):
        database.insert(Document({"a": 5}, doc_id=7))
    assert database.get(doc_id=40) == {"a": 3}
    assert [document.doc_id for document in database.search(where("a") >= 2)] == [40, 41, 7]
    assert [document.doc_id for document in database.search(where("a") == 4)] == [7]


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", float("nan"), float("inf"), {"deep": [{"x": {1}}]}])
def test_a_value_that_is_not_json_changes_nothing(database: JournalDB, path: Path, value: Any) -> None:
    database.insert_multiple([{"a": 1}, {"a": 2}])
    before = content(database)
    refused: list[Operation] = [
        lambda each: each.insert({"a": value}),
        lambda each: each.insert_multiple([{"a": 3}, {"a": value}]),
        lambda each: each.update({"a": value}),
        lambda each: each.update_multiple([({"b": 1}, where("a") == 1), ({"b": value}, where("a") == 2)]),
        lambda each: each.upsert({"a": value}, where("a") == 1),
        lambda each: each.storage.write({"_default": {"1": {"a": value}}}),
    ]
    for operation in refused:
        with pytest.raises((TypeError, ValueError)):
            operation(database)
        assert content(database) == before
    database.close()
    assert stock_content(path) == before


def test_a_document_that_is_nested_too_deeply_is_refused_and_one_that_is_not_can_be_read(database: JournalDB) -> None:
    nested: Any = 1
    for _ in range(150):
        nested = [nested]
    database.insert({"a": nested})
    assert database.all() == [{"a": nested}]
    for _ in range(100):
        nested = {"x": nested}
    for levels in (nested, _very_deep()):
        with pytest.raises(ValueError, match="deeper than"):
            database.insert({"a": levels})
    assert len(database) == 1


def _very_deep() -> Any:
    nested: Any = 1
    for _ in range(100_000):
        nested = [nested]
    return nested


def test_an_operation_that_raises_halfway_changes_nothing(database: JournalDB) -> None:
    database.insert_multiple([{"a": 1}, {"a": 2}, {}])
    with pytest.raises(KeyError):
        database.update(operations.increment("a"))
    assert [document.get("a") for document in database] == [1, 2, None]


def test_what_callers_get_is_theirs(database: JournalDB) -> None:
    database.insert({"flat": 1, "nested": [1], "deep": {"x": []}})
    given_in = {"list": [1]}
    database.insert(given_in)
    given_in["list"].append(2)
    flat = where("flat") == 1
    for read in (database.all, lambda: database.search(flat), lambda: [database.get(doc_id=1)], lambda: [database.get(flat)]):
        document = read()[0]
        document["flat"] = 9
        document["nested"].append(9)
        document["deep"]["x"].append(9)
    assert database.all() == [{"flat": 1, "nested": [1], "deep": {"x": []}}, {"list": [1]}]


def test_types_are_told_apart(database: JournalDB) -> None:
    database.insert({"a": 1})
    for value in (True, 1.0, 1):
        database.update({"a": value}, doc_ids=[1])
        assert type(database.get(doc_id=1)["a"]) is type(value)


def test_the_query_cache_sees_changes_of_other_table_objects(database: JournalDB) -> None:
    other = JournalDB.table_class(database.storage, "_default")
    assert database.search(where("a") == 1) == []
    other.insert({"a": 1})
    assert database.search(where("a") == 1) == [{"a": 1}]
    database.search(where("a") == 1)[0]["a"] = 5
    assert database.search(where("a") == 1) == [{"a": 1}]


def test_persist_empty_makes_the_table(database: JournalDB, path: Path) -> None:
    database.table("empty", persist_empty=True)
    database.close()
    assert stock_content(path) == {"empty": []}


def test_an_existing_file_is_taken_over_as_it_is(path: Path) -> None:
    stock = TinyDB(path, indent=4, ensure_ascii=False, encoding="utf-8")
    stock.insert({"name": "Amélie", "n": float("nan"), "big": 2**80, "none": None})
    stock.table("second").insert(Document({"x": [1, {"y": 2}]}, doc_id=5))
    expected = repr(content(stock))
    stock.close()
    before = path.read_bytes()
    with JournalDB(path) as database:
        assert repr(content(database)) == expected
    assert path.read_bytes() == before
    with JournalDB(path) as database:
        database.insert({"new": 1})
    with TinyDB(path) as reopened:
        assert len(reopened) == 2
        assert str(reopened.get(doc_id=1)["n"]) == "nan"


def test_odd_keys_and_lone_surrogates_survive(path: Path) -> None:
    path.write_text(json.dumps({"_default": {"007": {"a": 1}, "x": {"a": "\ud800"}}, "t\ud800": {}}), encoding="ascii")
    with TinyDB(path, storage=JournalStorage) as database:
        stored = database.storage.read()
        stored["_default"]["y"] = {"a": "\udfff", "k\ud800": 1}
        database.storage.write(stored)
    assert json.loads(path.read_text())["_default"].keys() == {"007", "x", "y"}
    with TinyDB(path, storage=JournalStorage) as database:
        assert database.storage.read() == stored


def test_a_new_database_makes_its_file_at_once(tmp_path: Path) -> None:
    with JournalDB(tmp_path / "deep" / "new.json"):
        assert (tmp_path / "deep" / "new.json").read_bytes() == b""


def test_a_close_leaves_only_the_file(database: JournalDB, path: Path) -> None:
    database.insert({"a": 1})
    database.close()
    database.close()
    assert [entry.name for entry in path.parent.iterdir()] == ["records.json"]
    with pytest.raises(StoreClosed):
        database.insert({"a": 2})
    with pytest.raises(StoreClosed):
        database.all()


def test_a_second_object_over_the_same_file_is_refused(database: JournalDB, path: Path) -> None:
    with pytest.raises(StoreLocked):
        JournalDB(path)


def test_searching_by_item_and_file_asks_only_about_those(database: JournalDB) -> None:
    database.insert_multiple({"item_id": item, "file_id": file} for item in range(100) for file in range(5))
    asked: list[Any] = []
    query = Query()
    for condition in ((query.item_id == 50) & (query.file_id == 3), (query.file_id == 3) & (query.item_id == 50)):
        counted = _Counting(condition, asked)
        assert database.search(counted) == [{"item_id": 50, "file_id": 3}]
    assert len(asked) == 2
    database.remove((query.item_id == 50) & (query.file_id == 3))
    assert database.search((query.item_id == 50) & (query.file_id == 3)) == []


class _Counting:
    """A query that notes what it is asked about."""

    def __init__(self, condition: Any, asked: list[Any]) -> None:
        self._condition = condition
        self._asked = asked
        self._hash = condition._hash

    def __call__(self, value: Any) -> bool:
        self._asked.append(value)
        return bool(self._condition(value))

    def is_cacheable(self) -> bool:
        return False


class Release(Mapping[str, Any]):
    """A mapping that is no dict."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def test_documents_may_be_any_mapping(database: JournalDB, path: Path) -> None:
    database.insert(Release(title="Dune", year=1984))
    database.insert_multiple([Release(title="Alien"), Release(title="Brazil", tags=["x"])])
    database.update(Release(year=1979), where("title") == "Alien")
    database.upsert(Release(title="Akira"), where("title") == "Akira")
    expected = [{"title": "Dune", "year": 1984}, {"title": "Alien", "year": 1979}, {"title": "Brazil", "tags": ["x"]}, {"title": "Akira"}]
    assert database.all() == expected
    database.close()
    assert [document for _, document in stock_content(path)["_default"]] == expected


@pytest.mark.parametrize("write", [lambda table: table.insert({"a": 1}), lambda table: table.remove(where("a") == 2), lambda table: table.truncate()])
def test_a_write_empties_the_query_cache(database: JournalDB, write: Callable[[Any], Any]) -> None:
    table = database.table("cached")
    table.insert({"a": 2})
    table.search(where("a") == 2)
    assert len(table._query_cache) == 1
    write(table)
    assert len(table._query_cache) == 0
