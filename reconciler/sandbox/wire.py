"""JSON as System.Text.Json writes it in webhook bodies.

Its default encoder escapes every non-ASCII character and those with a meaning in HTML, in
upper-case hex: the signature is over exactly these bytes (docspace.md 9).
"""

import json
import re
from collections.abc import Mapping

_ESCAPED = re.compile(r"\\u[0-9a-f]{4}|\\\\|\\\"|[<>&'+`]")


def webhook_json(value: Mapping[str, object]) -> str:
    """Write a webhook body without spaces."""
    return _ESCAPED.sub(_rewrite, json.dumps(value, separators=(",", ":")))


def api_json(value: Mapping[str, object]) -> bytes:
    """Write an API answer as UTF-8 without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def _rewrite(match: re.Match[str]) -> str:
    found = match.group()
    if found == "\\\\":
        return found
    if found == '\\"':
        return "\\u0022"
    if found.startswith("\\u"):
        return "\\u" + found[2:].upper()
    return f"\\u{ord(found):04X}"
