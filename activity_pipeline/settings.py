"""Typed settings. The only module that reads the environment.

Each setting is `ACTIVITY_<NAME>` in the environment or in a `.env` file of the working folder
(the environment wins). With no DSN set, the command line starts both servers under `.activity/`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
from dotenv import dotenv_values

from activity_pipeline.errors import SettingsError
from activity_pipeline.operations.thresholds import parse_thresholds

PREFIX = "ACTIVITY_"
CLOUDS = ("AWS_", "AZURE_", "GOOGLE_")
SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL|SAS")
SECRET_LENGTH = 6
"""A shorter value is no secret, and may be part of any word."""
LOWEST = {
    "queue_shards": 1,
    "hot_days": 1,
    "batch_rows": 1,
    "max_metadata_bytes": 2,
    "spool_bytes": 0,
    "api_workers": 1,
    "api_connections": 1,
    "api_max_body_bytes": 1024,
    "api_statement_timeout_s": 0.001,
    "api_question_timeout_s": 0.001,
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, each with its default.

    Attributes:
        postgres_dsn: libpq URI of the database; empty starts the embedded one.
        reader_dsn: libpq URI of the same database for the HTTP API, of a user who is activity_reader; empty:
            postgres_dsn, of which the API uses no more than that role may, where the user may take it on.
        outbox_dsn: libpq URIs of the databases whose outbox is drained, comma-separated; empty: postgres_dsn.
        dagster_postgres_url: libpq URI of Dagster's own database; empty starts the embedded one.
        redis_url: URL of the Redis that holds the queue; empty starts the embedded one.
        cache_url: URL of the Redis that keeps answers, best one that may evict; empty: the next database of
            the queue's Redis; `off` keeps none.
        archive_url: Root of the Parquet archive: a folder, or an s3://, gs:// or az:// URL; empty means
            the folder `archive` of the state folder. What opens an object store is in AWS_… and so on.
        archive_signing_key: Path of the Ed25519 private key, PEM, that signs the archive's manifests; empty
            signs nothing, but with the embedded servers, which have a key of their own.
        archive_public_keys: Comma-separated paths of the public keys that `archive verify` trusts.
        state_dir: Folder of the embedded servers, Dagster's home and the spool.
        spool_dir: Where a producer keeps frames while Redis is away; empty: a folder of the user's own.
        spool_bytes: Most bytes that the producers of this user keep there.
        queue_shards: Number of streams.
        hot_days: Days that stay in Postgres, today included.
        first_day: Earliest day an event may lie on; also Dagster's first partition.
        max_ahead_hours: How far ahead a timestamp may lie, in hours.
        max_metadata_bytes: Largest metadata, in bytes.
        allowed_sources: Comma-separated allow-list; empty takes any source.
        allowed_statuses: Comma-separated allow-list; empty takes any status.
        drain_budget_s: Longest that one drain run lasts, in seconds.
        drain_idle_s: How long the queue must stay empty before a drain run ends, in seconds.
        batch_rows: Events that one ingest transaction aims at.
        dead_letter_share: Share of a day's arrivals, from 0 to 1, above which dead letters are warned of.
        dagster_url: Root of Dagster's web server, for reports from outside its runs; empty means
            `webserver_port` of this machine.
        report_interval_s: How often `drain --follow` reports to Dagster, in seconds.
        alert_urls: Comma-separated channels; an http(s) URL is a webhook.
        alert_severity: Least severe anomaly that somebody is told of: info, warning or critical.
        alert_queue_s: Age of the oldest waiting event above which somebody is told, in seconds.
        alert_cooldown_s: After so long somebody is told again of what lasts, in seconds.
        operation_p95_ms: Operations whose p95 is too slow above so many milliseconds,
            `export=60000,query=500`, over the defaults of operations/thresholds.py; 0 leaves one unwatched.
        legacy_dsn: libpq URI of the application's database whose audit triggers are to go.
        legacy_overrides: Path of the TOML file that says of its triggers what the catalogue does not.
        legacy_plan: Folder of the plan by which they go.
        legacy_mapping: Path of the TOML file that says which column of its audit table becomes what.
        webserver_port: Port of the Dagster web server on 127.0.0.1.
        api_host: Address that the HTTP API listens on.
        api_port: Its port.
        api_workers: Its processes.
        api_keyless: Whether callers on this machine need no key; the command line says so with the
            embedded servers.
        api_log_reads: Whether each read over HTTP is an event itself.
        api_max_body_bytes: Largest body of a request, in bytes.
        api_connections: Most connections to Postgres of each process of the API.
        api_question_timeout_s: Longest that a question about events may take as a whole, in seconds.
        api_statement_timeout_s: Longest that a question of the API may keep Postgres busy, in seconds.
    """

    postgres_dsn: str = ""
    reader_dsn: str = ""
    outbox_dsn: str = ""
    dagster_postgres_url: str = ""
    redis_url: str = ""
    cache_url: str = ""
    archive_url: str = ""
    archive_signing_key: str = ""
    archive_public_keys: str = ""
    state_dir: str = ".activity"
    spool_dir: str = ""
    spool_bytes: int = 1024 * 1024 * 1024
    queue_shards: int = 1
    hot_days: int = 30
    first_day: str = "2000-01-01"
    max_ahead_hours: float = 24.0
    max_metadata_bytes: int = 64 * 1024
    allowed_sources: str = ""
    allowed_statuses: str = ""
    drain_budget_s: float = 50.0
    drain_idle_s: float = 3.0
    batch_rows: int = 50_000
    dead_letter_share: float = 0.01
    dagster_url: str = ""
    report_interval_s: float = 10.0
    alert_urls: str = ""
    alert_severity: Literal["info", "warning", "critical"] = "critical"
    alert_queue_s: float = 300.0
    alert_cooldown_s: float = 86_400.0
    operation_p95_ms: str = ""
    legacy_dsn: str = ""
    legacy_overrides: str = ""
    legacy_plan: str = ""
    legacy_mapping: str = ""
    webserver_port: int = 3000
    api_host: str = "127.0.0.1"
    api_port: int = 3001
    api_workers: int = 1
    api_keyless: bool = False
    api_log_reads: bool = True
    api_max_body_bytes: int = 8 * 1024 * 1024
    api_connections: int = 8
    api_statement_timeout_s: float = 10.0
    api_question_timeout_s: float = 20.0

    @property
    def state_path(self) -> Path:
        """The state folder, absolute."""
        return Path(self.state_dir).expanduser().resolve()

    @property
    def outbox_dsns(self) -> tuple[str, ...]:
        """The databases whose outbox is drained; none where only the sink has one."""
        # A URI may list several hosts, with commas of its own.
        return tuple(filter(None, re.split(r"[,\s]+(?=postgres(?:ql)?://)", self.outbox_dsn.strip(", "))))

    @property
    def archive_root(self) -> str:
        """The archive's folder or URL."""
        return self.archive_url or str(self.state_path / "archive")

    @property
    def local_key_path(self) -> Path:
        """The key that signs the archive of the embedded servers, made at their first start."""
        return self.state_path / "keys" / "archive.pem"

    @property
    def shared_figures(self) -> Path:
        """Folder in which the workers of the API keep their figures for Prometheus."""
        return self.state_path / "api-figures"

    @property
    def spool_path(self) -> Path:
        """The spool folder of this user's producers, absolute."""
        if self.spool_dir:
            return Path(self.spool_dir).expanduser().resolve()
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(home) / "activity_pipeline" / "spool"

    def environment(self) -> dict[str, str]:
        """Return these settings as environment variables for a child process."""
        return {
            f"{PREFIX}{name.upper()}": str(value)
            for name, value in msgspec.structs.asdict(self).items()
            if value != ""
        }


