"""Every setting, from the environment (prefix `PERSONAE_`), with the seeds' own names understood."""

from functools import cache
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


def _named(name: str, *seed_names: str) -> AliasChoices:
    return AliasChoices(f"PERSONAE_{name}", *seed_names)


DEMO_CHAT_MODEL = "smollm2-135m-instruct"


class Settings(BaseSettings):
    """What an operator decides; see deploy/env.example for the same list in words."""

    model_config = SettingsConfigDict(env_prefix="PERSONAE_", env_file=".env", extra="ignore", populate_by_name=True)

    data_dir: Path = Path(".personae")
    log_level: str = Field(default="INFO", validation_alias=_named("LOG_LEVEL", "LOG_LEVEL"))

    database_url: SecretStr | None = Field(
        default=None, validation_alias=_named("DATABASE_URL", "DATABASE_URL", "DOC_DB_URL")
    )
    db_host: str | None = Field(default=None, validation_alias=_named("DB_HOST", "DB_HOST"))
    db_port: int = Field(default=5432, validation_alias=_named("DB_PORT", "DB_PORT"))
    db_name: str = Field(default="personae", validation_alias=_named("DB_NAME", "DB_NAME"))
    db_user: str = Field(default="personae", validation_alias=_named("DB_USER", "DB_USER"))
    db_password: SecretStr = Field(default=SecretStr(""), validation_alias=_named("DB_PASSWORD", "DB_PASSWORD"))
    db_echo: bool = Field(default=False, validation_alias=_named("DB_ECHO", "DB_ECHO"))
    db_pool_size: int = 5
    db_max_overflow: int = 10
    allow_drop: bool = False  # lets drop_db() and reset_db() delete every table
    redis_url: SecretStr | None = Field(default=None, validation_alias=_named("REDIS_URL", "REDIS_URL"))

    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8000
    gateway_workers: int = 2
    gateway_threads: int = 256
    gateway_statement_seconds: float = Field(default=30.0, ge=0)  # that a query of a request may take; 0 is no limit
    worker_threads: int = 32  # of the embedded stack's worker for queues that wait on the network
    worker_processes: int = 2  # of its worker for queues that compute
    parse_split_pages: int = Field(default=100, ge=1)  # a longer PDF is read in parts of so many pages
    parse_split_workers: int = Field(default=2, ge=1)  # processes that read the parts of one PDF
    parse_seconds: float = Field(default=300.0, gt=0)  # that reading one document may take
    parse_cpu_seconds: int = Field(default=120, ge=1)  # of computing
    parse_megabytes: int = Field(default=2048, ge=256)  # of address space
    parse_characters: int = Field(default=50_000_000, ge=1)  # that a document may hold
    flower_port: int = 5555
    max_body_bytes: int = MEBIBYTE
    max_upload_bytes: int = 50 * MEBIBYTE
    owner_rows_waiting: int = Field(default=100_000, ge=0)  # of work; 0 is no limit, here and below
    owner_bytes_stored: int = Field(default=50 * GIBIBYTE, ge=0)
    owner_requests: int = Field(default=192, ge=0)  # in work at once in one process of the gateway, streams too
    trust_proxy_headers: bool = Field(
        default=False, validation_alias=_named("TRUST_PROXY_HEADERS", "AUTH_TRUST_PROXY_HEADERS")
    )
    cors_origins: str = (
        ""  # comma-separated, as https://app.example.com: pages that a browser lets call the API; * is all
    )
    proxy_owner: str = "default"  # whose rows the users of a trusted proxy see
    proxy_scopes: str = "read,chat,write"  # what they may do; comma-separated
    outbound_allow: str = ""  # comma-separated hosts, host:port or networks that user-supplied URLs may reach
    input_roots: str = ""  # comma-separated folders from which file:// documents may be read

    model_url: str = "http://127.0.0.1:8020/v1"  # the bundled model server, or any that speaks OpenAI
    embedding_url: str | None = None  # defaults to model_url
    embedding_api_key: SecretStr | None = None
    embedding_model: str = "multilingual-e5-small"
    embedding_window: int = Field(default=512, ge=64)  # tokens that the model reads at once; a passage is no longer
    embedding_batch: int = 16
    embedding_input_type: bool = True  # say "query" or "passage"; off for servers that refuse unknown fields
    embedding_timeout: float = 120.0
    min_similarity: float | None = Field(default=None, ge=-1, le=1)  # below it nothing is found by meaning alone
    embedding_concurrency: int = Field(default=2, ge=1)  # requests that all workers together have under way
    chat_url: str | None = None  # defaults to model_url
    chat_api_key: SecretStr | None = None
    chat_model: str = DEMO_CHAT_MODEL
    chat_timeout: float = 300.0
    chat_context_tokens: int = 1200  # prompt and reply; small for the demo model's sake: raise it with a real one
    chat_max_tokens: int = 400
    chat_history: int = 20  # earlier messages that a prompt may hold

    script_processes: int = Field(default=16, ge=4)  # of the sandbox, at most, per worker process; about 12 MB each
    memory_start: int = Field(default=25, ge=1)  # the first message of the first window
    memory_size: int = Field(default=11, ge=1)  # messages of a window
    memory_head: bool = True  # also compress what is before the first window
    memory_max_tokens: int = Field(default=250, ge=20)  # of one memory
    memory_prompt_tokens: int = Field(default=400, ge=0)  # of all memories that a prompt may hold

    lease_seconds: float = 20.0
    renew_seconds: float = 5.0
    sweep_seconds: float = 5.0
    watch_seconds: float = 10.0
    cancel_honour_seconds: float = 12.0
    drain_seconds: float = 1.0
    stop_grace_seconds: float = 5.0
    bell_cap: int = 16
    bell_expires: int = 300
    breaker_seconds: float = 2.0
    post_response_wait: float = 10.0

    keep_idempotency_hours: int = 24
    keep_worker_checkins_hours: int = 24
    keep_audit_days: int = Field(default=365, ge=1)  # who did what
    keep_module_runs_hours: int = 168  # those that somebody asked for, with their results
    keep_fetches_hours: int = Field(default=24, ge=1)
    fetch_seconds: float = Field(default=30.0, gt=0)  # that fetching a document from the web may take
    keep_passage_embeddings_hours: int = Field(default=24, ge=1)  # that have ended; what failed is then tried again
    keep_unreferenced_blobs_hours: int = Field(default=24, ge=1)
    keep_unreferenced_vectors_hours: int = Field(default=24, ge=1)  # longer than a document's embedding may take

    @field_validator("database_url", mode="after")
    @classmethod
    def _name_the_driver(cls, url: SecretStr | None) -> SecretStr | None:
        """A bare `postgresql://` would mean psycopg 3 to SQLAlchemy 2.1."""
        if url is None:
            return None
        scheme, _, rest = url.get_secret_value().partition("://")
        if not scheme.startswith("postgres"):
            raise ValueError(f"PERSONAE_DATABASE_URL must be a postgresql:// URL, not {scheme}://")
        return SecretStr(f"postgresql+psycopg2://{rest}")

    @model_validator(mode="after")
    def _leases_are_renewed_in_time(self) -> Self:
        """A worker whose last renewal is older than half a lease claims nothing."""
        if self.renew_seconds >= self.lease_seconds / 2:
            raise ValueError("PERSONAE_RENEW_SECONDS must be less than half of PERSONAE_LEASE_SECONDS")
        return self

    @model_validator(mode="after")
    def _url_from_parts(self) -> Self:
        if self.database_url is None and self.db_host is not None:
            password = quote(self.db_password.get_secret_value(), safe="")
            user = quote(self.db_user, safe="")
            self.database_url = SecretStr(
                f"postgresql+psycopg2://{user}:{password}@{self.db_host}:{self.db_port}/{self.db_name}"
            )
        return self

    @property
    def least_similarity(self) -> float:
        """The cosine that a passage needs to be found by its meaning, where the operator or nobody has set a limit."""
        return -1.0 if self.min_similarity is None else self.min_similarity

    @property
    def beat_mark(self) -> Path:
        """The file that the beat touches when the broker has taken a sweep's bell."""
        return self.data_dir / "beat-mark"

    def require_database_url(self) -> str:
        """Return the database's URL with its password, or say which variable to set."""
        if self.database_url is None:
            raise RuntimeError("no database: set PERSONAE_DATABASE_URL, or run `personae up` for the embedded one")
        return self.database_url.get_secret_value()

    def require_redis_url(self) -> str:
        """Return the broker's URL with its password, or say which variable to set."""
        if self.redis_url is None:
            raise RuntimeError("no broker: set PERSONAE_REDIS_URL, or run `personae up` for the embedded one")
        return self.redis_url.get_secret_value()


@cache
def get_settings() -> Settings:
    """Read the environment once per process; tests call `get_settings.cache_clear()`."""
    return Settings()
