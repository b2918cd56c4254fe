"""Writes the commit into wheels and sdists, where `exporter.daemon.revision` finds it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RevisionHook(BuildHookInterface[Any]):
    """Asked by hatch (pyproject.toml, tool.hatch.build.hooks.custom)."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """`MAILPROBE_BUILD_REVISION` is for builds without .git, such as the image's."""
        if version == "editable":  # runs from its checkout, which tells
            return
        sys.path.insert(0, self.root)
        from exporter.daemon.revision import BUILT_IN, of_checkout  # noqa: PLC0415 - only now can it be found

        commit = os.environ.get("MAILPROBE_BUILD_REVISION") or of_checkout(Path(self.root))
        if commit:
            self._folder = tempfile.TemporaryDirectory(prefix="mailprobe-build-")
            file = Path(self._folder.name) / "revision.txt"
            file.write_text(f"{commit}\n", encoding="utf-8")
            build_data["force_include"][str(file)] = f"exporter/{BUILT_IN}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        del version, build_data, artifact_path
        if hasattr(self, "_folder"):
            self._folder.cleanup()
