import os
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import LONGEST
from toy_duration_predictor.data.songs import fingerprint, validate_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError


def test_parquet(songs, tmp_path):
    songs.to_parquet(tmp_path / "my songs.parquet")
    loaded = load_songs("parquet", path=tmp_path / "my songs.parquet")
    assert fingerprint(loaded) == fingerprint(validate_songs(songs))


@pytest.fixture
def hub_folder(tmp_path, monkeypatch):
    """Lays tables out as the Hub does: a README that says where the data lie, and Parquet shards under data/."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "dataset" / "data").mkdir(parents=True)

    def lay_out(*shards):
        for i, shard in enumerate(shards):
            shard.to_parquet(tmp_path / "dataset" / "data" / f"train-{i:05d}-of-{len(shards):05d}.parquet")
        (tmp_path / "dataset" / "README.md").write_text(
            "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n"
        )
        return str(tmp_path / "dataset")

    return lay_out


def test_a_folder_in_the_hubs_layout(songs, hub_folder):
    name = hub_folder(songs.select(range(20)), songs.select(range(20, 30)))
    loaded = load_songs("hub", name=name, revision=None, hub_split="train")
    assert fingerprint(loaded) == fingerprint(validate_songs(songs))
    with pytest.raises(InputError, match=r"cannot be loaded.*data=simulated.*data=parquet data.path=FILE"):
        load_songs("hub", name=name, hub_split="tset")


def test_wrong_columns_on_the_hub(songs, hub_folder):
    with pytest.raises(InputError, match=r"column 'durations' is missing.*this one has .*length"):
        load_songs("hub", name=hub_folder(songs.rename_column("durations", "length")))


WAY_OUT = (
    r"'ccss17/note-duration-dataset' at revision '0123abc' cannot be loaded.*data=simulated.*data=parquet "
    r"data.path=FILE"
)


def test_no_network_ends_with_the_way_out(tmp_path):
    """A connection that is refused."""
    # huggingface_hub tries six times and waits 23 seconds in all; the test does not wait.
    code = """if True:
        import time
        time.sleep = lambda seconds: None
        from toy_duration_predictor import load_songs
        load_songs("hub", revision="0123abc")
    """
    environment = {"HF_HOME": str(tmp_path), "PATH": "", "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=LONGEST
    )
    assert re.search(WAY_OUT, done.stderr.strip().splitlines()[-1])


def test_offline_with_an_empty_cache_ends_with_the_way_out(tmp_path, monkeypatch):
    """All tests are offline."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    with pytest.raises(InputError, match=WAY_OUT):
        load_songs("hub", revision="0123abc")


def test_simulated_takes_its_options():
    assert len(load_songs("simulated", songs=7)) == 7


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("simulate", {}, "data.source=simulate: no such source; did you mean 'simulated'?"),
        ("simulated", {"songs": 0}, "songs=0 cannot be used: input should be greater than or equal to 1."),
        ("simulated", {"singer_effect": float("nan")}, "singer_effect=nan cannot be used"),
        ("simulated", {"sogns": 3}, "data=simulated: there is no setting 'sogns'."),
        ("parquet", {}, "data=parquet: 'path' is needed and not given."),
        ("parquet", {"path": "nowhere.parquet"}, "nowhere.parquet does not exist"),
        ("parquet", {"path": "."}, ". is a folder"),
        ("parquet", {"path": __file__}, "cannot be read as Parquet"),
    ],
)
def test_unfit_options_are_refused(source, options, message):
    with pytest.raises(InputError) as error:
        load_songs(source, **options)
    assert message in str(error.value)


def test_a_cut_file_is_refused(songs, tmp_path):
    path = tmp_path / "songs.parquet"
    songs.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        load_songs("parquet", path=path)


def test_two_columns_of_one_name(tmp_path):
    notes = pa.array([[60, 60]])
    names = ["singer_id", "durations", "quantized_durations", "durations"]
    pq.write_table(pa.table([pa.array([1]), notes, notes, notes], names=names), tmp_path / "songs.parquet")
    with pytest.raises(InputError, match="2 columns are called 'durations'; leave one"):
        load_songs("parquet", path=tmp_path / "songs.parquet")


def test_a_file_that_would_fill_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    notes = 1_000_000
    rows = pa.ListArray.from_arrays(pa.array([0, notes], pa.int32()), pa.array(np.full(notes, 60, np.int32)))
    table = pa.table([pa.array([1]), rows, rows], names=["singer_id", "durations", "quantized_durations"])
    with pq.ParquetWriter(tmp_path / "songs.parquet", table.schema, compression="zstd") as writer:
        for _ in range(11):
            writer.write_table(table)
    assert (tmp_path / "songs.parquet").stat().st_size < 50_000
    monkeypatch.setattr(pq, "ParquetFile", lambda *_: 1 / 0)
    with pytest.raises(
        InputError, match=r"^/.*/songs\.parquet: .* bytes would unpack to 11,000,000 notes, .* it is no "
    ):
        load_songs("parquet", path=tmp_path / "songs.parquet")


def test_a_home_that_is_not_there():
    with pytest.raises(InputError, match=r"~nobody-of-this-name/songs\.parquet cannot be found: this user has no home"):
        load_songs("parquet", path="~nobody-of-this-name/songs.parquet")


def test_nowhere_to_keep_what_is_compiled(tmp_path):
    """numba refuses to compile where it finds no folder for it; in a process of its own, with such a numba."""
    code = (
        "import os, numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = caching.CacheImpl._locator_classes[:1]\n"  # that of NUMBA_CACHE_DIR
        "from toy_duration_predictor.data.quantize import quantize\n"
        "import numpy as np\n"
        "print(quantize(np.array([22, 22, 22]), 15), os.environ['NUMBA_CACHE_DIR'])"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.startswith(f"[15 30 15] {tmp_path}"), done.stderr
    assert not list(tmp_path.iterdir())
