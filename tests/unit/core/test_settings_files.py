"""Settings: what an author writes, and what he is told when it is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nomos_contracts.clause import Profile, Tier
from pytest_nomos.settings import SettingsError, find_settings, load_settings, resolve_text
from pytest_nomos.targets.plan import TargetError, plan_targets
from pytest_nomos.targets.surroundings import Surroundings

WAIVER = """
[[waivers]]
clause = "CFG-FETCH-002"
target = "x"
reason = "known"
link = "https://example.com/1"
owner = "somebody"
expires = 2027-01-01
"""


@pytest.fixture
def surroundings() -> Iterator[Surroundings]:
    with Surroundings() as made:
        yield made


def write(folder: Path, text: str, name: str = "nomos.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_nearest_file_upwards_is_taken(tmp_path: Path) -> None:
    outer = write(tmp_path, "")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_settings(inner) == outer
    assert find_settings(tmp_path) == outer


def test_a_pyproject_counts_only_with_our_table(tmp_path: Path) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    outer = write(tmp_path, '[tool.nomos]\nprofile = "cli"\n', "pyproject.toml")
    write(inner, "[project]\nname = 'x'\n", "pyproject.toml")
    assert find_settings(inner) == outer
    assert load_settings(outer).profile is Profile.CLI


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("profil = 'cli'", "profil: there is no such key"),
        ("profile = 'both'", "profile"),
        (f"tier = 1{'0' * 5000}", "nomos.toml: "),
        (f"tier = {'[' * 5000}", "nomos.toml: its tables or lists are nested too deeply"),
        (f"[[samples.values]]\npath = ['a']\njson = '{'[' * 5000}'", "json: it is nested too deeply"),
        ("[samples]\n[samples]", "[samples] stands there twice (at line 2, column 9): put all keys"),
        ("[samples.degraded]\n[samples.degraded]", "[samples.degraded] stands there twice"),
        ("[[samples.values]]\npath = ['a']\nvalue = 9007199254740993", "carry 9007199254740993: its numbers are"),
        ("[[samples.values]]\npath = ['a']\nvalue = [1, { b = nan }]", "the protocol cannot carry nan"),
        ("[[samples.values]]\npath = ['a']\njson = '1e999'", "the protocol cannot carry inf"),
        (f"[[samples.values]]\npath = ['a']\nvalue = 1{'0' * 400}", "its numbers are doubles"),
        ("[[samples.values]]\npath = ['a']\nvalue = 2026-11-22", "the protocol has no date; write it"),
        ("[samples.relative]\nconfig = {}\nsource_file_path = ''\npath = ['a']\nvalue = inf", "cannot carry inf"),
        ("interface = 'nothing'", "no contract for interface 'nothing'"),
        ("tier = 'gold'", "tier"),
        ("edition = '1999-01'", "there is no edition '1999-01'"),
        ("[limits]\nannounce = 0", "limits.announce"),
        ("[limits]\nannouce = 1", "limits.annouce: there is no such key"),
        ("[samples]\nvalue = []", "value: there is no such key"),
        ("[[samples.values]]\npath = 'x'\nvalue = 1", "values.0.path"),
        ("[[samples.values]]\npath = ['x']\njson = '{'", "json"),
        ("[[samples.values]]\npath = ['x']\njson = '1'\nvalue = 1", "either value or json"),
        ("[declined]\nslow = ''", "declined.slow: say in a sentence why"),
        ("[declined]\nvalues = 'none'", "every provider has this"),
        ("[declined]\nnothing = 'x'", "there is no such kind of sample"),
        ("[targets.'a b']\ncommand = ['x']", "targets"),
        ("path = 'x'", "path: there is no such key"),
        ("x = [", "nomos.toml"),
        (WAIVER.replace("CFG-FETCH-002", "nonsense"), "waivers.0.clause"),
        (WAIVER.replace('owner = "somebody"', ""), "waivers.0.owner"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, text))
    assert says in str(caught.value)
    assert "nomos.toml" in str(caught.value)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "nomos.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"nomos\.toml"):
        load_settings(path)


def test_a_target_overrides_the_common_tables_key_by_key(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'alias = "common"\ntier = "reference"\n[config]\na = 1\n[targets.x]\ncommand = ["./p"]\nalias = "mine"\n',
    )
    chosen = load_settings(path).of("x")
    assert (chosen.alias, chosen.tier, chosen.config) == ("mine", Tier.REFERENCE, {"a": 1})


def test_a_value_from_the_environment_is_resolved_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(write(tmp_path, '[metadata]\nauthorization = { from = "NOMOS_TEST_TOKEN" }\n'))
    value = settings.metadata["authorization"]
    with pytest.raises(SettingsError, match="NOMOS_TEST_TOKEN is not set"):
        resolve_text(value, "metadata.authorization")
    monkeypatch.setenv("NOMOS_TEST_TOKEN", "s3cret")
    assert resolve_text(value, "metadata.authorization") == "s3cret"


def test_a_null_is_written_as_json(tmp_path: Path) -> None:
    text = '[[samples.values]]\npath = ["x"]\njson = "null"\n'
    samples = load_settings(write(tmp_path, text)).typed_samples()
    assert samples.model_dump()["values"][0]["value"] is None


def test_the_cli_profile_sends_every_scalar_as_a_string(tmp_path: Path, surroundings: Surroundings) -> None:
    (tmp_path / "p").write_text("")
    path = write(tmp_path, '[config]\na = 5\nb = true\nc = { d = 1.5 }\ne = [1, "x"]\nf = "{here}/y"\n')
    (plan,) = plan_targets(["./p"], load_settings(path), tmp_path, surroundings)
    assert plan.good_config(Profile.CLI) == {
        "a": "5",
        "b": "true",
        "c": {"d": "1.5"},
        "e": ["1", "x"],
        "f": f"{tmp_path}/y",
    }
    assert plan.good_config(Profile.STANDARD)["a"] == 5
    assert plan.source_file_path == str(path)


def test_two_targets_of_one_name_get_names_of_their_own(tmp_path: Path, surroundings: Surroundings) -> None:
    (tmp_path / "p").write_text("")
    first, second = plan_targets(["./p", "./p"], load_settings(None), tmp_path, surroundings)
    assert (first.name, second.name) == ("p", "p-2")


def test_all_stands_for_every_registered_provider(tmp_path: Path, surroundings: Surroundings) -> None:
    plans = plan_targets(
        ["registered:config/files", "registered:config/yaml"], load_settings(None), tmp_path, surroundings
    )
    assert [plan.name for plan in plans] == ["registered-config-files", "registered-config-yaml"]
    assert all(plan.command and plan.settings.config for plan in plans)


AUTHORS = 'tier = "testing"\n[config]\ndsn = "mine"\n[samples]\nmissing = [["mine"]]\n'


@pytest.mark.parametrize(
    ("spec", "theirs"),
    [
        ("mutant:CFG-FETCH-001", True),
        ("all", True),
        ("registered:config/files", False),
        ("registered:config/http", False),
    ],
)
def test_what_an_author_tells_of_his_provider_is_not_held_against_a_mutant_nor_against_all(
    tmp_path: Path, spec: str, theirs: bool, surroundings: Surroundings
) -> None:
    (tmp_path / "nomos.toml").write_text(AUTHORS)
    plans = plan_targets([spec], load_settings(tmp_path / "nomos.toml"), tmp_path, surroundings)
    configs = [plan for plan in plans if plan.interface == "config"]
    assert configs
    for plan in configs:
        assert ("dsn" not in plan.settings.config, ["mine"] not in plan.settings.samples["missing"]) == (theirs, theirs)
        assert plan.tier == Tier.TESTING


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("./nobody", "build the provider first"),
        ("nobody", "this is no target"),
        ("file", "write ./file"),
        ("exec:", "this is no target"),
        ("exec:nobody-has-this", "on PATH"),
        ("python:os.path", "python:package.module:factory"),
        ("grpc:127.0.0.1:99999", "grpc:HOST:PORT"),
        ("mutant:CFG-FETCH-999", "there is no mutant"),
        ("./folder", "is a folder"),
        ("get:a@1", "downloads"),
    ],
)
def test_what_is_no_target_is_explained(tmp_path: Path, spec: str, says: str, surroundings: Surroundings) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(TargetError) as caught:
        plan_targets([spec], load_settings(None), tmp_path, surroundings)
    assert says in str(caught.value)


def test_a_named_target_gives_a_command_or_a_target(tmp_path: Path, surroundings: Surroundings) -> None:
    path = write(tmp_path, "[targets.x]\nalias = 'a'\n[targets.y]\ntarget = 'grpc:127.0.0.1:1234'\n")
    settings = load_settings(path)
    with pytest.raises(TargetError, match="either `command` or `target`"):
        plan_targets(["x"], settings, tmp_path, surroundings)
    assert plan_targets(["y"], settings, tmp_path, surroundings)[0].address == "127.0.0.1:1234"


def test_values_that_doubles_hold_exactly_are_samples(tmp_path: Path) -> None:
    exact = "[9007199254740992, -9223372036854775808, 1e300, 0.1, true, 'x', {}, []]"
    settings = load_settings(write(tmp_path, f"[[samples.values]]\npath = ['a']\nvalue = {exact}\n"))
    assert len(settings.samples["values"][0]["value"]) == 8


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("", True),
        ("[samples]", True),
        ("[config]", False),
        ("[targets.one]\ntarget = 'grpc:127.0.0.1:1'\n[targets.one.config]", False),
        ("[targets.one]\ntarget = 'grpc:127.0.0.1:1'", True),
        ("interface = 'compute'", False),
    ],
)
def test_a_configuration_is_lacking_where_no_table_says_what_init_gets(
    tmp_path: Path, surroundings: Surroundings, text: str, lacks: bool
) -> None:
    settings = load_settings(write(tmp_path, text))
    spec = "one" if "one" in settings.targets else "grpc:127.0.0.1:1"
    (plan,) = plan_targets((spec,), settings, tmp_path, surroundings)
    assert plan.lacks_config is lacks
