"""YAML that people write beside their files: plain values only, no aliases, no repeated keys."""

from __future__ import annotations

from typing import Any

import yaml

from rutile_assets.errors import UnreadableFile

MAX_BYTES = 256 * 1024


class _PlainLoader(yaml.SafeLoader):
    """A safe loader that takes neither aliases (which can expand without end) nor a key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias (*name), which is not taken here")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            raise yaml.YAMLError(f"the key {twice!r} twice")
        return super().construct_mapping(node, deep=deep)


def read_mapping(text: bytes, name: str) -> dict[str, Any]:
    """Return a YAML file's mapping.

    Raises
    ------
    UnreadableFile
        Too large, not UTF-8, not YAML, not a mapping, an alias or a repeated key.
    """
    if len(text) > MAX_BYTES:
        raise UnreadableFile(f"{len(text)} bytes of YAML", f"at most {MAX_BYTES}", "Shorten the file.", name)
    try:
        value = yaml.load(text.decode("utf-8"), Loader=_PlainLoader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, TypeError, RecursionError) as fault:
        told = " ".join(str(fault).split())[:300]
        raise UnreadableFile(
            f"broken YAML ({told})", "key: value lines", "Correct the file in an editor.", name
        ) from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UnreadableFile(f"YAML that is a {type(value).__name__}", "key: value lines", "Start with a key.", name)
    return value
