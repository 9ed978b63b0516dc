"""Real videos, recorded by OpenCV: frame n is grey of level 10 n, at ten frames a second."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from recorded import recorded

from sengu.pictures import videos

KINDS = [("mp4", "mp4v"), ("mov", "mp4v"), ("avi", "MJPG"), ("mkv", "mp4v"), ("webm", "VP80")]


@pytest.mark.parametrize(("extension", "codec"), KINDS)
def test_the_type_is_sniffed_and_every_frame_counted(extension: str, codec: str) -> None:
    video = videos.examine(recorded(extension, codec, 20), 10**6)
    assert (video.extension, video.width, video.height) == (extension, 64, 48)
    assert video.times == tuple(range(0, 2000, 100))
    assert video.milliseconds == 2000


@pytest.mark.parametrize(("extension", "codec"), KINDS)
def test_frames_are_those_that_were_asked_for(extension: str, codec: str) -> None:
    data = recorded(extension, codec, 20)
    found = list(videos.frames(data, videos.examine(data, 10**6), [3, 10, 16]))
    assert [frame.milliseconds for frame in found] == [300, 1000, 1600]
    levels = [np.asarray(Image.open(BytesIO(frame.payload))).mean() for frame in found]
    assert levels == pytest.approx([30, 100, 160], abs=4)
    assert [frame.payload for frame in videos.frames(data, videos.examine(data, 10**6), [3, 10, 16])] == [
        frame.payload for frame in found
    ]


def test_frames_are_evenly_spaced_and_no_more_than_there_are() -> None:
    assert videos.evenly(20, 3) == [3, 10, 16]
    assert videos.evenly(100, 1) == [50]
    assert videos.evenly(2, 5) == [0, 1]
    assert videos.evenly(20, 0) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (recorded("mp4", "mp4v", 20)[:-400], "broken"),
        (recorded("avi", "MJPG", 20)[:6000], r"truncated: \d+ of 20 frames"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(100), "broken"),
        (b"text", "unknown format"),
    ],
)
def test_what_is_no_whole_video_has_a_reason(data: bytes, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(videos.NotAVideo, match=reason):
        videos.examine(data, 10**6)
    assert capfd.readouterr() == ("", "")  # FFmpeg itself would write to the screen


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(videos.NotAVideo, match="more than 3000 pixels"):
        videos.examine(recorded("mp4", "mp4v", 2), 3000)


def test_pictures_in_the_same_container_are_no_videos() -> None:
    assert videos.sniff(b"\x00\x00\x00\x20ftypavif") == ""
    assert videos.sniff(b"RIFF\x00\x00\x00\x00WEBP") == ""
