"""Responses and errors of the API, in the envelope of docspace.md 2."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

JSON = "application/json; charset=utf-8"
_PROBLEM = "application/problem+json; charset=utf-8"
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

_RFC = "https://tools.ietf.org/html/rfc9110#section-"
_STACK = (
    "   at ASC.Web.Files.Services.WCFService.FileStorageService."
    "UpdateCommentAsync[T](T fileId, Int32 version, String comment)\n   at ..."
)
_INVALID = "System.InvalidOperationException"
_HRESULTS = {
    _INVALID: -2146233079,
    "System.ArgumentException": -2147024809,
    "System.ArgumentOutOfRangeException": -2146233086,
    "System.NullReferenceException": -2147467261,
}
_OTHER_HRESULT = -2146233088
_PROXY_TITLES = {
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}
_PROBLEMS = {
    402: ("Payment Required", "15.5.3"),
    403: ("Forbidden", "15.5.4"),
    404: ("Not Found", "15.5.5"),
}


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Refused(Exception):
    """The request is refused with this response."""

    response: Response


@dataclass(eq=False)
class ModelError(Exception):
    """A query or body member is out of its range: HTTP 400 without an ``error`` member."""

    member: str
    message: str


def not_found(message: str) -> Refused:
    """Return the 404 of a file or folder that is not there."""
    return Refused(failure(404, message, "ASC.Common.Web.ItemNotFoundException"))


def invalid(message: str) -> Refused:
    """Return the 403 that InvalidOperationException becomes."""
    return Refused(failure(403, message, _INVALID))


def bad_argument(message: str, kind: str = "System.ArgumentException") -> Refused:
    """Return the 400 of an argument out of its range."""
    return Refused(failure(400, message, kind))


def denied(message: str) -> Refused:
    """Return the 403 of a security exception."""
    return Refused(failure(403, message, "System.Security.SecurityException"))


def enveloped(
    response: object,
    method: str,
    url: str,
    *,
    status: int = 200,
    count: int = 1,
    total: int | None = None,
) -> Response:
    """Wrap a result in the envelope; only lists with pages have a ``total``."""
    totals = {"count": count} if total is None else {"count": count, "total": total}
    links = [{"href": url, "action": method}]
    failed = int(status != 200)
    return _json(status, {"response": response, **totals, "links": links, "status": failed})


def failure(status: int, message: str, kind: str) -> Response:
    """Write the body of an error, ``kind`` being the class of the exception behind it."""
    hresult = _HRESULTS.get(kind, _OTHER_HRESULT)
    error = {"message": message, "type": kind, "stack": _STACK, "hresult": hresult}
    return _json(status, {"error": error, "status": 1})


def model_failure(error: ModelError, method: str, url: str) -> Response:
    """Write the 400 of a model error: the problem is the ``response``."""
    problem = {
        "type": f"{_RFC}15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": {error.member: [error.message]},
        "traceId": _TRACE,
    }
    return enveloped(problem, method, url, status=400)


def problem(status: int) -> Response:
    """Write what a resource filter's bare status becomes: problem+json, no envelope."""
    title, section = _PROBLEMS[status]
    body = {"type": _RFC + section, "title": title, "status": status, "traceId": _TRACE}
    return Response(status, _utf8(body), {"Content-Type": _PROBLEM})


def throttled(limit: int, resets: datetime | None = None, retry_after: int = 0) -> Response:
    """Write the empty 429 of a rate limit; only the daily one says when it ``resets``."""
    headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": "0"}
    if resets is not None:
        headers |= {
            "X-RateLimit-Reset": str(int(resets.timestamp())),
            "Retry-After": str(retry_after),
        }
    return Response(429, b"", headers)


def broken(status: int) -> Response:
    """Write a fault's status the way its usual source does."""
    if status in _PROXY_TITLES:
        return page(status, f"{status} {_PROXY_TITLES[status]}")
    if status in (401, 429):
        return Response(status)
    if status in _PROBLEMS:
        return problem(status)
    if status == 500:
        text = "Object reference not set to an instance of an object."
        return failure(500, text, "System.NullReferenceException")
    return failure(status, "Fault", "System.Exception")


def page(status: int, title: str) -> Response:
    """Write an HTML page, as a reverse proxy does when the portal does not answer."""
    text = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>openresty</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return Response(status, text.encode(), {"Content-Type": "text/html"})


def _json(status: int, body: Mapping[str, object]) -> Response:
    return Response(status, _utf8({**body, "statusCode": status}), {"Content-Type": JSON})


def _utf8(body: Mapping[str, object]) -> bytes:
    """Write JSON without spaces."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
