"""The build hook: a wheel carries the compiled kernels when a compiler is there to make them."""

import importlib.util
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BUILD = Path("src", "fairwitness", "kernels", "build.py")


class CustomBuildHook(BuildHookInterface):
    """Compiles before the wheel is packed, and before an editable install points here."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library; without it the wheel is a pure one and says so."""
        build = _module(Path(self.root) / _BUILD)
        try:
            library = build.build()
        except (build.BuildFailed, OSError) as error:
            self.app.display_warning(
                f"no native kernels, plain Python takes their place: {error}\n"
                "Install a C++ compiler and install again for a faster ingest."
            )
            return
        build_data["artifacts"].append(library.relative_to(self.root).as_posix())
        build_data["pure_python"] = False
        # The library knows nothing of Python, so one serves all versions of it.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("fairwitness_kernels_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
