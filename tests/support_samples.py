"""The portal's sample answers and deliveries, in files beside the tests."""

import json
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> Any:
    """Return a sample's JSON."""
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def response(name: str) -> Any:
    """Return the content of a sample answer's envelope."""
    return sample(name)["response"]
