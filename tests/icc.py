"""ICC profiles for tests of what brings colours to sRGB."""

import struct

WHITE = (0.9642, 1.0, 0.8249)  # D50, as ICC has it


def profile(colorants: tuple[tuple[float, ...], ...], gamma: float, space: bytes = b"RGB ") -> bytes:
    """An ICC profile of version 2: a matrix and a gamma, or for grey a gamma alone."""
    fixed = [struct.pack(">4s4x3i", b"XYZ ", *(round(65536 * value) for value in xyz)) for xyz in (*colorants, WHITE)]
    curve = struct.pack(">4s4xIH2x", b"curv", 1, round(gamma * 256))
    tags = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), fixed, strict=True)) if colorants else {b"wtpt": fixed[0]}
    tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve} if colorants else {b"kTRC": curve}
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x", start + len(body), 0x02400000, b"mntr", space, b"XYZ ", b"acsp", 63190, 65536, 54061
    )
    return header[:128] + struct.pack(">I", len(tags)) + table + body
