"""Bytes that do not become a picture -> the reason for the rejected table: what they are, or what they lack."""

import re

# first bytes -> what they begin
SIGNATURES = (
    (b"%PDF-", "pdf"),
    (b"8BPS", "photoshop"),
    (b"%!PS", "postscript"),
    (b"\x00\x00\x01\x00", "icon (ICO)"),
    (b"\xff\x0a", "jpeg xl"),
    (b"\x00\x00\x00\x0cJXL ", "jpeg xl"),
    (b"\x00\x00\x00\x0cjP  ", "jpeg 2000"),
    (b"\xff\x4f\xff\x51", "jpeg 2000"),
    (b"FUJIFILMCCD-RAW", "camera raw (RAF)"),
    (b"IIU\0", "camera raw (RW2)"),
    (b"IIRO", "camera raw (ORF)"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
)
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")
CR3_BRAND = b"crx "
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf\xf7]\0.(.)", re.DOTALL)  # of a JPEG, up to its precision


class NotAPicture(Exception):
    """Bytes that do not become an object; the text is the reason that goes into the rejected table."""


def is_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS


def is_tiff(data: bytes) -> bool:
    return data.startswith(TIFFS)


def unopened(data: bytes) -> str:
    """The reason for bytes that no decoder takes for a picture."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "html"
    if b"<svg" in head:
        return "svg"
    if data[128:132] == b"DICM":
        return "dicom"
    for signature, name in SIGNATURES:
        if data.startswith(signature):
            return name
    if reason := unreadable(data):
        return reason
    if data[4:8] == b"ftyp" and data[8:12] in AVIF_BRANDS:
        return "truncated" if _is_cut_off(data) else "broken"
    return "tiff of an unknown form" if is_tiff(data) else "unknown format"


def _is_cut_off(data: bytes) -> bool:
    """True if the last box of an ISO media file ends behind the file."""
    place = 0
    while place + 16 <= len(data):
        size = int.from_bytes(data[place : place + 4])
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16])
        if size < 8:  # up to the end, or nonsense
            return False
        place += size
    return place > len(data)


def unreadable(data: bytes) -> str:
    """The reason for a picture that begins well but has a form that cannot be read; empty text if nothing shows it."""
    if data[4:8] == b"ftyp":
        if data[8:12] == CR3_BRAND:
            return "camera raw (CR3)"
        if data[8:12] in AVIF_BRANDS and (place := data.find(b"av1C")) >= 0 and data[place + 6 : place + 7]:
            bits = data[place + 6] >> 5 & 3  # high_bitdepth and twelve_bit, AV1-ISOBMFF 2.3.3
            return "avif of 12 bits" if bits == 3 else ""
        return "heif" if is_heif(data) else ""
    if is_tiff(data) and data[8:10] == b"CR":
        return "camera raw (CR2)"
    if data.startswith(b"\xff\xd8\xff") and (frame := FRAME.search(data)):
        kind, bits = frame[0][1], frame[1][0]
        if kind in (0xC3, 0xC7, 0xCB, 0xCF):
            return "lossless jpeg"
        if kind == 0xF7:
            return "jpeg-ls"
        return f"jpeg of {bits} bits" if bits != 8 else ""
    return ""
