"""As whom Postgres runs: it refuses uid 0, and initdb refuses a uid without an account.

An ordinary user runs it as himself. Root runs it in a user namespace that shows its one process
another uid: to the kernel files and processes stay root's, so no folder has to be opened to
anyone. Where namespaces are refused (the seccomp filter of many containers) root runs it as
`nobody`. No account is ever created.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import stat
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypedDict

from activity_pipeline.errors import LocalStackError

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class RunAs(Enum):
    """How a server gets its uid."""

    CALLER = "the calling user"
    NAMESPACE = "the calling user, shown as another one inside a user namespace"
    ACCOUNT = "an unprivileged account"


class Credentials(TypedDict, total=False):
    """The arguments of subprocess.Popen that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The identity of a server process.

    `uid` and `gid` own the files that it writes; `shown_uid` and `shown_gid` are what the process
    sees, different only inside a namespace.
    """

    run_as: RunAs
    uid: int
    gid: int
    shown_uid: int
    shown_gid: int

    @property
    def passing_gid(self) -> int | None:
        """The group that must be let through our folders, if this is another user than ours."""
        return self.gid if self.run_as is RunAs.ACCOUNT else None

    def can_reach(self, folder: Path) -> bool:
        """Tell whether the permissions of `folder` and its parents let this user pass to it.

        Root's capabilities do not count: neither the namespace nor the account has them.
        """
        if self.run_as is RunAs.CALLER:
            return True
        for part in (folder, *folder.parents):
            found = part.stat()
            if found.st_uid == self.uid:
                needed = stat.S_IXUSR
            elif found.st_gid == self.gid:
                needed = stat.S_IXGRP
            else:
                needed = stat.S_IXOTH
            if not found.st_mode & needed:
                return False
        return True

    def credentials(self) -> Credentials:
        """Return what subprocess.Popen needs to become this user."""
        if self.run_as is RunAs.ACCOUNT:
            return {"user": self.uid, "group": self.gid, "extra_groups": []}
        return {}

    def in_child(self, death_signal: signal.Signals) -> Callable[[], None]:
        """Return what a forked child does before it executes the server.

        Args:
            death_signal: sent by the kernel when the supervisor dies, on Linux; elsewhere the
                servers outlive a supervisor that was killed with SIGKILL.
        """
        parent = os.getpid()

        def prepare() -> None:
            if self.run_as is RunAs.NAMESPACE:
                _enter_namespace(self)
            # After every change of user: such a change clears the death signal.
            if hasattr(_libc, "prctl"):
                _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
                if os.getppid() != parent:
                    os._exit(1)

        return prepare


def calling_user() -> ServerUser:
    """Return the user of this process, as it is."""
    uid, gid = os.geteuid(), os.getegid()
    return ServerUser(RunAs.CALLER, uid, gid, uid, gid)


def choose_postgres_user(*, user_namespaces: bool) -> ServerUser:
    """Return the identity under which Postgres can run here.

    Args:
        user_namespaces: False acts as if the kernel refused them.

    Raises:
        LocalStackError: no identity will do; the message says what would help.
    """
    caller = calling_user()
    if caller.uid != 0 and _has_account(caller.uid):
        return caller
    account = _unprivileged_account()
    shown = ServerUser(RunAs.NAMESPACE, caller.uid, caller.gid, account.pw_uid, account.pw_gid)
    if user_namespaces and _namespace_works(shown):
        return shown
    if caller.uid == 0:
        uid, gid = account.pw_uid, account.pw_gid
        return ServerUser(RunAs.ACCOUNT, uid, gid, uid, gid)
    raise LocalStackError(
        f"Postgres cannot run as uid {caller.uid}: it has no account in the user database, and user "
        "namespaces are refused here. Add the account, or run as a user that has one."
    )


def give_folder(path: Path, user: ServerUser) -> None:
    """Make `user` the owner of `path` and of all below it, if it is not yet."""
    if path.stat().st_uid == user.uid:
        return
    for folder, _, files in os.walk(path, topdown=False):
        for name in files:
            os.chown(Path(folder, name), user.uid, user.gid, follow_symlinks=False)
        os.chown(folder, user.uid, user.gid)


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged_account() -> pwd.struct_passwd:
    accounts = [account for account in pwd.getpwall() if account.pw_uid != 0]
    if not accounts:
        raise LocalStackError("Postgres refuses to run as root, and no other account exists: add `nobody`")
    return next((account for account in accounts if account.pw_name == "nobody"), accounts[0])


def _enter_namespace(user: ServerUser) -> None:
    if _libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    # The kernel takes a group map from an unprivileged process only once setgroups is given up.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user.shown_uid} {user.uid} 1")
    Path("/proc/self/gid_map").write_text(f"{user.shown_gid} {user.gid} 1")


def _namespace_works(user: ServerUser) -> bool:
    if not hasattr(_libc, "unshare"):
        return False
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _enter_namespace(user)
            code = 0
        finally:
            # Whatever happens, this copy of the supervisor ends here.
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0
