"""A small Hub on loopback: what `huggingface_hub` asks for when it reads a model or makes a repository.

Uploads go by calls of the client instead (`upload_folder`): how it sends files is its own affair.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit


class Hub(ThreadingHTTPServer):
    """Keeps repositories in memory, `{"models/owner/name": {path: content}}`, and fails as it is told to.

    Attributes:
        failure: A pattern of "METHOD path", and the status that requests that fit are answered with.
        requests: Every request, "METHOD path".
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.failure: tuple[str, int] = ("(?!)", 0)
        self.requests: list[str] = []

    def commit(self, repository: str) -> str:
        """Returns the hash of what a repository holds."""
        content = sorted(self.repositories[repository].items())
        return hashlib.sha1(repr((repository, content)).encode()).hexdigest()

    def upload_folder(self, *, repo_id: str, repo_type: str, folder_path: str, commit_message: str) -> SimpleNamespace:
        """Stands for `HfApi.upload_folder`."""
        repository, folder = f"{repo_type}s/{repo_id}", Path(folder_path)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.repositories[repository] |= files
        where = repository.removeprefix("models/")
        return SimpleNamespace(commit_url=f"{self.url}/{where}/commit/{self.commit(repository)}")


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_request(self):
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(f"{self.command} {path}")
        pattern, status = self.server.failure
        if re.search(pattern, self.server.requests[-1]):
            self.answer(status, {"error": "as told"})
        elif path == "/api/repos/create":
            self.create(json.loads(body))
        elif match := re.fullmatch(r"/api/(models/[^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?", path):
            self.about(match[1], match[2], match[3] or "main")
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self.resolve(f"models/{match[1]}", match[2])
        else:
            self.answer(500, {"error": "no such endpoint"})

    def create(self, wish):
        repository = f"{wish.get('type', 'model')}s/{wish['organization']}/{wish['name']}"
        self.server.repositories.setdefault(repository, {})
        if wish.get("visibility") == "private":
            self.server.private.add(repository)
        self.answer(200, {"url": f"{self.server.url}/{repository.removeprefix('models/')}"})

    def about(self, repository, what, revision):
        files = self.server.repositories.get(repository)
        if files is None:
            self.answer(404, {"error": "not found"}, X_Error_Code="RepoNotFound")
        elif revision not in ("main", self.server.commit(repository)):
            self.answer(404, {"error": "no revision"}, X_Error_Code="RevisionNotFound")
        elif what == "tree":
            oid = self.server.commit(repository)
            self.answer(200, [{"type": "file", "path": path, "size": len(files[path]), "oid": oid} for path in files])
        else:
            names = [{"rfilename": path} for path in files]
            self.answer(200, {"id": repository[7:], "sha": self.server.commit(repository), "siblings": names})

    def resolve(self, repository, path):
        content = self.server.repositories[repository].get(path)
        if content is None:
            self.answer(404, {"error": "no file"}, X_Error_Code="EntryNotFound")
        else:
            etag = hashlib.sha256(content).hexdigest()
            self.answer(200, content, ETag=f'"{etag}"', X_Repo_Commit=self.server.commit(repository))


for method in ("GET", "HEAD", "POST"):
    setattr(Handler, f"do_{method}", Handler.handle_request)


@contextmanager
def running() -> Iterator[Hub]:
    """Serves a Hub while the context lasts."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()
