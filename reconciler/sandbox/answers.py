"""Answers and errors of the API, in the envelope of docspace.md 2."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.sandbox.wire import api_json

JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json; charset=utf-8"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

_STACK = "   at ASC.Web.Files.Services.WCFService.FileStorageService.{0}\n   at ..."
_INVALID = "System.InvalidOperationException"
_HRESULTS = {
    _INVALID: -2146233079,
    "ASC.Common.Web.ItemNotFoundException": -2146233088,
    "System.ArgumentException": -2147024809,
    "System.ArgumentOutOfRangeException": -2146233086,
    "System.NullReferenceException": -2147467261,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """The request is refused with a status, as an exception inside the portal would do it."""

    def __init__(self, status: int, message: str, kind: str) -> None:
        """Keep what the error body shows."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind


class ModelError(Exception):
    """A query or body member is out of its range: HTTP 400 without an ``error`` member."""

    def __init__(self, member: str, message: str) -> None:
        """Keep the member at fault."""
        super().__init__(message)
        self.member = member
        self.message = message


class Refused(Exception):
    """The request is answered without an envelope: an empty or a problem+json body."""

    def __init__(self, answer: Answer) -> None:
        """Keep the whole answer."""
        super().__init__(answer.status)
        self.answer = answer


def not_found(message: str) -> ApiError:
    """Return the 404 of a file or folder that is not there."""
    return ApiError(404, message, "ASC.Common.Web.ItemNotFoundException")


def invalid(message: str) -> ApiError:
    """Return the 403 that InvalidOperationException becomes."""
    return ApiError(403, message, _INVALID)


def bad_argument(message: str, kind: str = "System.ArgumentException") -> ApiError:
    """Return the 400 of an argument out of its range."""
    return ApiError(400, message, kind)


def denied(message: str) -> ApiError:
    """Return the 403 of a security exception."""
    return ApiError(403, message, "System.Security.SecurityException")


def success(
    response: object,
    method: str,
    url: str,
    *,
    count: int = 1,
    total: int | None = None,
) -> Answer:
    """Wrap a result; a void action's result is None and has no ``response`` member."""
    body: dict[str, object] = {} if response is None else {"response": response}
    body["count"] = 0 if response is None else count
    if total is not None:
        body["total"] = total
    body |= {"links": [{"href": url, "action": method}], "status": 0, "statusCode": 200}
    return Answer(200, api_json(body), {"Content-Type": JSON})


def failure(error: ApiError) -> Answer:
    """Write the body of an error."""
    shown = {
        "message": error.message,
        "type": error.kind,
        "stack": _STACK.format("UpdateCommentAsync[T](T fileId, Int32 version, String comment)"),
        "hresult": _HRESULTS.get(error.kind, -2146233088),
    }
    body = {"error": shown, "status": 1, "statusCode": error.status}
    return Answer(error.status, api_json(body), {"Content-Type": JSON})


def model_failure(error: ModelError, method: str, url: str) -> Answer:
    """Write the 400 of a model error: the problem is the ``response``."""
    problem = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": {error.member: [error.message]},
        "traceId": TRACE,
    }
    body = {
        "response": problem,
        "count": 1,
        "links": [{"href": url, "action": method}],
        "status": 1,
        "statusCode": 400,
    }
    return Answer(400, api_json(body), {"Content-Type": JSON})


_TITLES = {402: "Payment Required", 403: "Forbidden", 404: "Not Found"}
_SECTIONS = {402: "15.5.3", 403: "15.5.4", 404: "15.5.5"}


def problem(status: int) -> Answer:
    """Write what a resource filter's bare status becomes: problem+json, no envelope."""
    body = {
        "type": f"https://tools.ietf.org/html/rfc9110#section-{_SECTIONS[status]}",
        "title": _TITLES[status],
        "status": status,
        "traceId": TRACE,
    }
    return Answer(status, api_json(body), {"Content-Type": PROBLEM})


def broken(status: int) -> Answer:
    """Write a fault's status the way its usual source does."""
    if status in (502, 503, 504):
        return proxy_error(status)
    if status in (401, 429):
        return Answer(status)
    if status in _TITLES:
        return problem(status)
    if status == 500:
        text = "Object reference not set to an instance of an object."
        return failure(ApiError(500, text, "System.NullReferenceException"))
    return failure(ApiError(status, "Fault", "System.Exception"))


def proxy_error(status: int) -> Answer:
    """Write the page a reverse proxy shows when the portal does not answer."""
    titles = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
    return page(status, f"{status} {titles[status]}")


def page(status: int, title: str) -> Answer:
    """Write an HTML page."""
    text = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>openresty</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return Answer(status, text.encode(), {"Content-Type": "text/html"})
