"""Ids that nothing has, in the form of those that a vendor gives."""

from __future__ import annotations

from random import Random

LAST_SIGNS, LEAST_SIGNS = 12, 4
"""So many signs of an id are changed to make another one."""

HEX_SIGNS = 8
"""With fewer of them, letters among them, an id may be one that the vendor has given to something else."""


def alike(instance_id: str, random: Random) -> str:
    """Return an id of the same shape that nothing has: its last digits and hexadecimal letters are others.

    Where there are too few of them, as in the ids of a vendor that counts, it ends in many more.
    """
    replaced: list[str] = []
    changed, letters, going = 0, 0, True
    for sign in reversed(instance_id):
        # What stands before the last separator often says what kind of id it is.
        going = going and changed < LAST_SIGNS and (sign.isalnum() or changed < LEAST_SIGNS)
        if going and sign in "0123456789":
            sign = str((int(sign) + 1 + random.randrange(9)) % 10)
            changed += 1
        elif going and sign in "abcdefABCDEF":
            sign = random.choice([one for one in ("abcdef" if sign in "abcdef" else "ABCDEF") if one != sign])
            changed, letters = changed + 1, letters + 1
        replaced.append(sign)
    if changed >= (HEX_SIGNS if letters else LAST_SIGNS):
        return "".join(reversed(replaced))
    if instance_id.endswith(tuple("0123456789")):
        return instance_id.rstrip("0123456789") + str(random.randrange(10**14, 10**15))
    return f"{instance_id}{random.getrandbits(48):012x}"
