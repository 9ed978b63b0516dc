"""Scrapy's redirects, also to another spelling of the same URL; cookie walls are distinguished from other circles."""

from typing import Any

from scrapy import Request
from scrapy.downloadermiddlewares.redirect import RedirectMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response

SET_COOKIE = "set_cookie"  # request meta: a cookie was set on the way to this URL, which no crawl sends back
REFERER = "Referer"
COOKIE_WALL = "a cookie wall: the site sends whoever does not return its cookie in a circle"


class Redirects(RedirectMiddleware):
    """Scrapy's middleware with three corrections.

    A redirect to another spelling of a URL, such as one with a session id, is followed: Scrapy's duplicate filter knows only
    the canonical form, and drops it silently. The page stays the Referer of a picture that was redirected. And a circle is
    reported together with whether it asks for a cookie.
    """

    def process_response(self, request: Request, response: Response, spider: Any = None) -> Request | Response:
        try:
            result: Request | Response = super().process_response(request, response)
        except IgnoreRequest as error:
            if "Set-Cookie" in response.headers or request.meta.get(SET_COOKIE):
                raise IgnoreRequest(f"{COOKIE_WALL} ({error})") from error
            raise
        if isinstance(result, Request):
            if "Set-Cookie" in response.headers:
                result.meta[SET_COOKIE] = True
            asked = result.meta["redirect_urls"]
            fingerprint = self.crawler.request_fingerprinter.fingerprint
            same = fingerprint(result) in {fingerprint(request.replace(url=url)) for url in asked}
            # a second request in the same spelling is a circle, which the filter ends
            result.dont_filter = request.dont_filter or (same and result.url not in asked)
        return result

    def handle_referer(self, request: Request, response: Response) -> None:
        if (request.headers.get(REFERER) or b"").startswith(b"https:") and not request.url.startswith("https:"):
            request.headers.pop(REFERER)


def circle(request: Request) -> str:
    """The reason for not fetching a request that was redirected to where it has been."""
    return COOKIE_WALL if request.meta.get(SET_COOKIE) else "redirected in a circle"
