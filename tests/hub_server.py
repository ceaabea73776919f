"""A small Hub on loopback: the endpoints that this project uses, in the form in which the real one speaks them."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".parquet")  # what goes by LFS


class Hub(ThreadingHTTPServer):
    """Keeps repositories in memory, `{"models/owner/name": {path: content}}`, and fails as it is told to.

    Attributes:
        token: What a request must bear to write, or to read a private repository.
        failure: A pattern of "METHOD path", and what becomes of requests that fit: a status, or "cut" for an answer
            whose body ends halfway.
        requests: Every request, "METHOD path".
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.token = "a-token"
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.large: dict[str, bytes] = {}
        self.failure: tuple[str, int | str] | None = None
        self.requests: list[str] = []

    def commit(self, repository: str) -> str:
        """Returns the hash of what a repository holds."""
        content = sorted(self.repositories[repository].items())
        return hashlib.sha1(repr((repository, content)).encode()).hexdigest()


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
        if self.command == "HEAD":
            return
        if self.cut:
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)

    def handle_request(self):
        path = unquote(urlsplit(self.path).path)
        line = f"{self.command} {path}"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(line)
        pattern, what = self.server.failure or ("(?!)", 0)
        fails = re.search(pattern, line) is not None
        self.cut = fails and what == "cut"
        if fails and isinstance(what, int):
            return self.answer(what, {"error": "as told"})
        for method, route, handle in ROUTES:
            match = re.fullmatch(route, path)
            if match and method == self.command:
                return handle(self, body, *match.groups())
        return self.answer(500, {"error": f"no such endpoint: {line}"})

    def knows_you(self):
        return self.headers.get("Authorization") == f"Bearer {self.server.token}"

    def seen(self, repository, revision="main"):
        """Returns a repository's files, or None after an answer that says why not."""
        known = self.server.repositories
        if repository not in known or (repository in self.server.private and not self.knows_you()):
            # The Hub does not tell strangers whether a repository is missing or private.
            self.answer(404 if self.knows_you() else 401, {"error": "not found"}, X_Error_Code="RepoNotFound")
            return None
        if revision not in ("main", self.server.commit(repository)):
            self.answer(404, {"error": "no revision"}, X_Error_Code="RevisionNotFound")
            return None
        return known[repository]

    def may_write(self):
        if not self.knows_you():
            self.answer(401, {"error": "Invalid username or password."})
        return self.knows_you()

    def info(self, body, repository, revision="main"):
        if (files := self.seen(repository, revision)) is not None:
            names = [{"rfilename": path} for path in files]
            name = repository.partition("/")[2]
            self.answer(200, {"id": name, "sha": self.server.commit(repository), "siblings": names})

    def tree(self, body, repository, revision):
        if (files := self.seen(repository, revision)) is not None:
            entries = []
            for path, content in files.items():
                entry = {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                if path.endswith(LARGE):
                    sha = hashlib.sha256(content).hexdigest()
                    entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 134}
                entries.append(entry)
            self.answer(200, entries)

    def resolve(self, body, datasets, name, revision, path):
        repository = f"{'datasets' if datasets else 'models'}/{name}"
        if (files := self.seen(repository, revision)) is None:
            return
        if path not in files:
            self.answer(404, {"error": "no file"}, X_Error_Code="EntryNotFound")
            return
        content = files[path]
        etag = hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{etag}"', "X_Repo_Commit": self.server.commit(repository), "Accept_Ranges": "bytes"}
        if range_ := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(range_[1]), int(range_[2] or len(content) - 1)
            headers["Content_Range"] = f"bytes {first}-{last}/{len(content)}"
            self.answer(206, content[first : last + 1], **headers)
        else:
            self.answer(200, content, **headers)

    def create(self, body):
        if self.may_write():
            wish = json.loads(body)
            name = f"{wish['organization']}/{wish['name']}"
            repository = f"{wish.get('type', 'model')}s/{name}"
            there = repository in self.server.repositories
            self.server.repositories.setdefault(repository, {})
            if wish.get("visibility") == "private":
                self.server.private.add(repository)
            prefix = "" if repository.startswith("models") else "datasets/"
            self.answer(409 if there else 200, {"url": f"{self.server.url}/{prefix}{name}", "name": name})

    def validate(self, body):
        self.answer(200, {"errors": [], "warnings": []})

    def preupload(self, body, repository, revision):
        if self.may_write() and self.seen(repository, revision) is not None:
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self.answer(200, {"files": modes})

    def batch(self, body, name):
        if self.may_write():
            objects = [
                {**each, "actions": {"upload": {"href": f"{self.server.url}/upload/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            self.answer(200, {"transfer": "basic", "objects": objects})

    def upload(self, body, oid):
        assert hashlib.sha256(body).hexdigest() == oid
        self.server.large[oid] = body
        self.answer(200)

    def write(self, body, repository, revision):
        if not self.may_write() or (files := self.seen(repository, revision)) is None:
            return
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                assert line["value"]["encoding"] == "base64"
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "lfsFile":
                files[line["value"]["path"]] = self.server.large[line["value"]["oid"]]
        commit = self.server.commit(repository)
        url = f"{self.server.url}/{repository.removeprefix('models/')}/commit/{commit}"
        self.answer(200, {"commitUrl": url, "commitOid": commit, "success": True})


REPOSITORY = r"((?:models|datasets)/[^/]+/[^/]+)"
ROUTES = [
    ("GET", f"/api/{REPOSITORY}", Handler.info),
    ("GET", f"/api/{REPOSITORY}/revision/([^/]+)", Handler.info),
    ("GET", f"/api/{REPOSITORY}/tree/([^/]+)", Handler.tree),
    ("HEAD", r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", Handler.resolve),
    ("GET", r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", Handler.resolve),
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", Handler.validate),
    ("POST", f"/api/{REPOSITORY}/preupload/([^/]+)", Handler.preupload),
    ("POST", r"/(?:datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", "/upload/([0-9a-f]+)", Handler.upload),
    ("POST", f"/api/{REPOSITORY}/commit/([^/]+)", Handler.write),
]

for method in ("GET", "HEAD", "POST", "PUT"):
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
