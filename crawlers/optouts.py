"""A response -> its owner's opt-out from machine learning, if there is one."""

import re

from scrapy.http import HtmlResponse, Response

OPT_OUTS = ("noai", "noimageai")
AGENT = re.compile(r"\s*+(\*|[a-z][\w.-]*+)\s*+:(?!\d)")
VALUED = ("max-snippet", "max-image-preview", "max-video-preview", "unavailable_after")  # directives that have a value
US = "sengu"  # the name by which a header may address us alone


def opted_out(response: Response) -> str:
    """The opt-out from machine learning that a response states for all clients or for us; empty if there is none.

    `noai` and `noimageai`, in the header X-Robots-Tag or in a robots meta tag, as DeviantArt introduced them.
    """
    for value in response.headers.getlist("X-Robots-Tag"):
        if directive := header_opt_out(value.decode("latin-1")):
            return f"{directive} in X-Robots-Tag"
    if isinstance(response, HtmlResponse):
        for name in ("robots", US):
            for content in response.xpath(f"//meta[translate(@name, 'ROBTSENGU', 'robtsengu') = '{name}']/@content").getall():
                for directive in re.split(r"[\s,;]+", content.lower()):
                    if directive in OPT_OUTS:
                        return f"{directive} in a meta tag"
    return ""


def header_opt_out(header: str) -> str:
    """The opt-out in an X-Robots-Tag that applies to us; `otherbot: noai, noindex` addresses another bot, up to the next name."""
    ours = True
    for part in re.split(r"[,;]", header.lower()):
        agent = AGENT.match(part)
        if agent and agent[1] not in VALUED:
            ours = agent[1] in ("*", US)
            part = part[agent.end() :]
        if ours and part.strip() in OPT_OUTS:
            return part.strip()
    return ""
