"""What tests of kernels ask for."""

import pytest

from fairwitness.kernels import native


@pytest.fixture(params=["native", "plain"])
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with each of the twins."""
    if request.param == "plain":
        monkeypatch.setattr(native, "library", lambda: None)
    elif native.library() is None:
        pytest.skip("NO NATIVE KERNELS: only the plain twin is tested")
    return str(request.param)
