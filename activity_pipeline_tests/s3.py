"""A real S3 server on loopback: SeaweedFS, out of a wheel."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from contextlib import ExitStack
from pathlib import Path

import requests

START_S = 60.0
POLL_S = 0.02
KEY_ID = "AKIDOFTHETESTS"
SECRET = "a-secret-of-the-tests-0123456789"
SERVICES = ("master", "volume", "filer", "s3")
BUCKET = "cold-storage"


def weed() -> str | None:
    """Return the server's program, None where its package is not installed."""
    beside = Path(sysconfig.get_path("scripts"), "weed")
    return str(beside) if beside.exists() else shutil.which("weed")


class S3Server:
    """SeaweedFS in a folder of its own, on free ports; what it has acknowledged survives `kill`."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        ports = iter(_free_ports(2 * len(SERVICES)))
        self.ports = {service: (next(ports), next(ports)) for service in SERVICES}
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        (folder / "data").mkdir()
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        self.process = self._start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3'][0]}"

    @property
    def filer(self) -> str:
        return f"http://127.0.0.1:{self.ports['filer'][0]}"

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Return what a client needs, through a proxy's endpoint where one is given."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def unfinished(self) -> list[str]:
        """Return the uploads in parts that are neither complete nor aborted, as the disk has them."""
        answer = requests.get(
            f"{self.filer}/buckets/{BUCKET}/.uploads/",
            headers={"accept": "application/json"},
            timeout=START_S,
        )
        if answer.status_code == requests.codes.not_found:
            return []
        return [entry["FullPath"] for entry in answer.json()["Entries"] or []]

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """Start it again with what it has on disk."""
        self.process = self._start()
        self.wait()

    def stop(self) -> None:
        """End it, for good, and remove the sockets that it leaves in a place of its own choice."""
        self.kill()
        for port in (port for pair in self.ports.values() for port in pair):
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                requests.get(self.endpoint, timeout=START_S)
                # A bucket is a folder of the file server below.
                made = requests.post(f"{self.filer}/buckets/{BUCKET}/", timeout=START_S)
                assert made.status_code in {requests.codes.created, requests.codes.conflict}
                return
            except requests.ConnectionError:
                log = (self.folder / "log").read_text()[-2000:]
                assert self.process.poll() is None, log
                assert time.monotonic() < deadline, log
            time.sleep(POLL_S)

    def _start(self) -> subprocess.Popen[bytes]:
        ports = [
            word
            for service, (http, grpc) in self.ports.items()
            for word in (f"-{service}.port={http}", f"-{service}.port.grpc={grpc}")
        ]
        command = [
            *(self.program, "server", f"-dir={self.folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(*ports, "-s3", f"-s3.config={self.folder}/s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *("-s3.iam=false", "-master.volumeSizeLimitMB=64", "-volume.max=100", "-master.telemetry=false"),
            *("-volume.preStopSeconds=0", "-master.electionTimeout=200ms"),
        ]
        with (self.folder / "log").open("ab") as log:
            # It logs into TMPDIR, too.
            environment = {**os.environ, "TMPDIR": str(self.folder)}
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
