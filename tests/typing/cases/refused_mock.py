"""An application's test that asks a mock for what its interface does not have."""

from nomos_mocks import MockConfig, MockRegistry

config = MockConfig({"app": {"name": "bookshop"}})
config.fetsch(["app"])  # error: "MockConfig" has no attribute "fetsch"
config.fetch(["app"])  # error: Missing named argument "context"
config.fail("fetch")  # error: Missing positional argument "code"
MockRegistry("config").list_providers(5)  # error: incompatible type "int"
