"""What the definitions need of the outside world."""

import contextlib
from collections.abc import Iterator
from typing import Any

import dagster as dg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.chain.signing import Signer, load_public, load_signer
from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.hot.connection import BulkConnection, Statements, open_hot
from activity_pipeline.hot.recording import recording
from activity_pipeline.ingest import DrainConfig, DrainReport, drain
from activity_pipeline.ingest.lag import lag_figures
from activity_pipeline.settings import Settings, load_settings, split_list


class Pipeline(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The three stores, by address; everything else comes from the settings."""

    postgres_dsn: str = Field(description="libpq URI of the database that holds the hot events")
    redis_url: str = Field(description="URL of the Redis that holds the queue")
    archive_url: str = Field(
        description="Root of the Parquet archive, a folder or an s3://, gs:// or az:// URL"
    )

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return load_settings()

    @property
    def store(self) -> ArchiveStore:
        """The archive."""
        return ArchiveStore(self.archive_url)

    @property
    def signer(self) -> Signer | None:
        """What signs the archive's manifests."""
        return load_signer(self.settings.archive_signing_key)

    @property
    def trusted_keys(self) -> list[Ed25519PublicKey]:
        """Whose signatures count: the keys of the settings, without any that of the signer."""
        public = [load_public(path) for path in split_list(self.settings.archive_public_keys)]
        return public or ([self.signer.public] if self.signer else [])

    @contextlib.contextmanager
    def open_hot(self) -> Iterator[tuple[Statements, BulkConnection]]:
        """Connections to Postgres, closed at the end; what is done meanwhile is recorded."""
        with recording(self.postgres_dsn), open_hot(self.postgres_dsn) as connections:
            yield connections

    @property
    def drain_config(self) -> DrainConfig:
        """What is drained, and how."""
        return DrainConfig.of(
            msgspec.structs.replace(self.settings, redis_url=self.redis_url, postgres_dsn=self.postgres_dsn)
        )

    def drain(self) -> DrainReport:
        """Drain queue and outboxes until they are idle or the budget of the settings is spent."""
        with recording(self.postgres_dsn):
            return drain(self.drain_config, KnownEvents(self.store))

    def lag_figures(self) -> dict[str, Any]:
        """Say what waits in the queue."""
        return lag_figures(self.redis_url, self.postgres_dsn, shards=self.settings.queue_shards)
