"""A condition such as "site == 'x' and width >= 224" -> the rows of a table that meet it.

Python's grammar, but only what is listed here: nothing is ever evaluated as code. A name is a column; texts stand in quotes.
`==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`, `and`, `or`, `not` and parentheses; `'cat' in tags` looks for one of the parts
that "|" joins. Dates are texts in ISO 8601, and compare as such. An empty cell is unknown: neither before nor after anything.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from sengu.base.errors import SenguError

ORDERED: Mapping[type, Callable[[Any, Any], Any]] = MappingProxyType(
    {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}
)
MIRRORED: Mapping[type, type] = MappingProxyType({ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE})
EXAMPLE = "for example \"site == 'x' and width >= 224\""
DEPTH = 50  # of nested conditions

Value = str | int | float


@dataclass(frozen=True)
class Condition:
    """A condition whose grammar was checked; its columns are checked against a table later."""

    text: str
    tree: ast.expr

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it names."""
        return frozenset(node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name))

    def of(self, table: pd.DataFrame) -> np.ndarray:
        """Marks the rows that meet the condition: bool (rows,). Raises SenguError for an unknown column or a wrong value."""
        return self._of(self.tree, table)

    def _of(self, node: ast.expr, table: pd.DataFrame) -> np.ndarray:
        if isinstance(node, ast.BoolOp):
            parts = [self._of(part, table) for part in node.values]
            return np.asarray(np.all(parts, axis=0) if isinstance(node.op, ast.And) else np.any(parts, axis=0))
        if isinstance(node, ast.UnaryOp):
            return ~self._of(node.operand, table)
        assert isinstance(node, ast.Compare)  # `parse` lets nothing else through
        sides = [node.left, *node.comparators]
        parts = [self._compared(left, how, right, table) for left, how, right in zip(sides, node.ops, sides[1:], strict=False)]
        return np.asarray(np.all(parts, axis=0))

    def _compared(self, left: ast.expr, how: ast.cmpop, right: ast.expr, table: pd.DataFrame) -> np.ndarray:
        if isinstance(how, ast.In | ast.NotIn):
            contained = self._contained(left, right, table)
            return ~contained if isinstance(how, ast.NotIn) else contained
        if not isinstance(left, ast.Name):
            left, right = right, left
            how = MIRRORED.get(type(how), type(how))()
        assert isinstance(left, ast.Name)
        column = self._column(left, table)
        other: Any = self._column(right, table) if isinstance(right, ast.Name) else self._fitting(right, left.id, column)
        if isinstance(how, ast.Eq | ast.NotEq):
            equal: np.ndarray = np.asarray(column == other, dtype=bool)
            return equal if isinstance(how, ast.Eq) else ~equal
        if isinstance(right, ast.Name) and _is_number(column) != _is_number(other):
            raise SenguError(f"{self.text!r}: {left.id} and {right.id} are a number and a text: they cannot be compared")
        known = np.ones(len(table), dtype=bool)
        for cells in (column, other):
            if isinstance(cells, pd.Series) and not _is_number(cells):
                known &= np.asarray(cells != "", dtype=bool)
        met: np.ndarray = known & np.asarray(ORDERED[type(how)](column, other), dtype=bool)
        return met

    def _contained(self, left: ast.expr, right: ast.expr, table: pd.DataFrame) -> np.ndarray:
        if isinstance(right, ast.Name):
            column = self._column(right, table)
            part = self._fitting(left, right.id, column)
            if not isinstance(part, str):
                raise SenguError(f"{self.text!r}: {right.id} holds numbers: write `{right.id} == {part}`")
            cells, different = pd.factorize(column)
            holds = np.array([part in str(cell).split("|") for cell in different], dtype=bool)
            return holds[cells] if len(different) else np.zeros(len(table), dtype=bool)
        assert isinstance(left, ast.Name)
        assert isinstance(right, ast.List | ast.Tuple)
        column = self._column(left, table)
        return np.asarray(column.isin([self._fitting(item, left.id, column) for item in right.elts]), dtype=bool)

    def _column(self, node: ast.Name, table: pd.DataFrame) -> pd.Series:
        if node.id not in table:
            raise SenguError(
                f"{self.text!r}: there is no column {node.id!r}: the columns are {', '.join(map(str, table.columns))}"
            )
        return table[node.id]

    def _fitting(self, node: ast.expr, name: str, column: pd.Series) -> Value:
        value = _constant(node)
        if isinstance(value, str) == _is_number(column):
            kinds = ("a number", f"{value!r} is a text") if _is_number(column) else ("a text", f"write {str(value)!r} in quotes")
            raise SenguError(f"{self.text!r}: {name} is {kinds[0]}: {kinds[1]}")
        return value


def parse(text: str) -> Condition:
    """Parses a condition. Raises SenguError that names anything outside the grammar."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SenguError(f"{text!r} is not a condition: {getattr(error, 'msg', error)}: write it {EXAMPLE}") from error
    _check(tree, text, 0)
    return Condition(text, tree)


def joined(tables: Sequence[pd.DataFrame], on: Sequence[str]) -> pd.DataFrame:
    """Tables joined to the right of the first by their common key columns; missing cells are empty."""
    table = tables[0]
    for other in tables[1:]:
        keys = [name for name in on if name in table and name in other]
        numbers = [name for name in other if _is_number(other[name])]
        table = table.merge(other, on=keys, how="left")
        for name in other.columns:
            table[name] = table[name].fillna(-1).astype("int64") if name in numbers else table[name].fillna("")
    return table


def _check(node: ast.expr, text: str, depth: int) -> None:
    if depth > DEPTH:
        raise SenguError(f"{text[:60]!r}… is nested more than {DEPTH} deep: write it with `in` and a list")
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            _check(part, text, depth + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _check(node.operand, text, depth + 1)
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, how, right in zip(sides, node.ops, sides[1:], strict=False):
            _check_comparison(left, how, right, text)
    else:
        raise _unknown(node, text)


def _check_comparison(left: ast.expr, how: ast.cmpop, right: ast.expr, text: str) -> None:
    if isinstance(how, ast.In | ast.NotIn):
        if isinstance(left, ast.Name) and isinstance(right, ast.List | ast.Tuple):
            for item in right.elts:
                _check_constant(item, text)
        elif isinstance(right, ast.Name):
            _check_constant(left, text)
        else:
            raise _unknown(right, text)
    elif isinstance(how, ast.Is | ast.IsNot):
        raise SenguError(f"{text!r}: `is` is not understood: write == or !=")
    else:
        values = [side for side in (left, right) if not isinstance(side, ast.Name)]
        for side in values:
            _check_constant(side, text)
        if len(values) == 2:
            raise SenguError(f"{text!r}: one side of a comparison must be a column: write it {EXAMPLE}")


def _check_constant(node: ast.expr, text: str) -> None:
    try:
        _constant(node)
    except ValueError:
        raise _unknown(node, text) from None


def _constant(node: ast.expr) -> Value:
    """Raises ValueError for what is neither text nor number."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return sign * node.value
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and sign == 1:
        return node.value
    raise ValueError


def _unknown(node: ast.expr, text: str) -> SenguError:
    part = ast.get_source_segment(text.strip(), node) or text
    return SenguError(f"{text!r}: {part!r} is not understood: write comparisons of columns with texts and numbers, {EXAMPLE}")


def _is_number(cells: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(cells))
