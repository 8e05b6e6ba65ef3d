"""Contracts of providers: clauses, the checks that try them, and the verdict over their outcomes.

A contract never imports a provider, the plugin or pytest; what it needs reaches it through fixtures.
"""
