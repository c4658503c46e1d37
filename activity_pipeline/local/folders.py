"""What lies where under a state folder, and who may reach it.

    state/start.lock         held while a holder joins or starts the stack
    state/servers.lock       held, through inheritance, as long as any process of the stack lives
    state/log/               supervisor.log, postgres.log, redis.log; of the start before as *.log.1
    state/redis/             the append-only file
    state/postgres           the cluster, or a symlink to it where its user cannot pass through to
                             the state folder, see `private_folder`
    state/run                the sockets, or a symlink to them where their paths would be too long

Permissions are changed inside the state folder and inside the folders made here, nowhere else.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local.user import ServerUser

# sun_path holds 104 bytes with its NUL on the BSDs and macOS, 108 on Linux: the smaller counts.
SOCKET_PATH_LIMIT_BYTES = 103
LONGEST_SOCKET = "pg/.s.PGSQL.5432"
POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The paths of one stack. `root` is absolute and free of symlinks."""

    root: Path

    @property
    def start_lock(self) -> Path:
        """Serialises joining and starting."""
        return self.root / "start.lock"

    @property
    def servers_lock(self) -> Path:
        """Locked as long as a supervisor or a server of this folder lives."""
        return self.root / "servers.lock"

    @property
    def cluster(self) -> Path:
        """The cluster of Postgres, or a symlink to it."""
        return self.root / "postgres"

    @property
    def run(self) -> Path:
        """The folder of the sockets, or a symlink to it; present while the stack runs."""
        return self.root / "run"

    def log(self, name: str) -> Path:
        """Return the log file of the process called `name`."""
        return self.root / "log" / f"{name}.log"


def open_state_folder(state: Path) -> StateFolder:
    """Create the state folder if it is missing, closed to others, and return its paths.

    Raises:
        LocalStackError: it is not a folder, or belongs to another user.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = state.resolve(strict=True)
        owner = root.stat().st_uid
        if owner != os.geteuid():
            raise LocalStackError(f"{root} belongs to uid {owner}: run as that user, or use another folder")
        (root / "log").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise LocalStackError(f"cannot use {state} as the state folder: {error}") from error
    return StateFolder(root)


def make_own_folder(path: Path, *, gid: int | None = None) -> Path:
    """Create `path` or take it over, as a folder of mode 0700, or 0710 if group `gid` may pass through.

    Raises:
        LocalStackError: something that is not our own folder has its name, as in a shared /tmp.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LocalStackError(f"{path} is not a folder of uid {os.geteuid()}: remove it")
    if gid is not None:
        os.chown(path, -1, gid)
    path.chmod(0o700 if gid is None else 0o710)
    return path


def private_folder(root: Path) -> Path:
    """Return the place of the cluster for a Postgres user who cannot pass through to the state folder.

    In /var/tmp, which outlives a reboot, named after a hash of the state folder's path. A state
    folder that is moved leaves it behind.
    """
    return Path("/var/tmp") / f"activity-pipeline-data-{_short_name(root)}"  # noqa: S108 make_own_folder checks the owner


def make_run_folder(folder: StateFolder, user: ServerUser) -> Path:
    """Create the folder of the sockets, with a path that clients take and `user` can reach.

    Returns:
        state/run, or a folder of the temp folder with state/run as a symlink to it: other
        processes may have another TMPDIR, so they follow the link and do not choose again.
    """
    remove_run_folder(folder)
    if _fits(folder.run) and user.can_reach(folder.root):
        return make_own_folder(folder.run, gid=user.passing_gid)
    name = f"activity-pipeline-run-{_short_name(folder.root)}"
    for parent in (Path(tempfile.gettempdir()).resolve(), Path("/tmp")):  # noqa: S108 make_own_folder checks the owner
        if _fits(parent / name) and user.can_reach(parent):
            run = make_own_folder(parent / name, gid=user.passing_gid)
            folder.run.symlink_to(run)
            return run
    raise LocalStackError(
        f"no folder has a path that is short enough for the sockets of {folder.root}: shorten TMPDIR"
    )


def find_run_folder(folder: StateFolder) -> Path:
    """Return the folder of the sockets, whether or not it is there.

    Raises:
        LocalStackError: the folder behind the symlink has become someone else's, as may happen
            in a /tmp that a reboot emptied.
    """
    run = folder.run.resolve()
    with contextlib.suppress(FileNotFoundError):
        if run.lstat().st_uid != os.geteuid():
            raise LocalStackError(f"{run} belongs to another user: remove {folder.run}")
    return run


def remove_run_folder(folder: StateFolder) -> None:
    """Remove the sockets of a stack that does not run, wherever they are."""
    run = find_run_folder(folder)
    shutil.rmtree(run, ignore_errors=True)
    if folder.run.is_symlink():
        folder.run.unlink()


def lock(path: Path, deadline: float) -> int:
    """Wait for the exclusive lock on `path` and return the file descriptor that holds it.

    Args:
        path: the lock file, created if missing.
        deadline: in the time of time.monotonic().

    Raises:
        LocalStackError: another process held it until the deadline.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                raise LocalStackError(f"{path} is still held by another process") from None
            time.sleep(POLL_S)
        else:
            return fd


@contextlib.contextmanager
def locked(path: Path, deadline: float) -> Iterator[None]:
    """Hold the exclusive lock on `path`; arguments and errors as for `lock`."""
    fd = lock(path, deadline)
    try:
        yield
    finally:
        # A fork in another thread may have copied the descriptor: closing ours would not unlock.
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


def _short_name(root: Path) -> str:
    return hashlib.sha256(os.fsencode(root)).hexdigest()[:16]


def _fits(run: Path) -> bool:
    # libpq takes a comma in `host` for the end of a first host, and has no way to escape it.
    return "," not in str(run) and len(os.fsencode(run / LONGEST_SOCKET)) <= SOCKET_PATH_LIMIT_BYTES
