"""docker-compose.yml and the image: valid, hardened, without a default password, and true to the catalogue."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.passwords import SECRETS
from shared.settings import Settings
from shared.tasks import QUEUES

pytestmark = pytest.mark.capability("C19")
ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "PERSONAE_IMAGE" in service["image"]}
STORES = {"postgres", "redis"}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
every_service = pytest.mark.parametrize("name", sorted(SERVICES))
every_process = pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False)


def queue_names(service: dict[str, Any]) -> list[str]:
    """The queues of a service, when it is a worker."""
    return service["command"][2:] if service.get("command", [])[:2] == ["run", "worker"] else []


def seconds(duration: str) -> int:
    assert duration.endswith("s")
    return int(duration[:-1])


def test_the_file_is_valid_by_the_compose_specification() -> None:
    done = run(
        sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"
    )
    assert done.returncode == 0, done.stdout


def test_the_image_is_clean_for_hadolint() -> None:
    done = run(PROGRAMS / "hadolint", "deploy/Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_every_queue_of_the_catalogue_has_a_worker_of_its_own() -> None:
    found = {name: queue_names(service) for name, service in SERVICES.items() if queue_names(service)}
    assert found == {f"worker-{queue.name}": [queue.name] for queue in QUEUES}


def test_all_processes_of_the_design_are_there() -> None:
    workers = {f"worker-{queue.name}" for queue in QUEUES}
    assert set(SERVICES) == STORES | workers | {"migrate", "model", "gateway", "beat", "flower"}


def test_our_services_run_one_image_of_this_version() -> None:
    assert set(OURS) == set(SERVICES) - STORES
    assert {service["image"] for service in OURS.values()} == {f"${{PERSONAE_IMAGE:-personae:{VERSION}}}"}
    assert f"ARG VERSION={VERSION}\n" in (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_image_is_built_once() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["migrate"]


def test_an_engine_of_debian_12_understands_the_health_checks() -> None:
    assert "start_interval" not in TEXT


def test_a_folder_in_memory_that_others_than_root_write_has_its_mode_told() -> None:
    """Otherwise it takes that of the folder below it: root's, from the second start on."""
    bare = {mount for service in SERVICES.values() for mount in service.get("tmpfs", []) if "mode=" not in mount}
    assert bare == {"/tmp", "/tmp:exec"}


def test_the_parser_may_load_the_library_that_it_unpacks() -> None:
    assert SERVICES["worker-ingestion"]["tmpfs"] == ["/tmp:exec"]


def secrets_of(service: dict[str, Any]) -> set[str]:
    """The passwords that a service's own lines give it."""
    return set(re.findall(r"\$\{(\w+):\?", str(service.get("environment"))))


def test_a_service_is_told_the_secrets_that_it_uses() -> None:
    assert {name for name, service in SERVICES.items() if secrets_of(service) == set()} == {"model"}
    assert secrets_of(SERVICES["beat"]) == {"REDIS_PASSWORD"}
    assert secrets_of(SERVICES["flower"]) == {"REDIS_PASSWORD", "FLOWER_PASSWORD"}
    assert secrets_of(SERVICES["migrate"]) == {"POSTGRES_PASSWORD"}


def test_every_setting_goes_only_to_those_that_read_many() -> None:
    workers = {f"worker-{queue.name}" for queue in QUEUES}
    assert {name for name, service in SERVICES.items() if "env_file" in service} == {"gateway", *workers}
    assert {SERVICES[name]["environment"]["FLOWER_PASSWORD"] for name in ("gateway", *workers)} == {""}


def test_postgres_does_not_log_what_users_wrote() -> None:
    assert {"-clog_min_error_statement=panic", "-clog_error_verbosity=terse"} < set(SERVICES["postgres"]["command"])


@every_process
def test_every_process_is_started_again_and_asked_how_it_does(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", sorted(set(OURS) - {"migrate"}))
def test_every_process_of_ours_is_asked_for_its_own_role(name: str) -> None:
    role = OURS[name]["command"][1:]
    assert OURS[name]["healthcheck"]["test"] == ["CMD", "python", "-m", "deploy.health", *role]


def test_nothing_of_ours_that_needs_the_schema_starts_before_it_is_there() -> None:
    waiting = {name for name, service in OURS.items() if "migrate" in service["depends_on"]}
    assert waiting == set(OURS) - {"migrate", "model"}
    assert {OURS[name]["depends_on"]["migrate"]["condition"] for name in waiting} == {"service_completed_successfully"}


@every_service
def test_every_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["init"], service["cap_drop"]) == (True, True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]


def test_nothing_runs_as_root() -> None:
    assert all(SERVICES[name]["user"] not in ("root", "0") for name in STORES)
    *_, final = (ROOT / "deploy" / "Dockerfile").read_text().split("FROM ")
    assert re.findall(r"^USER (.+)$", final, re.MULTILINE) == ["10001:10001"]


def test_only_the_gateway_is_published_beyond_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "gateway": ["${PERSONAE_GATEWAY_PORT:-8000}:8000"],
        "flower": ["127.0.0.1:${PERSONAE_FLOWER_PORT:-5555}:5555"],
    }


def test_the_stores_are_out_of_reach_and_have_no_way_out() -> None:
    assert [SERVICES[name]["networks"] for name in sorted(STORES)] == [["data"], ["data"]]
    assert COMPOSE["networks"]["data"] == {"internal": True}


def test_no_secret_has_a_default_and_all_of_them_are_made() -> None:
    variables = re.findall(r"\$\{(\w+)(:[?-])?([^}]*)\}", TEXT)
    required = {name for name, operator, _ in variables if operator == ":?"}
    assert required == set(SECRETS)
    assert {told for _, operator, told in variables if operator == ":?"} == {"run make secrets"}
    assert [name for name, operator, _ in variables if operator != ":?" and re.search("PASSWORD|KEY", name)] == []


def test_no_password_is_on_a_command_line() -> None:
    words = " ".join(str(service.get("command")) for service in SERVICES.values())
    assert re.findall(r"(?<!\$)\$\{?\w+", words) == []


def test_every_image_names_its_version() -> None:
    images = [service["image"].partition(":-")[2].rstrip("}") for service in SERVICES.values()]
    assert [image for image in images if not re.search(r":\d", image)] == []


@pytest.mark.parametrize("name", sorted(set(OURS)))
def test_a_stopping_process_has_the_time_that_it_takes(name: str) -> None:
    settings = Settings(_env_file=None)
    assert seconds(OURS[name]["stop_grace_period"]) > settings.drain_seconds + 2 * settings.stop_grace_seconds


def test_postgres_keeps_its_data_where_its_image_does() -> None:
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_uploads_are_shared_by_the_gateway_and_the_workers() -> None:
    sharing = {name for name, service in SERVICES.items() if "blobs:/var/lib/personae" in service.get("volumes", [])}
    assert sharing == {"gateway", *(f"worker-{queue.name}" for queue in QUEUES)}


def test_the_image_is_made_of_hashed_packages_on_a_base_that_can_be_chosen() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    installs = re.findall(r"pip install (.+)", dockerfile)
    assert all("--require-hashes" in line or "--editable ." in line for line in installs)
    assert "# syntax=" not in dockerfile
    assert "alpine" not in dockerfile + TEXT
