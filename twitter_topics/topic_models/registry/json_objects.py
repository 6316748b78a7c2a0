"""JSON objects as the registry stores them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twitter_topics.errors import IntegrityError


def encode(content: Mapping[str, Any]) -> bytes:
    """Return indented UTF-8 JSON.

    Raises:
        ValueError: the content has a NaN or an infinity, which JSON does not have.
    """
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False).encode()


def decode(body: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object in `body`.

    Raises:
        IntegrityError: the body is not a JSON object; the message starts with `name`.
    """
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        msg = f"{name} is not a JSON object"
        raise IntegrityError(msg)
    return content
