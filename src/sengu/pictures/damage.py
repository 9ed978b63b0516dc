"""Damaged pictures that decoders accept -> the damage: missing, zeroed or extra data.

A decoder of JPEG goes on behind damage, and decoders of WebP, AVIF and HEIC often do not see it: all show grey, stripes or noise.
So libjpeg-turbo is asked for its warnings (Pillow drops them), at an eighth of the size, which takes a third of the time
of decoding. The others are looked at more closely if they hold a run of one byte, as a broken transfer or disk leaves it. A
progressive JPEG whose last scans are missing shows a coarse picture, and a PNG whose last rows are missing shows them black.
"""

import re
import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

from sengu.pictures import videos
from sengu.pictures.items import items

ZEROS, ONES = bytes(32), b"\xff" * 32
ZEROED = "damaged: zeros in the data"
FILLED = "damaged: a filling in the data"
SPARE = 64  # bytes behind the last block of a JPEG that do not say that blocks before were lost
AHEAD = 8  # bytes that libjpeg-turbo reads ahead
TRIES = 20  # markers of one JPEG before which spare bytes are looked for
CUT = 16  # bytes at the end of a WebP's data without which it cannot be decoded, if it is whole
SCAN, END = b"\xff\xda", b"\xff\xd9"
JPEG, SEPARATE = 7, 2  # of TIFF: a compression, and a plane for each colour
PROGRESSIVE = 0xC2  # the marker of a JPEG's frame
COEFFICIENTS = 64  # of a block
SCANS = re.compile(rb"\xff\xda\0[\x06-\x0e]([\x01-\x04])", re.DOTALL)
# of PNG: samples of a pixel by its kind of colours, and the first column and row and the steps of the passes of an interlaced one
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
EXTRANEOUS = re.compile(r"(?<!\d)(\d++) extraneous bytes before marker 0x(\w\w)")
STANDALONE = (0x01, *range(0xD0, 0xD9))  # markers of a JPEG that no length follows


def jpeg(data: bytes, mode: str) -> str | None:
    """The reason why a JPEG is not whole; empty text if it is whole, None if this decoder cannot say.

    `mode` is Pillow's. Bytes between two segments, and a few or a filling before a marker, are not damage.
    """
    if mode not in ("L", "RGB", "CMYK"):
        return None
    warning = _warning(data, mode)
    if EXTRANEOUS.search(warning):
        data = _without_junk(data)
        warning = _warning(data, mode)
        if (spare := EXTRANEOUS.search(warning)) and _is_harmless(data, mode, int(spare[1]), bytes.fromhex(spare[2])):
            warning = ""
    if not warning:
        return ZEROED if _has_zeros(data, mode) else "truncated" if _lacks_scans(data) else ""
    if warning.startswith("Premature end"):
        return "truncated"
    return f"damaged: {warning.partition(': ')[2]}" if warning.startswith("Corrupt JPEG data") else None


def webp(data: bytes) -> str:
    """The reason why a WebP that can be decoded is not whole; empty text if nothing says so.

    Its decoder uses all its data up to the last bytes, unless it lost the thread before.
    """
    for place, size in _chunks(data):
        kind, payload = data[place : place + 4], data[place + 8 : place + 8 + size]
        if kind not in (b"VP8 ", b"VP8L"):
            continue
        run = ZEROED if ZEROS in payload else FILLED if ONES in payload else ""
        return run if run and _decodes(kind, payload[:-CUT]) else ""
    return ""


def avif(data: bytes) -> str:
    """The reason why an AVIF that dav1d decodes is not whole; empty text if nothing says so. libaom looks where data ends."""
    parts = [data[start:end] for item in items(data) if item.kind == b"av01" for start, end in item.parts]
    run = ZEROED if any(ZEROS in part for part in parts) else FILLED if any(ONES in part for part in parts) else ""
    if not run:
        return ""
    cv2 = videos.opencv()
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        decoded = None
    return run if decoded is None else ""


