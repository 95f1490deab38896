"""Settings as plain data for digests, which stay what they are when a release adds a key."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def canonical_data(settings: BaseModel) -> dict[str, Any]:
    """Every key with its value as JSON data, but for keys of ``LATER`` that are at their default.

    LATER: a class attribute, the names of fields that came after runs were made without them.
    """
    later: frozenset[str] = getattr(settings, "LATER", frozenset())
    dumped = settings.model_dump(mode="json")
    values = {key: getattr(settings, key) for key in dumped}
    return {
        key: canonical_data(value) if isinstance(value, BaseModel) else dumped[key]
        for key, value in values.items()
        if key not in later or value != type(settings).model_fields[key].default
    }
