"""The provider registry: packages of providers, made by name."""
