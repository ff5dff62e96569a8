"""Every target of `make fuzz` takes what it begins from and what chance makes of it, so that fuzzing cannot rot."""

import random
import zlib

import pytest

from tests.fuzz.targets import Target, targets

TARGETS = targets()
_ROUNDS = 60


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """Cut, overwritten, repeated or grown."""
    data = bytearray(seed or b"{}")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                del data[at : at + chance.randint(1, 9)]
            case 1:
                data[at:at] = chance.randbytes(chance.randint(1, 4))
            case 2:
                data[at:at] = data[max(0, at - 20) : at]
            case 3:
                data[at:at] = chance.choice(
                    [b'"', b"\x00", b"[", b"{", b"<", b"&#0;", b"%00", b"\xff", b"9" * 30, b"\n"]
                )
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_target_takes_its_seeds_and_what_chance_makes_of_them(target: Target) -> None:
    chance = random.Random(zlib.crc32(target.name.encode()))
    rounds = 8 if target.name.startswith("folder-") else _ROUNDS
    for seed in target.seeds:
        target.work(seed)
    for _ in range(rounds):
        target.work(mutated(chance.choice(target.seeds), chance))
