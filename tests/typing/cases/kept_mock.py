"""An application's test with mocks."""

from nomos_contracts.compute.interface import BootstrapConfig, ProviderInstance, SpawnOptions
from nomos_contracts.registry.interface import Registry
from nomos_mocks import MockCompute, MockConfig, MockRegistry
from nomos_proto.provider import CallContext, ConfigService

config = MockConfig({"app": {"name": "bookshop"}})
service: ConfigService = config
registry: Registry = MockRegistry("config")
config.fail("fetch", "NETWORK_ERROR", times=2, retry_after=1.0)
config.cut("fetch", 2)
print(config.fetch(["app", "name"], context=CallContext(5.0)), config.calls[0].arguments)


async def spawn(compute: MockCompute) -> ProviderInstance:
    bootstrap = BootstrapConfig(agent_url="a", control_plane_url="c", registration_token="t")
    return await compute.spawn(SpawnOptions(spec="small", control_id="c", instance_id=1, bootstrap=bootstrap))