def split_list(text: str) -> tuple[str, ...]:
    """Split a comma-separated setting, dropping blanks."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def load_settings(environment: Mapping[str, str] | None = None, *, dotenv: str = ".env") -> Settings:
    """Read the settings from `.env` and the environment.

    Raises:
        SettingsError: A setting is of the wrong type, or a name with our prefix is not known.
    """
    variables = {**dotenv_values(dotenv), **(os.environ if environment is None else environment)}
    values = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in variables.items()
        if name.startswith(PREFIX) and value is not None and name != "ACTIVITY_TEST_DATA"
    }
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"a setting {PREFIX}… is wrong: {error}") from error
    for name, lowest in LOWEST.items():
        if getattr(settings, name) < lowest:
            raise SettingsError(f"{PREFIX}{name.upper()} must be at least {lowest}")
    parse_thresholds(settings.operation_p95_ms)
    return settings


@dataclass(frozen=True, slots=True)
class CloudEnvironment:
    """Where object stores are and what opens them.

    Attributes:
        variables: AWS_…, AZURE_… and GOOGLE_…
        secrets: Those values of them that nobody may see.
    """

    variables: Mapping[str, str] = field(repr=False)

    @property
    def secrets(self) -> list[str]:
        """Values that belong into no log and no message."""
        return [
            value
            for name, value in self.variables.items()
            if SECRET.search(name) and len(value) >= SECRET_LENGTH
        ]


def cloud_environment(dotenv: str = ".env") -> CloudEnvironment:
    """Read what object stores are opened with from the environment and `.env` (the environment wins).

    What only `.env` has is put into the environment: there their clients look for it.
    """
    for name, value in dotenv_values(dotenv).items():
        if name.startswith(CLOUDS) and value is not None:
            os.environ.setdefault(name, value)
    return CloudEnvironment({name: value for name, value in os.environ.items() if name.startswith(CLOUDS)})


def packaged(name: str) -> Path:
    """Return a file or folder that ships with the package (`sql`, `workspace.yaml`, `dagster.yaml`).

    In a wheel they lie inside the package; in a checkout beside it.

    Raises:
        SettingsError: The installation is incomplete.
    """
    package = Path(__file__).parent
    for path in (package / "_files" / name, package.parent / name):
        if path.exists():
            return path
    raise SettingsError(f"{name} is missing from this installation")
