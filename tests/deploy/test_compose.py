"""compose.yaml: it is of the compose specification, and what it names is there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.settings import FIXED, OF_COMPOSE
from realtime.config import Config, from_environment, table

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text()
SCHEMA = json.loads((ROOT / "tests/data/compose/compose-spec.json").read_text())
SERVERS = ("tts-cpu", "tts-gpu")
#: Settings of the libraries, which compose.yaml hands on to the server beside its own.
OF_LIBRARIES = {"HF_TOKEN", "HF_HUB_OFFLINE"}
#: `$$`, `${NAME}` and `${NAME:-default}`: all that the file may use.
_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Z][A-Z0-9_]*)(?::-([^}]*))?\})")


def compose(**variables: str) -> dict[str, Any]:
    """The file as compose reads it, with these variables set."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        return variables.get(match[2]) or match[3] or ""

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(each) for key, each in node.items()}
        if isinstance(node, list):
            return [filled(each) for each in node]
        return _VARIABLE.sub(value, node) if isinstance(node, str) else node

    read: dict[str, Any] = filled(yaml.safe_load(TEXT))
    return read


SERVICES: dict[str, dict[str, Any]] = compose()["services"]


def validate(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


def test_it_is_valid_also_before_variables_are_filled_in() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validate(yaml.safe_load(TEXT))
    validate(compose())


@pytest.mark.parametrize(
    ("service", "broken"),
    [
        ("tts-cpu", {"shm_sizes": "1g"}),
        ("tts-gpu", {"healthcheck": {"start": "1m"}}),
        ("redis", {"depends_on": {"tts-cpu": {"condition": "ready"}}}),
        ("caddy", {"ports": "80"}),
    ],
)
def test_the_schema_refuses_what_is_wrong(service: str, broken: dict[str, Any]) -> None:
    document = compose()
    document["services"][service] |= broken
    with pytest.raises(jsonschema.ValidationError):
        validate(document)


def test_variables_are_those_of_the_example_with_the_same_defaults() -> None:
    used = {(name, default) for _, name, default in _VARIABLE.findall(_uncommented()) if name}
    documented = {name: default for name, default, _ in (*table(), *OF_COMPOSE)}
    documented.pop("COMPOSE_PROFILES")  # read by compose itself
    assert {name for name, _ in used} == documented.keys() - {"HOST", "PORT", "UDS", "DATA_FOLDER"}
    others = {(name, default) for name, default in used if default != documented[name]}
    # The images have defaults of their own for these.
    assert others == {("LOG_FORMAT", "json"), ("ENGINE", "qwen3"), ("SPEED_QUALITY", "high")}
    # And nothing else looks like a variable.
    assert "$" not in _VARIABLE.sub("", _uncommented())


def _uncommented() -> str:
    return re.sub(r"^\s*#.*$", "", TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize("name", SERVERS)
def test_servers_get_every_setting_and_know_each(name: str) -> None:
    environment = SERVICES[name]["environment"]
    known = {setting for setting, *_ in table()}
    assert environment.keys() - OF_LIBRARIES == known
    config = from_environment(environment)
    assert (config.host, config.port, config.data_folder) == ("0.0.0.0", 8000, "/data")
    changed = {each for each in known if getattr(config, each.lower()) != getattr(Config(), each.lower())}
    assert changed <= set(FIXED)


@pytest.mark.parametrize("name", SERVERS)
def test_servers_have_the_defaults_of_their_image(name: str) -> None:
    stage = (
        (ROOT / "Dockerfile").read_text().split(f" AS {name.removeprefix('tts-')}\n")[1].split("\nFROM ")[0]
    )
    known = {setting for setting, *_ in table()}
    of_image = {key: value for key, value in re.findall(r"([A-Z_]+)=(\S+)", stage) if key in known}
    assert {"HOST", "PORT", "DATA_FOLDER", "LOG_FORMAT"} <= of_image.keys() <= set(FIXED)
    assert of_image.items() <= SERVICES[name]["environment"].items()


def test_a_variable_reaches_the_server() -> None:
    services = compose(MAX_SESSIONS="7", ENGINE="tone", API_KEYS="a,b", HOST="elsewhere")["services"]
    for name in SERVERS:
        config = from_environment(services[name]["environment"])
        assert (config.max_sessions, config.engine, config.api_keys) == (7, "tone", "a,b")
        assert config.host == "0.0.0.0"


def test_one_server_for_either_profile_and_the_same_name_for_both() -> None:
    assert [SERVICES[name]["profiles"] for name in SERVERS] == [["cpu"], ["gpu"]]
    for name in SERVERS:
        service = SERVICES[name]
        assert service["networks"]["default"]["aliases"] == ["tts"]
        assert service["build"]["target"] == name.removeprefix("tts-") == service["image"].split(":")[1]
    assert {profile for service in SERVICES.values() for profile in service["profiles"]} == {
        "cpu",
        "gpu",
        "redis",
        "monitoring",
        "proxy",
    }


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_may_finish_what_it_says(name: str) -> None:
    service = SERVICES[name]
    assert _seconds(service["stop_grace_period"]) >= Config().drain_s + 5
    assert _seconds(service["healthcheck"]["start_period"]) >= (600 if name == "tts-gpu" else 30)
    assert "init" not in service  # tini is in the image


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


@pytest.mark.parametrize("name", SERVICES)
def test_services_have_no_rights_that_they_do_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged") and "/var/run/docker.sock" not in str(service)
    assert set(service.get("cap_add", [])) <= {"NET_BIND_SERVICE"}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]
    assert tag in ("cpu", "gpu") if name in SERVERS else re.match(r"v?\d+\.\d+\.\d+", tag)


def test_only_the_proxy_is_reached_from_outside() -> None:
    open_to_all = {
        name
        for name, service in SERVICES.items()
        if any(not port.startswith("127.0.0.1:") for port in service.get("ports", []))
    }
    assert open_to_all == {"caddy"}


def test_what_is_mounted_is_there() -> None:
    volumes = compose()["volumes"].keys()
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    files = [source for source in mounted if source.startswith("./")]
    assert len(files) == 4
    for source in files:
        path = ROOT / source
        assert path.is_file() or any(path.iterdir()), source
        assert not (ROOT / ".gitignore").read_text().count(source)
    assert set(mounted) - set(files) == set(volumes)


def test_prometheus_and_grafana_find_what_is_mounted() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert [(ROOT / "deploy/prometheus" / name).is_file() for name in config["rule_files"]] == [True]
    targets = [
        each for job in config["scrape_configs"] for part in job["static_configs"] for each in part["targets"]
    ]
    assert "tts:8000" in targets
    (providers,) = (ROOT / "deploy/grafana/provisioning/dashboards").glob("*.yaml")
    (provider,) = yaml.safe_load(providers.read_text())["providers"]
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    (sources,) = (ROOT / "deploy/grafana/provisioning/datasources").glob("*.yaml")
    assert [each["url"] for each in yaml.safe_load(sources.read_text())["datasources"]] == [
        "http://prometheus:9090"
    ]


def test_caddy_is_told_what_its_file_asks_for() -> None:
    asked = set(re.findall(r"\{\$([A-Z0-9_]+)", (ROOT / "deploy/caddy/Caddyfile").read_text()))
    service = SERVICES["caddy"]
    assert service["environment"].keys() <= asked
    assert service["environment"]["UPSTREAM"] == f"unix/{SERVICES['tts-cpu']['environment']['UDS']}"
    folders = [
        volume.split(":")[1]
        for name in ("caddy", *SERVERS)
        for volume in SERVICES[name]["volumes"]
        if volume.startswith("socket:")
    ]
    assert folders == ["/run/realtime"] * 3
    assert not any(needed["required"] for needed in service["depends_on"].values())
    assert service["group_add"] == ["10001"]


@pytest.mark.parametrize(
    ("password", "starts"), [(None, False), ("", False), ("short", False), ("a long password", True)]
)
def test_grafana_does_not_start_with_a_weak_password(password: str | None, starts: bool) -> None:
    """Its entry point, with another program in the place of Grafana."""
    shell, option, script = SERVICES["grafana"]["entrypoint"]
    assert (shell, option) == ("/bin/sh", "-c") and script.count("exec /run.sh") == 1
    done = subprocess.run(
        [shell, option, script.replace("exec /run.sh", "exec echo started")],
        env={"PATH": "/usr/bin:/bin"}
        | ({} if password is None else {"GF_SECURITY_ADMIN_PASSWORD": password}),
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0, done.stdout == "started\n") == (starts, starts)
    assert ("GRAFANA_PASSWORD must be set" in done.stderr) is not starts
    assert (
        compose(GRAFANA_PASSWORD="x")["services"]["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
        == "x"
    )


def test_redis_keeps_nothing() -> None:
    command = SERVICES["redis"]["command"]
    settings = dict(zip(command[1::2], command[2::2], strict=True))
    assert settings == {
        "--save": "",
        "--appendonly": "no",
        "--maxmemory": "256mb",
        "--maxmemory-policy": "allkeys-lru",
    }
