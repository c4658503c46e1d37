"""`archive verify` and `archive keygen`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from activity_pipeline.cli.options import DAYS_OPTION
from activity_pipeline.cli.output import (
    count_bar,
    human_bytes,
    json_option,
    print_json,
    print_pairs,
    print_table,
)
from activity_pipeline.settings import Settings, load_settings, split_list


@click.command()
@DAYS_OPTION
@click.option("--deep", is_flag=True, help="Read every row back and compare the content, too.")
@click.option("--root", help="The archive's folder or URL; default: ACTIVITY_ARCHIVE_URL.")
@click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    help="A key to trust, PEM; default: ACTIVITY_ARCHIVE_PUBLIC_KEYS, or that of the embedded servers.",
)
@click.option("--noted", help="SHA-256 of a head noted earlier, which the chain must go through.")
@json_option
@click.pass_context
def verify(
    context: click.Context,
    days: tuple[date, date] | None,
    deep: bool,
    root: str | None,
    public_keys: tuple[str, ...],
    noted: str | None,
    as_json: bool,
) -> None:
    """Verify an archive by its own files, without any server: chain, signatures, bytes and content.

    Note the head that it prints: an archive cannot tell by itself that it is an older copy of itself.
    Exit 1 where anything is not as it was published, and where there is no archive at all.

    Example: activity-pipeline archive verify --root /mnt/copy --deep
    """
    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.chain.signing import load_public
    from activity_pipeline.archive.chain.verify import verify as verify_archive

    settings = load_settings()
    store = ArchiveStore(root or settings.archive_root)
    paths = public_keys or split_list(settings.archive_public_keys) or _local_keys(settings, root)
    keys = [load_public(path) for path in paths]
    with count_bar("verifying") as update:
        found = verify_archive(store, days=days, deep=deep, public=keys, noted=noted, progress=update)
    head = f"{found.head.name} {found.head.sha256}" if found.head else ""
    figures = {
        "manifests": found.manifests,
        "signed": found.signed,
        "trusted_keys": len(keys),
        "days": found.days,
        "files": found.files,
        "size_bytes": found.size_bytes,
        "rows": found.rows,
        "superseded_files": found.superseded,
        "head": head,
    }
    faults = [{"path": fault.path, "what": fault.what} for fault in found.faults]
    if not found.manifests and not faults:
        faults = [{"path": store.url, "what": "there is no archive here: not one manifest"}]
    if as_json:
        print_json({**figures, "faults": faults})
    else:
        print_pairs(store.url, {**figures, "size_bytes": human_bytes(found.size_bytes)})
        print_table("faults", faults, empty="none, all is as it was published")
    context.exit(1 if faults else 0)


def _local_keys(settings: Settings, root: str | None) -> list[str]:
    """Return the public key of the embedded servers' archive, unless it is another archive's turn."""
    public = settings.local_key_path.with_name(f"{settings.local_key_path.name}.pub")
    return [str(public)] if root is None and public.exists() else []


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def keygen(path: Path, as_json: bool) -> None:
    """Make a key that signs the archive: the private one at PATH, 0600, the public one at PATH.pub.

    Set ACTIVITY_ARCHIVE_SIGNING_KEY to PATH where the archive is written; whoever verifies needs PATH.pub.

    Example: activity-pipeline archive keygen /etc/activity/archive.pem
    """
    from activity_pipeline.archive.chain.signing import key_id, make_key

    try:
        signer = make_key(path.expanduser())
    except OSError as error:
        raise click.ClickException(f"no key was made: {error}") from error
    made = {"id": key_id(signer.public), "private": path, "public": f"{path}.pub"}
    if as_json:
        print_json(made)
    else:
        print_pairs("key", made)


COMMANDS = [verify, keygen]
