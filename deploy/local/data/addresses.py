"""Where the parts of a stack listen: what the settings name, else a port of our own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.local.data.credentials import Credentials
from shared.settings import Settings

DATABASE = "personae"
USER = "personae"


@dataclass(frozen=True)
class Addresses:
    """URLs with their passwords; `ports` names what this stack serves itself."""

    postgres: str
    broker: str
    model: str
    gateway: str
    flower: str
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def administration(self) -> str:
        """The embedded server's own database, there before ours is."""
        return self.postgres.rpartition("/")[0] + "/postgres"


def driverless(url: str) -> str:
    """Return a SQLAlchemy URL as libpq and psql read it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"


def names_model(settings: Settings) -> bool:
    """Say whether the operator chose model servers; the default is only where ours would be."""
    return "model_url" in settings.model_fields_set or bool(settings.embedding_url and settings.chat_url)


def wanted_ports(settings: Settings, remembered: Mapping[str, int], *, has_model: bool) -> dict[str, list[int]]:
    """Return the ports to try, best first, for each part that this stack serves itself."""
    preferred: dict[str, list[int]] = {"gateway": [settings.gateway_port], "flower": [settings.flower_port]}
    if settings.database_url is None:
        preferred["postgres"] = []
    if settings.redis_url is None:
        preferred["broker"] = []
    if has_model and not names_model(settings):
        preferred["model"] = []
    return {
        name: _in_order(ports, remembered.get(name), decided=f"{name}_port" in settings.model_fields_set)
        for name, ports in preferred.items()
    }


def _in_order(defaults: list[int], remembered: int | None, *, decided: bool) -> list[int]:
    before = [] if remembered is None else [remembered]
    return [*defaults, *before] if decided else [*before, *defaults]


def resolve(settings: Settings, credentials: Credentials, ports: Mapping[str, int]) -> Addresses:
    """Return every address of a stack on these ports."""
    postgres = f"postgresql://{USER}:{credentials.postgres_password}@127.0.0.1:{ports.get('postgres')}/{DATABASE}"
    broker = f"redis://:{credentials.broker_password}@127.0.0.1:{ports.get('broker')}/0"
    return Addresses(
        postgres=settings.database_url.get_secret_value() if settings.database_url else postgres,
        broker=settings.redis_url.get_secret_value() if settings.redis_url else broker,
        model=f"http://127.0.0.1:{ports['model']}/v1" if "model" in ports else settings.model_url,
        gateway=f"http://{_reachable(settings.gateway_host)}:{ports['gateway']}",
        flower=f"http://127.0.0.1:{ports['flower']}",
        ports=ports,
    )


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host


def environment(settings: Settings, credentials: Credentials, addresses: Addresses) -> dict[str, str]:
    """Return the variables by which every child learns of the stack."""
    return {
        "PERSONAE_DATA_DIR": str(settings.data_dir.expanduser().absolute()),
        "PERSONAE_DATABASE_URL": addresses.postgres,
        "PERSONAE_REDIS_URL": addresses.broker,
        "PERSONAE_MODEL_URL": addresses.model,
        "PERSONAE_GATEWAY_PORT": str(addresses.ports["gateway"]),
    }
