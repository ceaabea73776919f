import subprocess
import sys

import pytest

import toy_duration_predictor as tdp


def test_every_public_name_is_there():
    for name in tdp.__all__ * 2:  # twice: a module of the same name would take its place
        assert getattr(tdp, name).__doc__
        assert callable(getattr(tdp, name))
    assert dir(tdp) == sorted(tdp.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'tarin'"):
        _ = tdp.tarin


def test_the_import_is_quick():
    code = "import sys, toy_duration_predictor; print('torch' in sys.modules, 'datasets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
