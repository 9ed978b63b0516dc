"""The repository and its remotes together, which the commands of `sengu remote` begin with."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.remote import configuration, pins
from sengu.remote.checking import Budget, Checked, Listings, Store, check, store_of
from sengu.remote.memory import Memory
from sengu.remote.pins import Cache, Pin, Ref


@dataclass
class Project:
    """The pins of this repository, and the remotes that count: the default one and params.yaml's remote.further."""

    settings: params.RemoteParams
    stores: list[Store]
    refs: list[Ref]

    @classmethod
    def here(cls, only: str = "", every_commit: bool = False) -> "Project":
        """Raises SenguError if a remote that counts is not configured, or not there."""
        if not Path(".dvc").is_dir():
            raise SenguError("there is no .dvc here: run it in the folder that holds params.yaml")
        settings = params.remote() if params.PARAMS.is_file() else params.RemoteParams()
        names = [only] if only else list(dict.fromkeys([configuration.default().name, *settings.further]))
        refs = pins.refs() + (pins.history() if every_commit else [])
        outputs = [output for ref in refs for output in pins.outputs(ref)]
        names += [] if only else sorted({output.remote for output in outputs if output.remote} - set(names))
        stores = [store_of(configuration.named(name)) for name in names]
        for store in stores:
            store.check()
        return cls(settings, stores, refs)

    @cached_property
    def cache(self) -> Cache:
        return Cache(configuration.cache_folder(), pins.outputs(Ref(pins.HERE, "tree")))

    @cached_property
    def listings(self) -> Listings:
        """The content of .dir objects."""
        return Listings(self.cache, self.stores)

    @cached_property
    def erased(self) -> frozenset[str]:
        return pins.erased(self.refs)

    def pins(self) -> tuple[dict[str, Pin], list[str]]:
        """Every pinned object except erased ones, and the folders without a listing."""
        pinned, unknown = pins.pinned(self.refs, self.listings)
        return {oid: pin for oid, pin in pinned.items() if oid not in self.erased}, [
            oid for oid in unknown if oid not in self.erased
        ]

    def pins_of(self, store: Store, pinned: dict[str, Pin]) -> dict[str, Pin]:
        """The pinned objects that a remote must have: one that outputs name has these only, a further one everything."""
        name = store.remote.name
        if name in self.settings.further:
            return pinned
        owned = any(name in pin.remotes for pin in pinned.values())
        # a remote that no output names is treated as the default one
        meant = {name} if owned and name != configuration.default().name else {name, ""}
        return {oid: pin for oid, pin in pinned.items() if pin.remotes & meant}

    def check(self, deep: Budget | None, stores: Iterable[Store] | None = None) -> list[Checked]:
        """Checks the remotes; a folder is read within remote.check_budget unless `deep` says how far."""
        pinned, _ = self.pins()
        results = []
        for store in stores or self.stores:
            budget = deep
            if budget is None and store.remote.is_folder:
                budget = Budget.parse(self.settings.check_budget)
            memory = Memory(store.remote.name)
            results.append(check(store, self.pins_of(store, pinned), self.cache, memory, budget))
        return results
