"""Does a test start a program, a server or a browser, or load TensorFlow? Seen from what its functions and fixtures name."""

import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

TESTS = Path(__file__).parent
# modules, and names of classes and functions, that a test uses which takes long
MODULES = {"preloaded", "subprocess", "tensorflow", "tf_keras", "sengu.networks.runtime"}
CALLED = {"FTPServer", "MotoServer", "ThreadedMotoServer", "ThreadingHTTPServer", "fork", "supervise", "sync_playwright"}


def starts_something(item: pytest.Item) -> bool:
    """Follows the functions of the tests' own modules that a test and its fixtures name, but none of the project's."""
    if not isinstance(item, pytest.Function):
        return False
    fixtures = (definition.func for definitions in item._fixtureinfo.name2fixturedefs.values() for definition in definitions)
    functions = {plain(function) for function in (item.function, *fixtures)}
    return any(reaches(function) for function in functions if isinstance(function, FunctionType) and _is_ours(function))


@cache
def reaches(function: FunctionType) -> bool:
    waiting, known = [function], {function}
    while waiting:
        for name, value in _named(waiting.pop()):
            if name in CALLED | MODULES or (isinstance(value, ModuleType) and value.__name__ in MODULES):
                return True
            values = list(vars(value).values()) if inspect.isclass(value) else [value]
            functions = {function for function in map(plain, values) if isinstance(function, FunctionType) and _is_ours(function)}
            waiting += functions - known
            known |= functions
    return False


def _named(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals that a function names, with their values; of a module of the tests, what it names of that."""
    names = set(_names(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        yield name, value
        if isinstance(value, ModuleType) and _is_ours(value):
            yield from ((attribute, vars(value)[attribute]) for attribute in names & vars(value).keys())


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def plain(value: Any) -> Any:
    """The function that a test wrote, without what fixtures, decorators and Hypothesis put around it."""
    if not callable(value):
        return value
    return inspect.unwrap(getattr(getattr(value, "hypothesis", None), "inner_test", value))


def _is_ours(value: Any) -> bool:
    file = value.__code__.co_filename if isinstance(value, FunctionType) else getattr(value, "__file__", None) or ""
    return Path(file).is_relative_to(TESTS)
