"""The page's server: requests that no browser would make, and many visitors."""

import json
import re
import shutil
import socket
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.demo.conftest import LONGEST, Server, demo, until
from tests.demo.midi_files import midi
from toy_duration_predictor import cli


def test_it_listens_on_loopback_only(server):
    assert server.address.startswith("http://127.0.0.1:")
    port = int(server.address.rstrip("/").rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells this machine's own address
        own = probe.getsockname()[0]
    with pytest.raises(OSError, match=r"refused|timed out"), socket.create_connection((own, port), timeout=2):
        pass


@pytest.mark.slow
def test_a_port_in_use_ends_in_a_sentence(server):
    port = server.address.rstrip("/").rpartition(":")[2]
    output, complaint = demo("--port", port).communicate(timeout=LONGEST)
    assert output == ""
    assert complaint == f"The page cannot listen on 127.0.0.1:{port}; choose another --host or --port.\n"


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo"])
    assert ended.value.code == "The page needs gradio: pip install 'toy-duration-predictor[demo]'."


def sent_file(path: str | Path) -> dict[str, Any]:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def test_visitors_may_upload_the_same_file(server):
    """Gradio keeps one for all of them; each has it until their own visit ends."""
    sent = [upload(server, "song.mid", midi(notes=16)) for _ in range(3)]
    assert sent[0] == sent[1] == sent[2]
    with visit(server, "first"), visit(server, "second"), visit(server, "third"):
        for session, [place] in zip(("first", "second", "third"), sent, strict=True):
            assert '"song"' in call(server, "take", [[sent_file(place)], None, None], session)
    until(lambda: not server.files())


def visit(server: Server, session: str) -> closing[Any]:
    """Opens a page, and closes it at the end."""
    return closing(urllib.request.urlopen(f"{server.address}gradio_api/heartbeat/{session}", timeout=LONGEST))


class TestAttacks:
    """Requests that no browser would make."""

    @pytest.mark.parametrize("path", ["/etc/passwd", "../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd"])
    def test_no_other_file_is_given_away(self, server, path):
        with pytest.raises(urllib.error.HTTPError, match=r"403|404") as refused:
            urllib.request.urlopen(f"{server.address}gradio_api/file={path}", timeout=LONGEST)
        refused.value.close()

    def test_no_other_file_is_read(self, server, tmp_path):
        own = tmp_path / "own.mid"
        own.write_bytes(midi())
        for path in (own, next(server.temporary.glob("*/examples/*.mid"))):
            for function, data in (("take", [[sent_file(path)], None, None]), ("hear", [[sent_file(path)], [], None])):
                assert "error" in call(server, function, data)
                assert path.exists()

    def test_a_visit_cannot_choose_its_folder(self, server):
        [sent] = upload(server, "song.mid", midi())
        call(server, "take", [[sent_file(sent)], None, None], session="../../../escaped")
        call(server, "show", [None, None, None, "song", None, [1], None, 1, 1, 0], session="../../../escaped")
        assert not list(server.temporary.rglob("escaped"))
        Path(sent).unlink()
        folders = {each.parents[1] for each in server.files()}
        assert [bool(re.fullmatch("[0-9a-f]{64}", each.name)) for each in folders] == [True]
        shutil.rmtree(folders.pop())

    def test_large_uploads_are_refused(self, server):
        before = server.files()
        with pytest.raises(urllib.error.URLError, match=r"413|reset|pipe") as refused:
            upload(server, "song.mid", bytes(100_000_000))
        if isinstance(refused.value, urllib.error.HTTPError):
            refused.value.close()
        until(lambda: server.files() == before)

    def test_names_lead_nowhere(self, server):
        [sent] = upload(server, "../../../escaped.mid", midi())
        assert server.temporary in Path(sent).resolve().parents
        assert "files" in Path(sent).parts
        Path(sent).unlink()

    @pytest.mark.parametrize(
        ("singers", "strength", "seed", "refused"),
        [
            ([99], 1, 0, "Value: 99 "),
            ([1], 99, 0, "Value 99 is greater"),
            ([1], 1, -1, "Value -1 is less"),
            ([1, 2, 3, 4, 5], 1, 0, "Choose a singer, or up to 4 of them."),
        ],
    )
    def test_settings_out_of_range_are_refused(self, server, singers, strength, seed, refused):
        before = server.files()
        answer = call(server, "show", [None, None, None, "Ode to Joy", None, singers, None, strength, 1, seed])
        assert refused in answer
        assert "lane" not in answer
        assert server.files() == before


def upload(server: Server, name: str, content: bytes) -> list[str]:
    """Sends a file as a form and returns where it was put."""
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    request = urllib.request.Request(
        f"{server.address}gradio_api/upload",
        head + content + b"\r\n--b--\r\n",
        {"Content-Type": "multipart/form-data; boundary=b"},
    )
    with urllib.request.urlopen(request, timeout=LONGEST) as answer:
        paths: list[str] = json.load(answer)
    return paths


def call(server: Server, function: str, data: list[Any], session: str = "abc") -> str:
    """Calls a function of the page and returns all that comes back."""
    with urllib.request.urlopen(f"{server.address}config", timeout=LONGEST) as answer:
        index = [each["api_name"] for each in json.load(answer)["dependencies"]].index(function)
    body = json.dumps({"fn_index": index, "data": data, "session_hash": session}).encode()
    headers = {"Content-Type": "application/json"}
    for path, sent in (("queue/join", body), (f"queue/data?session_hash={session}", None)):
        request = urllib.request.Request(f"{server.address}gradio_api/{path}", sent, headers)
        with urllib.request.urlopen(request, timeout=LONGEST) as answer:
            text = answer.read().decode()
    return str(text)


@pytest.mark.slow
def test_100_visitors_leave_nothing_behind(server):
    """No file, no connection, and no memory that grows with their number."""

    def comes(number: int) -> None:
        session = f"visitor{number}"
        with visit(server, session):
            [sent] = upload(server, "song.mid", midi(notes=16))
            assert "song" in call(server, "take", [[sent_file(sent)], None, None], session)
            # At a temperature of 0 there is one take, which saves time.
            choices = [None, None, None, "song", None, [1 + number % 18], None, 1, 0, number]
            assert call(server, "show", choices, session).count('class=\\"lane\\"') == 1
            assert server.files()
        until(lambda: not server.files())

    def held() -> tuple[int, float]:
        """Returns how many files and connections the server has open, and its memory in MiB."""
        process = Path("/proc", str(server.process.pid))
        resident = re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())
        return len(list((process / "fd").iterdir())), int(resident[1]) / 1024

    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell what a process holds")
    for number in range(20):  # what is loaded once
        comes(number)
    files, memory = held()
    for number in range(20, 120):
        comes(number)
    until(lambda: held()[0] <= files + 2)
    assert held()[1] < memory + 50
