"""Names and texts from people and web sites -> names that are safe for folders, and texts that are safe on a screen."""

import re
import unicodedata
from collections.abc import Iterable

# all but tab and the ends of lines; with what turns the direction of writing
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
# of Windows, whatever their extension
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
INVISIBLE = ("Cf", "Zs")  # Unicode's categories of letters without width, and of spaces
LONGEST = 255  # bytes of a name, on most file systems


def escaped(text: str) -> str:
    """A text without control characters, which would control a terminal: each becomes its escape, such as \\x1b."""
    return CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def printable(text: str) -> str:
    """A text as `escaped` gives it, without carriage returns: on a terminal they would hide what is before them."""
    return escaped(text).replace("\r", "\\r")


def cell(text: str) -> str:
    """A text as `printable` gives it, on one line and without tabs, for a line or column of its own."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def counted(number: int, noun: str) -> str:
    """A number and a noun with a regular plural, such as "1 gap" or "2 gaps"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def fault(name: str) -> str:
    """The reason why a name cannot be that of a folder on every system; empty text if it can."""
    if not name.strip():
        return "is empty"
    if all(unicodedata.category(letter) in INVISIBLE for letter in name):
        return "has no visible character"
    if match := FORBIDDEN.search(name):
        return f"contains {match[0]!r}, which folder names may not contain on every system"
    if name.strip(".") == "" or name[-1] in ". " or name[0] == " ":
        return (
            "begins with a space, ends with a dot or space, or consists of dots, "
            "which is not allowed in folder names on every system"
        )
    if DEVICES.fullmatch(name):
        return "is a reserved device name on Windows, so no folder can have it there"
    if len(name.encode()) > LONGEST:
        return f"has more than {LONGEST} bytes, which a folder cannot have"
    return ""


def same(names: Iterable[str]) -> str:
    """The first name that equals an earlier one if case is ignored; empty text if there is none."""
    seen = set()
    for name in names:
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if key in seen:
            return name
        seen.add(key)
    return ""
