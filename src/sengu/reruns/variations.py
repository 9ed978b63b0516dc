"""Names of circumstances that must not affect an output -> surroundings in which each is varied.

A variation affects only the programs of stages, through a sitecustomize module on PYTHONPATH; DVC itself sees the real
world. The idea is from reprotest, which varies the surroundings of a Debian build.
"""

import time
from collections.abc import Iterable
from pathlib import Path

VARIATIONS = ("clock", "hash seed", "directory order", "locale", "time zone", "umask", "cores")
STILL_CLOCK = "still clock"  # always the same time: runs that agree under it, and not without, read the clock
FOR_NUMBERS = tuple(name for name in VARIATIONS if name not in ("clock", "cores"))  # cores may change how sums are rounded
VARIABLE = "SENGU_VARIATIONS"
DAYS = 400  # that the clock is ahead

HOOK = '''"""Every Python of a rerun reads this; in programs of stages it does what SENGU_VARIATIONS names."""

import os
import sys

_names = os.environ.get("SENGU_VARIATIONS", "").split(",") if "DVC_STAGE" in os.environ else []

if "locale" in _names and "SENGU_LOCALE_IS_OTHER" not in os.environ:  # Python reads it before this module
    _other = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "utf-8"}
    os.execve(sys.executable, sys.orig_argv, {**os.environ, **_other, "SENGU_LOCALE_IS_OTHER": "yes"})

if "umask" in _names:
    os.umask(0o077)

if "cores" in _names:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    os.cpu_count = lambda: 1

if "directory order" in _names:
    _listdir, _scandir = os.listdir, os.scandir

    class _Scanned:
        def __init__(self, path):
            with _scandir(path) as found:
                self._entries = iter(sorted(found, key=lambda entry: entry.name, reverse=True))

        def __iter__(self):
            return self

        def __next__(self):
            return next(self._entries)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def close(self):
            pass

    # with their defaults: `os.listdir()` and `os.scandir()` list the current folder
    os.listdir = lambda path=".": sorted(_listdir(path), reverse=True)
    os.scandir = lambda path=".": _Scanned(path)

if "clock" in _names or "still clock" in _names:
    import builtins
    import datetime
    import time
    import types

    _ahead = DAYS * 86400
    _time, _time_ns = time.time, time.time_ns
    if "clock" in _names:
        time.time = lambda: _time() + _ahead
        time.time_ns = lambda: _time_ns() + _ahead * 10**9
    else:
        time.time = lambda: 1e9
        time.time_ns = lambda: 10**18
    for _name in ("gmtime", "localtime", "ctime"):
        setattr(time, _name, lambda seconds=None, _told=getattr(time, _name): _told(time.time() if seconds is None else seconds))
    _strftime = time.strftime
    time.strftime = lambda form, *when: _strftime(form, *(when or (time.localtime(),)))
    _date, _datetime = datetime.date, datetime.datetime

    class _AnyDate(type):  # so that dates made by C are instances, too
        def __instancecheck__(cls, value):
            return isinstance(value, cls.__mro__[1])

        def __subclasscheck__(cls, kind):
            return issubclass(kind, cls.__mro__[1])

    class date(_date, metaclass=_AnyDate):
        __slots__ = ()  # the size that C expects

        @classmethod
        def today(cls):
            return _date.fromtimestamp(time.time())

    class datetime_(_datetime, metaclass=_AnyDate):
        __slots__ = ()

        @classmethod
        def now(cls, tz=None):
            return _datetime.fromtimestamp(time.time(), tz)

        @classmethod
        def today(cls):
            return _datetime.fromtimestamp(time.time())

        @classmethod
        def utcnow(cls):
            return _datetime.fromtimestamp(time.time(), datetime.timezone.utc).replace(tzinfo=None)

    datetime_.__name__ = datetime_.__qualname__ = "datetime"
    _shown = types.ModuleType("datetime", datetime.__doc__)
    _shown.__dict__.update({**vars(datetime), "date": date, "datetime": datetime_})
    _import = builtins.__import__

    def _import_varied(name, globals=None, locals=None, fromlist=(), level=0):
        """The project's code sees these types; compiled libraries crash unless they get the real ones."""
        file = (globals or {}).get("__file__") or ""
        is_library = not file or "site-packages" in file or file.startswith(_libraries)
        return _import(name, globals, locals, fromlist, level) if is_library or name != "datetime" else _shown

    _libraries = tuple({os.path.dirname(os.__file__), sys.base_prefix + "/lib"})
    builtins.__import__ = _import_varied
'''


def write_hook(folder: Path) -> None:
    """Writes the sitecustomize module into a folder, which `variables` then puts on PYTHONPATH."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(HOOK.replace("DAYS *", f"{DAYS} *"), encoding="utf-8")


def variables(names: Iterable[str], hook: Path) -> dict[str, str]:
    """The environment variables for these variations; without names, those of the real world."""
    chosen = set(names)
    return {
        "PYTHONPATH": str(hook),
        VARIABLE: ",".join(sorted(chosen)),
        "PYTHONHASHSEED": "4711" if "hash seed" in chosen else "0",
        "LC_ALL": "C.UTF-8",
        "TZ": other_zone(time.time()) if "time zone" in chosen else "UTC",
    }


def other_zone(now: float) -> str:
    """A time zone with another date than UTC, so that a stage that writes the local date is caught at any hour."""
    return "UTC+13" if time.gmtime(now).tm_hour < 12 else "UTC-13"  # POSIX: east is negative