def png(data: bytes, picture: Image.Image) -> str:
    """The reason why a PNG that was decoded is not whole; empty text if nothing says so. Rows that are missing are zeros."""
    width, height = picture.size
    last = picture.crop((0, max(0, height - 2), width, height))  # of an interlaced one, the last pass fills one of them
    if all(np.asarray(last)[row].any() for row in range(last.height)):
        return ""
    bits, kind, interlaced = data[24], data[25], data[28]
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = [(len(range(left, width, right)), len(range(top, height, down))) for left, top, right, down in passes]
    wanted = sum(rows * (1 + (columns * bits * SAMPLES[kind] + 7) // 8) for columns, rows in sizes if columns)
    stream, place, length = zlib.decompressobj(), 8, 0
    try:
        while place + 8 <= len(data) and length < wanted:
            (size,) = struct.unpack(">I", data[place : place + 4])
            if data[place + 4 : place + 8] == b"IDAT":
                length += len(stream.decompress(data[place + 8 : place + 8 + size]))
            place += 12 + size
    except zlib.error:
        pass
    return "truncated" if length < wanted else ""


def tiff(data: bytes) -> str:
    """The reason why a strip or tile of a TIFF that JPEG packs is not whole; empty text if nothing says so.

    libtiff drops what libjpeg warns of. The tables that the strips share stand in the header (TIFF Technical Note 2).
    """
    import tifffile

    with tifffile.TiffFile(BytesIO(data)) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        mode = {1: "L", 3: "RGB", 4: "CMYK"}.get(1 if page.planarconfig == SEPARATE else page.samplesperpixel, "")
        if page.compression != JPEG:
            return ""
        tables = (page.jpegtables or b"").removesuffix(END)
        places = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    for start, size in places:
        strip = data[start : start + size]
        whole = tables + strip[2:] if tables else strip
        if strip and (reason := jpeg(whole if END in strip[-8:] else whole + END, mode)):
            return reason
    return ""


def heif(data: bytes) -> str:
    """The reason why a HEIC is not whole; empty text if nothing says so. libheif leaves grey what it cannot decode."""
    for item in items(data):
        for start, end in item.parts:
            if end > len(data):
                return "truncated"
            if item.kind == b"hvc1" and ZEROS in data[start:end]:  # HEVC never has three zero bytes in a row (ITU-T H.265, 7.4.2)
                return ZEROED
    return ""


def _warning(data: bytes, mode: str) -> str:
    """The last warning of libjpeg about a JPEG; empty text if there is none."""
    import simplejpeg  # imported here: predicting does not need it

    try:
        colours = "CMYK" if mode == "CMYK" else "GRAY"
        simplejpeg.decode_jpeg(data, colours, fastdct=True, fastupsample=True, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return str(error)
    return ""


def _without_junk(data: bytes) -> bytes:
    """A JPEG without what lies between its segments up to the first scan."""
    parts, place = [data[:2]], 2
    while (start := data.find(b"\xff", place)) >= 0:
        place = start + 1
        while data[place : place + 1] == b"\xff":
            place += 1
        marker = data[place : place + 1]
        if marker == b"\xda":
            return b"".join([*parts, data[place - 1 :]])
        if not marker or marker == b"\0":
            continue
        size = 0 if marker[0] in STANDALONE else int.from_bytes(data[place + 1 : place + 3])
        parts.append(data[place - 1 : place + 1 + size])
        place += 1 + size
    return data


def _is_harmless(data: bytes, mode: str, count: int, marker: bytes) -> bool:
    """True if the bytes before a marker are the only fault."""
    if 0xD0 <= marker[0] <= 0xD7:  # blocks were lost between two restarts
        return False
    place = data.find(SCAN)
    for _ in range(TRIES):
        place = data.find(b"\xff" + marker, place + 2)
        if place < 0:
            return False
        spare = data[place - count : place]
        is_filling = len(set(spare)) == 1
        if count > SPARE and not is_filling:
            continue
        rest = data[: place - count] + data[place:]
        warning = _warning(rest, mode)
        # what the decoder had read ahead is not counted, so that a few more may be left
        more = EXTRANEOUS.search(warning)
        if not warning or (more and int(more[1]) <= min(count, AHEAD) and _is_harmless(rest, mode, int(more[1]), marker)):
            return True
    return False


def _has_zeros(data: bytes, mode: str) -> bool:
    """True if the first scan of a sequential JPEG has zero bytes where its code makes no picture of them.

    The code of zeros stands for the first symbol of a table. If that is not the end of a block, zeros fill each block with
    63 equal numbers, which no picture has.
    """
    scan = data.find(SCAN)
    if data.find(ZEROS, scan) < 0:
        return False
    data = _without_junk(data)
    place, first, sequential = 2, dict[int, int](), False
    while data[place + 1 : place + 2] not in (b"", b"\xda"):
        marker = data[place + 1]
        size = 0 if marker in STANDALONE else int.from_bytes(data[place + 2 : place + 4])
        segment = data[place + 4 : place + 2 + size]
        sequential |= marker in (0xC0, 0xC1)
        while marker == 0xC4 and len(segment) > 17:
            first[segment[0]] = segment[17]
            segment = segment[17 + sum(segment[1:17]) :]
        place += 2 + size
    component = data[place + 6 : place + 7]  # of the scan: its tables, that of AC in the lower half
    if not sequential or not component or first.get(0x10 | component[0] & 15, 0) == 0:
        return False
    start = place + 2 + int.from_bytes(data[place + 2 : place + 4])
    end = data.find(END, start)
    scan_data = data[start:end].rstrip(b"\0")
    if scan_data.endswith(b"\xff"):
        scan_data += b"\0"
    # zeros before the end may be padding
    return ZEROS in scan_data or (ZEROS in data[start:end] and bool(_warning(data[:start] + scan_data + END, mode)))


def _lacks_scans(data: bytes) -> bool:
    """True for a progressive JPEG without some scans; all give every bit of every coefficient (ITU-T T.81, G.1.1)."""
    if b"\xff\xc2\0" not in data:
        return False
    data, place = _without_junk(data), 2
    while data[place + 1 : place + 2] not in (b"", b"\xda") and data[place + 1] != PROGRESSIVE:
        place += 2 + (0 if data[place + 1] in STANDALONE else int.from_bytes(data[place + 2 : place + 4]))
    if data[place + 1 : place + 2] != bytes([PROGRESSIVE]):
        return False
    done: dict[int, set[int]] = {}
    for scan in SCANS.finditer(data, place, data.find(END, place)):
        components = data[scan.end() : scan.end() + 2 * scan[1][0] : 2]
        first, last, bits = data[scan.end() + 2 * scan[1][0] : scan.end() + 2 * scan[1][0] + 3]
        for component in components if bits & 15 == 0 else b"":
            done.setdefault(component, set()).update(range(first, last + 1))
    return len(done) < data[place + 9] or any(len(whole) < COEFFICIENTS for whole in done.values())


def _chunks(data: bytes) -> list[tuple[int, int]]:
    """Place and size of the chunks of a WebP; of an animation, those of its first frame."""
    chunks, place, end = [], 12, len(data)
    while place + 8 <= end:
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        if data[place : place + 4] == b"ANMF":
            place, end = place + 24, min(end, place + 8 + size)
            continue
        chunks.append((place, size))
        place += 8 + size + size % 2
    return chunks


def _decodes(kind: bytes, payload: bytes) -> bool:
    chunk = kind + len(payload).to_bytes(4, "little") + payload + bytes(len(payload) % 2)
    try:
        with Image.open(BytesIO(b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk), formats=["WEBP"]) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, EOFError):
        return False
    return True
