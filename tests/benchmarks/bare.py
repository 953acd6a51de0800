"""The reference for own CPU: the same pages, fetched and parsed as JSON, and nothing else."""

import json
import sys

import requests

_STEP = 90
_NEWEST = {"sortBy": "DateAndTime", "sortOrder": "descending", "count": "100"}
_DEEP = {"filterType": "FilesOnly", "withSubFolders": "true"}


def read(url: str, key: str) -> int:
    """Read every room completely; return the number of files on the pages."""
    items = 0
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {key}"

        def pages(path: str, more: dict[str, str], name: str) -> list[int]:
            ids, start = [], 0
            while True:
                query = _NEWEST | more | {"startIndex": str(start)}
                answer = session.get(f"{url}/api/2.0/{path}", params=query, timeout=60)
                page = json.loads(answer.content)["response"]
                ids += [item["id"] for item in page[name]]
                if start + len(page[name]) >= page["total"]:
                    return ids
                start += _STEP

        for room in dict.fromkeys(pages("files/rooms", {}, "folders")):
            items += len(pages(f"files/{room}", _DEEP, "files"))
    return items


if __name__ == "__main__":
    print(read(*sys.argv[1:]))
