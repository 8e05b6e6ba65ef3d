"""Snapshots: images that are made of containers, on a real engine."""

from __future__ import annotations

from typing import Any

import pytest

from nomos_contracts.compute.interface import CreateSnapshotOptions, SnapshotState
from nomos_reference.compute.orbstack import OrbstackProvider
from unit.orbstack.support import Scripted, code_of, config, do, options, outcome_of


def test_a_snapshot_holds_what_the_instance_wrote(run: str, engine: Any, tidy: None) -> None:
    provider = Scripted(config(run=run), "test -e /kept && echo again || echo first; echo x >/kept\n")
    source = do(provider.spawn(options(tags={"role": "source"})))
    assert outcome_of(provider, source.id).log == "first\n"
    request = do(provider.create_snapshot(source.id, CreateSnapshotOptions("kept", description="what is kept")))
    status = do(provider.get_snapshot_status(request.request_id))
    assert status.status is SnapshotState.AVAILABLE
    assert status.provider_snapshot_id is not None
    assert status.size_bytes
    named = do(provider.get_snapshot_by_name("kept"))
    assert named is not None
    assert (named.id, named.description) == (status.provider_snapshot_id, "what is kept")
    copy = do(provider.spawn(options(snapshot_id=named.id)))
    assert outcome_of(provider, copy.id).log == "again\n"
    # An image hands its labels down: the tags of the source must not come along.
    assert copy.metadata is not None
    assert copy.metadata["tags"] == {}
    assert engine.inspect_image(named.id)["Config"]["Labels"]["nomos.run"] == run
    provider.backend.close()


def test_a_deleted_snapshot_is_gone(provider: OrbstackProvider, engine: Any) -> None:
    source = do(provider.spawn(options()))
    request = do(provider.create_snapshot(source.id, CreateSnapshotOptions("gone")))
    assert request.request_id in {one["Id"] for one in engine.images(all=True)}
    do(provider.delete_snapshot(request.request_id))
    assert do(provider.get_snapshot_by_name("gone")) is None
    assert code_of(provider.get_snapshot_status(request.request_id)) == "NOT_FOUND"
    assert code_of(provider.delete_snapshot(request.request_id)) == "NOT_FOUND"
    assert request.request_id not in {one["Id"] for one in engine.images(all=True)}


def test_a_snapshot_that_an_instance_runs_on_stays(provider: OrbstackProvider) -> None:
    source = do(provider.spawn(options()))
    request = do(provider.create_snapshot(source.id, CreateSnapshotOptions("used")))
    user = do(provider.spawn(options(snapshot_id=request.request_id)))
    assert code_of(provider.delete_snapshot(request.request_id)) == "INVALID_STATE"
    assert do(provider.get_snapshot_by_name("used")) is not None
    do(provider.terminate(user.id))
    do(provider.delete_snapshot(request.request_id))


@pytest.mark.parametrize("foreign", ["nomos-busybox:test", "sha256:" + "0" * 64, "../containers/x", ""])
def test_an_image_that_is_no_snapshot_of_ours_is_neither_found_nor_deleted(
    provider: OrbstackProvider, engine: Any, foreign: str
) -> None:
    assert code_of(provider.delete_snapshot(foreign)) == "NOT_FOUND"
    assert code_of(provider.get_snapshot_status(foreign)) == "NOT_FOUND"
    image = engine.inspect_image("nomos-busybox:test")["Id"]
    assert code_of(provider.delete_snapshot(image)) == "NOT_FOUND"


def test_what_cannot_be_a_snapshot_is_refused(provider: OrbstackProvider) -> None:
    source = do(provider.spawn(options()))
    do(provider.create_snapshot(source.id, CreateSnapshotOptions("one")))
    for wanted, code in (
        (CreateSnapshotOptions("one"), "ALREADY_EXISTS"),
        (CreateSnapshotOptions(""), "INVALID_SPEC"),
        (CreateSnapshotOptions("two", include_memory=True), "UNSUPPORTED_OPERATION"),
    ):
        assert code_of(provider.create_snapshot(source.id, wanted)) == code
    assert code_of(provider.create_snapshot("f" * 64, CreateSnapshotOptions("three"))) == "NOT_FOUND"
