"""The compose file fits the project: variables are settings, secrets are files, images are exact versions."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from curavani.pages.environment import DEPLOYMENT
from shared.core.settings import ALL_GROUPS, is_secret
from standins.mock_broker import TOPICS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
SETTINGS = {str(info.alias) for group in ALL_GROUPS for info in group.model_fields.values()}
SECRETS = {
    str(info.alias) for group in ALL_GROUPS for field, info in group.model_fields.items() if is_secret(group, field)
}


@pytest.mark.parametrize(("name", "service"), OURS.items())
def test_every_variable_is_a_setting_and_no_secret_stands_in_the_file(name, service):
    known = (SETTINGS - SECRETS) | {f"{secret}_FILE" for secret in SECRETS}
    assert set(service["environment"]) <= known, name


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_every_secret_is_given_to_whoever_reads_it(name, service):
    read = set(re.findall(r"/run/secrets/(\w+)", " ".join(service.get("environment", {}).values())))
    assert read == set(service.get("secrets", [])), name
    assert read <= set(COMPOSE["secrets"])


def test_every_substituted_variable_is_in_the_example_and_the_deployments_own_have_its_defaults():
    found = dict(re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", TEXT))
    assert len(re.findall(r"(?<!\$)\$\{?\w", TEXT)) == len(re.findall(r"(?<!\$)\$\{\w+:-[^}]*\}", TEXT))
    own = {name: default for name, default in found.items() if name not in SETTINGS}
    assert own == {name: DEPLOYMENT[name][0] for name in own}


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_every_image_is_an_exact_version(name, service):
    assert re.search(r":v?(\d+\.\d+(\.\d+)?|\$\{CURAVANI_VERSION:-local\})$", service["image"]), name


@pytest.mark.parametrize(("name", "service"), OURS.items())
def test_our_containers_can_neither_write_nor_gain_rights(name, service):
    assert service["read_only"], name
    assert service["cap_drop"] == ["ALL"], name
    assert service["security_opt"] == ["no-new-privileges:true"], name
    dockerfile = (ROOT / service["build"]["dockerfile"]).read_text(encoding="utf-8")
    assert f"USER {service['user']}" in dockerfile, name


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_ports_are_open_to_this_machine_only_but_those_of_the_proxy(name, service):
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])) == (name != "proxy"), name


def test_the_proxy_is_the_one_hop_that_the_services_believe():
    assert {service["environment"]["TRUSTED_PROXY_HOPS"] for service in OURS.values() if "ports" in service} == {"1"}
    assert SERVICES["proxy"]["networks"] == ["outside"]


CADDYFILE = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text(encoding="utf-8")


def test_the_proxy_hands_on_what_is_named_and_nothing_of_the_metrics():
    (named,) = re.findall(r"@open path (.*)", CADDYFILE)
    assert not {"/*", "*", "/metrics", "/health/import", "/readyz"} & set(named.split())
    assert "handle {\n\t\trespond 404" in CADDYFILE


def test_the_proxy_understands_its_configuration(caddy):
    for arguments in (["fmt", "--diff"], ["validate", "--adapter", "caddyfile", "--config"]):
        path = str(ROOT / "deploy" / "caddy" / "Caddyfile")
        ran = subprocess.run([caddy, *arguments, path], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_schemas_owner_and_the_services_have_logins_of_their_own():
    given = {name: service["environment"].get("DATABASE_URL_FILE") for name, service in OURS.items()}
    assert given == {
        "migrate": "/run/secrets/owner_database_url",
        "patient-service": "/run/secrets/database_url",
        "therapist-service": "/run/secrets/database_url",
    }


@pytest.mark.parametrize("name", ["patient", "therapist"])
def test_a_service_waits_for_the_schema_and_is_asked_whether_it_is_ready(name):
    service = SERVICES[f"{name}-service"]
    assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    port = service["ports"][0].rpartition(":")[2]
    assert f"EXPOSE {port}" in (ROOT / f"{name}_service" / "Dockerfile").read_text(encoding="utf-8")
    assert f"{port}, timeout=4); c.request('GET', '/readyz')" in service["healthcheck"]["test"][-1]


def test_networks_and_volumes_are_declared():
    mounted = {
        source
        for service in SERVICES.values()
        for source in (
            str(volume).partition(":")[0] for volume in service.get("volumes", []) if isinstance(volume, str)
        )
    }
    assert {source for source in mounted if not source.startswith(".")} == set(COMPOSE["volumes"])
    assert all((ROOT / "deploy" / source).exists() for source in mounted if source.startswith("."))
    assert {network for service in SERVICES.values() for network in service["networks"]} == set(COMPOSE["networks"])


def test_the_topics_are_those_that_events_go_to():
    assert all(topic in SERVICES["kafka-topics"]["command"][0] for topic in TOPICS)
