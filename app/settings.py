"""Settings: frozen, and the only reader of the environment (prefix ``GRAFTWERK_``)."""

import os
import shutil
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIN_KEY_LENGTH = 32  # characters: a key to seal with is random, as by `openssl rand -hex 32`, and no password

PRIVATE_UMASK = 0o077  # of every process: what it writes is for the service's user alone, files 0600 and folders 0700


class Settings(BaseSettings):
    """All settings of the service. Each field is documented in `docs/operations.md` (a test compares)."""

    model_config = SettingsConfigDict(env_prefix="GRAFTWERK_", frozen=True, extra="ignore")

    home: Path = Field(
        Path.home() / ".graftwerk", description="Directory for the database, artifacts and the first key."
    )
    database_url: SecretStr | None = Field(None, description="SQLAlchemy URL; default: SQLite in the home directory.")
    broker_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="Redis or Valkey URL for wake-ups."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Keys of 32 or more random characters, separated by commas: the first seals webhooks' secrets in "
        "the database, all open them; default: secret-key in home, made at the first start.",
    )
    artifact_url: str | None = Field(None, description="Directory or s3://bucket/prefix; default: artifacts/ in home.")
    s3_endpoint: str | None = Field(None, description="Endpoint of an S3-compatible store, when not AWS.")
    s3_region: str = Field("us-east-1", description="Region of the S3 bucket.")
    s3_access_key_id: SecretStr | None = Field(None, description="S3 access key; default: the machine's credentials.")
    s3_secret_access_key: SecretStr | None = Field(None, description="S3 secret key.")
    spool: Path | None = Field(
        None, description="Where bodies and the files of attempts lie for a while; default: spool/ in home."
    )
    spool_reserve: int = Field(
        1 << 27, ge=0, description="Bytes of the spool's disk that uploads leave free: beyond, 507."
    )
    data_root: Path | None = Field(None, description="Where torchvision datasets lie; default: data/ in home.")
    allow_downloads: bool = Field(True, description="Whether workers may download torchvision datasets.")

    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8741, ge=0, le=65535, description="Port the API listens on.")
    proxies: str | None = Field(
        None,
        description="Comma-separated addresses or networks of proxies whose X-Forwarded-For and -Proto are believed.",
    )
    max_connections: int = Field(5000, ge=1, description="Open connections beyond which new ones are answered 503.")
    address_connections: int = Field(
        500, ge=0, description="Open connections of one address beyond which new ones are answered 503; 0: no limit."
    )
    request_line_limit: int = Field(8192, ge=256, description="Longest path with query in bytes; beyond: 414.")
    head_limit: int = Field(32_768, ge=1024, description="Largest head of a request in bytes; beyond: 431.")
    header_count: int = Field(100, ge=10, description="Most header fields of a request; beyond: 431.")
    head_seconds: float = Field(10.0, gt=0, description="Time for a request's head to arrive; beyond: 408.")
    idle_seconds: float = Field(
        30.0, gt=0, description="Longest pause between pieces of a body (408), and for a client that takes no answer."
    )
    keep_alive_seconds: int = Field(15, ge=1, description="How long a connection may wait for its next request.")
    auth: bool = Field(True, description="Whether requests need an API key.")
    body_limit: int = Field(1 << 20, ge=1024, description="Largest JSON or YAML body in bytes.")
    upload_limit: int = Field(1 << 30, ge=1024, description="Largest dataset upload in bytes.")
    max_uploads: int = Field(16, ge=1, description="Uploads arriving at once beyond which a PUT answers 503.")
    body_rate: int = Field(
        1024, ge=0, description="Lowest average rate of a body in bytes per second, after idle_seconds (408); 0: none."
    )
    depth_limit: int = Field(64, ge=4, le=200, description="Deepest nesting of a JSON body.")
    rate_limit: str = Field("1200/minute", description="Requests per key and period; empty for none.")
    max_queued: int = Field(10_000, ge=1, description="Queued jobs beyond which POST answers 503.")
    webhook_http: bool = Field(False, description="Whether webhooks may lead to http:// URLs.")
    webhook_private: bool = Field(False, description="Whether webhooks may lead to addresses that are not public.")
    webhook_log_days: int = Field(30, ge=7, description="How long messages of webhooks are kept, in days.")
    max_streams: int = Field(500, ge=1, description="Open event streams beyond which a stream answers 503.")
    inspect_seconds: float = Field(5.0, gt=0, description="Time limit for the inspection of one spec.")
    inspect_memory: int = Field(1 << 28, ge=1 << 24, description="Memory beyond the warm process for an inspection.")

    predictors: int = Field(2, ge=1, le=64, description="Processes of the API that predict; each starts when needed.")
    predict_limit: int = Field(
        1 << 25, ge=1024, description="Largest body and largest answer of a prediction in bytes."
    )
    predict_rows: int = Field(10_000, ge=1, description="Most rows of a prediction.")
    predict_seconds: float = Field(30.0, gt=0, description="Time limit for a prediction.")
    evaluate_rows: int = Field(100_000, ge=1, description="Most rows of POST /v1/jobs/{id}/evaluate.")
    evaluate_seconds: float = Field(55.0, gt=0, description="Time limit for POST /v1/jobs/{id}/evaluate.")
    predict_memory: int = Field(
        1 << 31, ge=1 << 26, description="Memory of a predictor beyond the warm process; half of it is for networks."
    )
    predict_cache: int = Field(
        1 << 32, ge=0, description="Largest size of the weights copied from S3 into cache/ in home, in bytes."
    )
    predict_device: Literal["cpu", "cuda"] = Field("cpu", description="Where predictors compute.")

    limit_priority: int = Field(
        0, ge=-100, le=100, description="Highest priority that keys without the scope admin give their jobs."
    )
    limit_queued_jobs: int = Field(
        0, ge=0, description="Waiting jobs of one key beyond which POST answers 429; 0: none."
    )
    limit_stored_bytes: int = Field(
        0, ge=0, description="Bytes of an owner's data sets and checkpoints beyond which nothing new is taken; 0: none."
    )
    limit_unfinished_uploads: int = Field(
        100, ge=0, description="Data sets of one owner that wait for content, beyond which POST answers 403; 0: none."
    )
    limit_running_jobs: int = Field(0, ge=0, description="Jobs of one key that run at once, others wait; 0: no limit.")

    trash_seconds: float = Field(604_800, ge=0, description="How long deleted jobs can be restored; 0: not at all.")
    keep_jobs_seconds: float = Field(
        0, ge=0, description="Age, from their end, at which jobs are deleted by themselves; 0: never."
    )
    keep_checkpoints_seconds: float = Field(
        0, ge=0, description="Age, from their job's end, at which all checkpoints are removed, weights too; 0: never."
    )
    keep_events_seconds: float = Field(
        0, ge=0, description="Age, from their job's end, at which events but for transitions are removed; 0: never."
    )
    keep_uploads_seconds: float = Field(
        604_800, ge=0, description="Age, from the last piece, at which data sets without content are removed; 0: never."
    )
    keep_audit_seconds: float = Field(7_776_000, ge=0, description="Age at which audit entries are removed; 0: never.")

    max_nodes: int = Field(10_000, ge=1, description="Largest number of nodes in a network.")
    max_parameters: int = Field(1_000_000_000, ge=1, description="Largest number of trainable parameters.")
    memory_limit: int = Field(16 << 30, ge=1 << 24, description="Largest estimated training memory in bytes.")

    slots: int = Field(
        0, ge=0, description="Jobs a worker trains at once; 0: one per GPU, else cores divided by threads."
    )
    gpus: int = Field(0, ge=0, description="GPUs of this worker; one slot each, and add gpu to the queues.")
    threads: int = Field(1, ge=1, description="Threads of one training process.")
    loaders: int | None = Field(
        None, ge=0, description="Processes beside each training that decode images; default: 2, on one core none."
    )
    resident_limit: int = Field(
        4 << 30, ge=0, description="Bytes of decoded images that are kept; beyond, images are streamed."
    )
    queues: str = Field("default", description="Comma-separated queues that a worker serves.")
    lease_seconds: float = Field(30.0, ge=1, description="How long a claim lasts without renewal.")
    sweep_seconds: float = Field(5.0, ge=0.2, description="Time between two rounds of a worker's periodic duties.")
    deaf_seconds: float = Field(
        120.0, ge=1, description="Seconds without its own wake-ups after which a worker checkpoints and ends."
    )
    drain_seconds: float = Field(20.0, ge=1, description="Grace for a checkpoint when a worker is stopped.")
    pause_seconds: float = Field(
        120.0, ge=1, description="Grace for a checkpoint when a job is paused; then its last checkpoint is taken."
    )
    attempt_memory: int = Field(
        0, ge=0, description="Memory of one attempt in bytes; 0: nine tenths of the machine's, divided by slots."
    )
    max_attempts: int = Field(5, ge=1, description="Attempts after infrastructure losses before a job fails.")
    fork_server: Path | None = Field(
        None, description="Socket of a fork server that API and worker share, started by `graftwerk up`; else one each."
    )
    log_json: bool = Field(False, description="Log lines as JSON.")

    @field_validator("proxies")
    @classmethod
    def _check_proxies(cls, value: str | None) -> str | None:
        _parse_networks(value)
        return value

    @property
    def trusted_proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of the proxies whose forwarded headers are believed."""
        return _parse_networks(self.proxies)

    @field_validator("secret_key")
    @classmethod
    def _check_secret_key(cls, keys: SecretStr | None) -> SecretStr | None:
        parts = keys.get_secret_value().split(",") if keys is not None and keys.get_secret_value() else []
        if any(len(part.strip()) < MIN_KEY_LENGTH for part in parts):
            raise ValueError(f"each key has at least {MIN_KEY_LENGTH} random characters")
        return keys

    @property
    def resolved_database_url(self) -> str:
        """The SQLAlchemy URL in force."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home / 'graftwerk.db'}"

    @property
    def sealing_keys(self) -> list[str]:
        """The keys that seal secrets at rest; none: that of the home directory."""
        keys = self.secret_key.get_secret_value() if self.secret_key is not None else ""
        return [key.strip() for key in keys.split(",") if key.strip()]

    @property
    def resolved_artifact_url(self) -> str:
        """The artifact location in force."""
        return self.artifact_url or str(self.home / "artifacts")

    @property
    def resolved_spool(self) -> Path:
        """Where temporary files lie."""
        return self.spool or self.home / "spool"

    @property
    def store_options(self) -> dict[str, str]:
        """What the S3 store needs besides its URL; empty for a directory."""
        if not self.resolved_artifact_url.startswith("s3://"):
            return {}
        secrets = {"access_key_id": self.s3_access_key_id, "secret_access_key": self.s3_secret_access_key}
        options = {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}
        return options | {"region": self.s3_region} | ({"endpoint": self.s3_endpoint} if self.s3_endpoint else {})

    @property
    def resolved_data_root(self) -> Path:
        """Where torchvision datasets lie."""
        return self.data_root or self.home / "data"

    @property
    def resolved_loaders(self) -> int:
        """How many processes decode the images of one training; by default at most two, and none on one core."""
        return self.loaders if self.loaders is not None else min(2, (os.cpu_count() or 1) - 1)

    @property
    def disk_free(self) -> int:
        """Bytes that are free on the disk of the home directory."""
        there = next(folder for folder in (self.home, *self.home.absolute().parents) if folder.exists())
        return shutil.disk_usage(there).free

    @property
    def resolved_slots(self) -> int:
        """How many jobs one worker trains at once."""
        return self.slots or self.gpus or max(1, (os.cpu_count() or 1) // self.threads)


def _parse_networks(value: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in (value or "").split(",") if part.strip())


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the process's settings, read once."""
    return Settings()
