"""`--help` of the scripts: every setting is explained, by the comments of `conf`."""

import re

import pytest

from tests.conftest import ROOT
from toy_duration_predictor.training.explained import choices_with, settings_of

SCRIPTS = ("train", "compare", "evaluate", "search", "power", "quantizers")
MODELS = sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml"))
SOURCES = sorted(path.stem for path in (ROOT / "conf" / "data").glob("*.yaml"))


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        *((name, ()) for name in SCRIPTS),
        *(("train", (f"model={model}",)) for model in MODELS),
        *(("train", (f"data={source}", "experiment=published_b")) for source in SOURCES),
    ],
)
def test_every_setting_is_explained(script, tmp_path, name, choices):
    said = script(f"{name}.py", "--help", *choices, cwd=tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    lines = said.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    settings = lines[lines.index("Settings, with their values now:") + 1 :]
    settings = settings[: settings.index("")]
    # Joined again, where a name or an explanation takes several lines.
    entries = re.split(r"\n  (?=\S)", "\n" + "\n".join(settings))[1:]
    assert len(entries) >= 9
    for entry in entries:
        assert re.fullmatch(r"[\w. ]+(=.*?)?\s{2,}\S.*", entry, re.DOTALL), entry
    for choice in choices[:1]:
        assert f"{choice.partition('=')[0]} (now {choice.partition('=')[2]}):" in lines


def test_a_comment_is_read_with_its_setting(tmp_path):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "other.yaml"
    path.write_text('# A source.\nsource: other\npath: "a # b" # where it is\nsizes:\n  small: 1 # few\n  large: 2\n')
    assert settings_of(path) == {
        "data.source": "",
        "data.path": "where it is",
        "data.sizes.small": "few",
        "data.sizes.large": "",
    }
    assert choices_with(tmp_path, "data.path") == ["data=other"]
    assert choices_with(tmp_path, "data.pth") == []
