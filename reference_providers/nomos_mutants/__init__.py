"""Mutants: small variations of a correct provider, each with one defect, each a binary.

``python -m nomos_mutants CFG-FETCH-002/encoded-dots`` starts one; ``mutant:CFG-FETCH-002`` names it as a target.
"""

from __future__ import annotations

from nomos_mutants.mutant import Mutant, MutantError, all_mutants, find

__all__ = ["Mutant", "MutantError", "all_mutants", "find"]
