#!/usr/bin/env python3
"""Verify an evidence pack offline: Python 3.9 or newer, nothing to install, no network. 离线核验证据包，只需 Python 3。

    python3 verify.py FOLDER [--head HEX] [--key HEX] [--strict]

FOLDER: the pack; default: where this file lies. --head: a head of the hub's chain that you know from elsewhere. --key:
the city's public key (Ed25519, 64 hex digits) that you know from elsewhere. --strict: fail also when lines are not
sealed yet. Exit code: 0 it holds, 1 it does not, 2 this is no pack.

Do not trust the copy inside a pack that somebody gave you: take this file from the project. It is the same one that
gridhub runs. What it proves, and what it does not, stands in the pack's README.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence  # noqa: UP035 also for an older Python

Hash = Callable[[bytes], bytes]
LEAF, NODE, DISCLOSED = b"\0", b"\1", b"\3"
MANIFEST, SIGNATURE, PROOF = "manifest.json", "signature.json", "proof.json"
SEALED = ("events.jsonl", "messages.jsonl")
"""The files whose every line is a leaf of the chain."""
MOST = 50
"""Findings that are shown."""


# --- digests ---


def sm3(data: bytes) -> bytes:
    """SM3 (GB/T 32905-2016)."""
    state = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + (len(data) * 8).to_bytes(8, "big")
    for at in range(0, len(padded), 64):
        block = _sm3_block(state, padded[at : at + 64])
        state = [state[word] ^ block[word] for word in range(8)]
    return b"".join(word.to_bytes(4, "big") for word in state)


def _rotl(word: int, by: int) -> int:
    by %= 32
    return ((word << by) | (word >> (32 - by))) & 0xFFFFFFFF


def _sm3_block(state: list[int], block: bytes) -> list[int]:
    w = [int.from_bytes(block[at : at + 4], "big") for at in range(0, 64, 4)]
    for j in range(16, 68):
        x = w[j - 16] ^ w[j - 9] ^ _rotl(w[j - 3], 15)
        w.append(x ^ _rotl(x, 15) ^ _rotl(x, 23) ^ _rotl(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        early = j < 16
        ss1 = _rotl((_rotl(a, 12) + e + _rotl(0x79CC4519 if early else 0x7A879D8A, j)) & 0xFFFFFFFF, 7)
        ff = a ^ b ^ c if early else (a & b) | (a & c) | (b & c)
        gg = e ^ f ^ g if early else (e & f) | (~e & g & 0xFFFFFFFF)
        tt1 = (ff + d + (ss1 ^ _rotl(a, 12)) + (w[j] ^ w[j + 4])) & 0xFFFFFFFF
        tt2 = (gg + h + ss1 + w[j]) & 0xFFFFFFFF
        a, b, c, d = tt1, a, _rotl(b, 9), c
        e, f, g, h = tt2 ^ _rotl(tt2, 9) ^ _rotl(tt2, 17), e, _rotl(f, 19), g
    return [a, b, c, d, e, f, g, h]


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def hash_of(name: str) -> Hash:
    """The digest of this name. Raises KeyError for one that no seal is made with."""
    if name == "sm3" and "sm3" in hashlib.algorithms_available:
        return lambda data: hashlib.new("sm3", data).digest()
    return {"sha256": _sha256, "sm3": sm3}[name]


# --- trees (RFC 9162, section 2.1) ---


def included(hash_: Hash, leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that this path leads to from the leaf's hash; None when the path does not fit index and size."""
    if not 0 <= index < size:
        return None
    first, last, root = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if first & 1 or first == last:
            root = hash_(NODE + beside + root)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            root = hash_(NODE + root + beside)
        first, last = first >> 1, last >> 1
    return root if last == 0 else None


def extends(hash_: Hash, old: bytes, old_size: int, new: bytes, new_size: int, path: Sequence[bytes]) -> bool:
    """Whether the tree `new` begins with the very leaves of the tree `old`."""
    if old_size == new_size:
        return old == new and not path
    if not 0 < old_size < new_size:
        return False
    steps = [*path]
    if old_size & (old_size - 1) == 0:
        steps.insert(0, old)
    if not steps:
        return False
    first, last = old_size - 1, new_size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old_root = new_root = steps[0]
    for beside in steps[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old_root, new_root = hash_(NODE + beside + old_root), hash_(NODE + beside + new_root)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            new_root = hash_(NODE + new_root + beside)
        first, last = first >> 1, last >> 1
    return (old_root, new_root, last) == (old, new, 0)


# --- Ed25519 (RFC 8032, 5.1.7), plain and slow: one or two signatures a pack ---

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P


def _plus(p: Sequence[int], q: Sequence[int]) -> tuple[int, int, int, int]:
    less, more = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    t, z = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = more - less, z - t, z + t, more + less
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(point: Sequence[int], factor: int) -> Sequence[int]:
    total: Sequence[int] = (0, 1, 1, 0)
    while factor:
        total = _plus(total, point) if factor & 1 else total
        point, factor = _plus(point, point), factor >> 1
    return total


def _point(data: bytes) -> tuple[int, int, int, int] | None:
    number = int.from_bytes(data, "little")
    y, odd = number & (2**255 - 1), number >> 255
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if y >= _P or (x * x - square) % _P or (x == 0 and odd):
        return None
    x = _P - x if x & 1 != odd else x
    return x, y, 1, x * y % _P


def signed(key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether the owner of this public key signed the data."""
    if len(key) != 32 or len(signature) != 64:
        return False
    owner, point, scalar = _point(key), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    base = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
    if owner is None or point is None or base is None or scalar >= _L:
        return False
    asked = int.from_bytes(hashlib.sha512(signature[:32] + key + data).digest(), "little") % _L
    ours, theirs = _times(base, scalar), _plus(point, _times(owner, asked))
    return all((ours[at] * theirs[2] - theirs[at] * ours[2]) % _P == 0 for at in (0, 1))


# --- the pack ---


def plain(value: object) -> bytes:
    """JSON in the one form that is hashed: keys in order, no blanks, UTF-8."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def head_statement(head: dict[str, Any]) -> bytes:
    """What is signed of a head."""
    return b"gridhub evidence head\n" + plain({name: head[name] for name in ("algorithm", "head", "size")})


def pack_statement(digest: str) -> bytes:
    """What is signed of a pack."""
    return b"gridhub evidence pack\n" + digest.encode()


class Broken(Exception):
    """This is no pack at all."""


class Pack:
    """One folder, and what is wrong with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.findings: list[str] = []
        self.not_sealed: list[str] = []
        self.proven = 0
        self.manifest = self._object(MANIFEST)
        self.proof = self._object(PROOF)
        self.lines: dict[str, list[tuple[bytes, Any]]] = {}
        try:
            self.hash = hash_of(self.proof["head"]["algorithm"])
        except (KeyError, TypeError):
            raise Broken(f"{PROOF}: names no head of a known algorithm") from None

    def finds(self, where: str, what: str) -> None:
        """Something is wrong there."""
        self.findings.append(f"{where}: {what}")

    def _object(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / name).read_bytes())
        except OSError:
            raise Broken(f"{self.folder}: there is no {name}") from None
        except ValueError:
            raise Broken(f"{name}: is not JSON") from None
        if not isinstance(found, dict):
            raise Broken(f"{name}: is not a JSON object")
        return found

    def read(self, name: str) -> list[tuple[bytes, Any]]:
        """The lines of a file, as bytes and as JSON; a line that is none is a finding."""
        if name not in self.lines:
            found = self.lines[name] = []
            path = self.folder / name
            data = path.read_bytes() if path.is_file() else b""
            for number, line in enumerate(data.split(b"\n")[:-1] if data else [], 1):
                try:
                    value = json.loads(line)
                    if not isinstance(value, dict):
                        raise ValueError
                except ValueError:
                    self.finds(f"{name}:{number}", "is not a JSON object")
                    value = {}
                found.append((line, value))
            if data and not data.endswith(b"\n"):
                self.finds(name, "its last line does not end")
        return self.lines[name]

    def verify(self, head: str, key: str) -> None:
        """Everything. A head or key that is empty is not compared with anything."""
        for step in (self._files, self._leaves, self._seals, self._events, self._bodies, self._disclosed, self._figure):
            try:
                step()
            except (Broken, KeyError, TypeError, ValueError, AttributeError, IndexError, OSError) as error:
                self.finds(step.__name__.strip("_"), f"cannot be read: {type(error).__name__} {error}")
        self._head(head.lower())
        self._signature(key.lower())

    # the files are those of the manifest

    def _files(self) -> None:
        said = {name: value for name, value in self.manifest.items() if name != "digest"}
        if self.manifest.get("digest") != _sha256(plain(said)).hex():
            self.finds(MANIFEST, "was changed: its digest is another one")
        if (self.folder / MANIFEST).read_bytes() != plain(self.manifest) + b"\n":
            self.finds(MANIFEST, "was changed: it is not written as a pack's manifest is")
        listed = self.manifest["files"]
        for name in sorted({*listed, *self._there()}):
            path = self.folder / name
            if name not in listed:
                self.finds(name, "is not of this pack: the manifest does not list it")
            elif not path.is_file():
                self.finds(name, "is missing")
            elif (found := _sha256(path.read_bytes()).hex()) != listed[name]:
                self.finds(name, f"was changed: its SHA-256 is {found}, the manifest says {listed[name]}")

    def _there(self) -> Iterator[str]:
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and name not in (MANIFEST, SIGNATURE) and "__pycache__" not in name:
                yield name

    # every line is a leaf of a seal, every seal one of the chain

    def _leaves(self) -> None:
        seals = {value["no"]: value for _, value in self.read("seals.jsonl")}
        told: dict[str, dict[str, Any]] = {}
        for number, (_, value) in enumerate(self.read("proofs.jsonl"), 1):
            if value.get("of") in told:
                self.finds(f"proofs.jsonl:{number}", f"proves {value['of']} a second time")
            told[value.get("of", "")] = value
        for name in SEALED:
            for number, (line, _) in enumerate(self.read(name), 1):
                self._leaf(f"{name}:{number}", line, told.pop(f"{name}:{number}", None), seals)
        for left in told:
            self.finds("proofs.jsonl", f"proves {left or 'something'}, which is not here")

    def _leaf(self, where: str, line: bytes, proof: dict[str, Any] | None, seals: dict[int, Any]) -> None:
        if proof is None:
            self.finds(where, "has no proof")
        elif proof["seal"] is None:
            self.not_sealed.append(where)
        elif proof["seal"] not in seals:
            self.finds(where, f"is proven by seal {proof['seal']}, which is not here")
        else:
            seal = seals[proof["seal"]]
            path = [bytes.fromhex(one) for one in proof["path"]]
            root = included(self.hash, self.hash(LEAF + line), proof["index"], seal["count"], path)
            if root is None or root.hex() != seal["root"]:
                self.finds(where, f"is not what was sealed by seal {seal['no']}: it was changed, or its proof was")
            else:
                self.proven += 1

    def _seals(self) -> None:
        head, paths = self.proof["head"], self.proof["seals"]
        before = 0
        for number, (line, seal) in enumerate(self.read("seals.jsonl"), 1):
            where = f"seals.jsonl:{number}"
            path = [bytes.fromhex(one) for one in paths.get(str(seal["no"]), [])]
            root = included(self.hash, self.hash(LEAF + line), seal["no"] - 1, head["size"], path)
            if root is None or root.hex() != head["head"]:
                self.finds(where, f"seal {seal['no']} is not one of the chain with the head {head['head'][:16]}...")
            if seal["algorithm"] != head["algorithm"] or seal["no"] <= before:
                self.finds(where, "is out of order, or of another chain")
            before = seal["no"]

    def _head(self, known: str) -> None:
        try:
            head = self.proof["head"]
            new, size = bytes.fromhex(head["head"]), head["size"]
            for at, one in enumerate(self.proof["known"]):
                path = [bytes.fromhex(step) for step in one["path"]]
                if not extends(self.hash, bytes.fromhex(one["head"]), one["size"], new, size, path):
                    self.finds(PROOF, f"known[{at}]: the chain does not go on from the head of seal {one['size']}")
            if known and known not in {head["head"], *(one["head"] for one in self.proof["known"])}:
                self.finds(
                    "--head", "the chain of this pack does not have that head: it is another chain, a forged one, or "
                    "the pack was not made to be compared with it (gridhub evidence ... --known-head)",
                )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            self.finds(PROOF, f"cannot be read: {type(error).__name__} {error}")

    # the story is whole

    def _cases(self) -> dict[str, Any]:
        single = self.folder / "case.json"
        cases = [self._object("case.json")] if single.is_file() else [value for _, value in self.read("cases.jsonl")]
        return {case["id"]: case for case in cases}

    def _events(self) -> None:
        cases, last = self._cases(), dict[str, int]()
        messages = {value["message"]["id"] for _, value in self.read("messages.jsonl")}
        gone, before = set(self.manifest["gone"]), ""
        for number, (_, value) in enumerate(self.read("events.jsonl"), 1):
            where, event = f"events.jsonl:{number}", value["event"]
            case, seq, message = event["case_id"], event["seq"], event.get("message_id")
            if case not in cases:
                self.finds(where, f"is of case {case}, which this pack is not about")
            if seq != last.get(case, 0) + 1:
                self.finds(where, f"is event {seq}, expected event {last.get(case, 0) + 1}: one is missing or moved")
            elif seq > 1 and before != case:
                self.finds(where, "stands apart from the other events of its case")
            if message and message not in messages and message not in gone:
                self.finds(where, f"was caused by message {message}, which is not here")
            last[case], before = seq, case
        for id_, case in cases.items():
            if case["version"] != last.get(id_, 0):
                self.finds("events.jsonl", f"case {case['no']} has {case['version']} events, {last.get(id_, 0)} here")

    def _bodies(self) -> None:
        facts = {value["id"]: value for _, value in self.read("journal.jsonl")}
        for number, (_, value) in enumerate(self.read("messages.jsonl"), 1):
            where, message = f"messages.jsonl:{number}", value["message"]
            path, fact = self.folder / "messages" / message["id"], facts.pop(message["id"], None)
            if fact is None:
                self.finds(where, "journal.jsonl does not say what became of it")
            elif not path.is_file():
                if fact["body"] == "here":
                    self.finds(where, f"messages/{message['id']} is missing")
            elif _sha256(path.read_bytes()).hex() != message["sha256"]:
                self.finds(f"messages/{message['id']}", f"is not the bytes that were sealed ({where})")
        for left in facts:
            self.finds("journal.jsonl", f"speaks of message {left}, which is not here")
        for number, (_, value) in enumerate(self.read("attachments.jsonl"), 1):
            path = self.folder / "attachments" / value["sha256"] if value["sha256"] else self.folder / "none"
            if path.is_file() and _sha256(path.read_bytes()).hex() != value["sha256"]:
                self.finds(f"attachments/{value['sha256']}", f"is not that file (attachments.jsonl:{number})")

    def _disclosed(self) -> None:
        leaves = {f"event {v['event']['case_id']}/{v['event']['seq']}": v for _, v in self.read("events.jsonl")}
        leaves |= {f"message {v['message']['id']}": v for _, v in self.read("messages.jsonl")}
        for number, (line, value) in enumerate(self.read("disclosed.jsonl"), 1):
            place: Any = leaves.get(value["of"], {})
            for step in value["at"].split("."):
                place = place.get(step, {}) if isinstance(place, dict) else {}
            if place != {"committed": self.hash(DISCLOSED + line).hex()}:
                self.finds(f"disclosed.jsonl:{number}", f"is not what was sealed as {value['at']} of {value['of']}")

    def _figure(self) -> None:
        if not (self.folder / "figure.json").is_file():
            return
        listed, cases = self._object("figure.json")["cases"], self._cases()
        for no in sorted({*listed} ^ {case["no"] for case in cases.values()}):
            self.finds("figure.json", f"case {no} is behind the figure and not here, or here and not behind it")

    def _signature(self, known: str) -> None:
        path = self.folder / SIGNATURE
        if not path.is_file():
            if known:
                self.finds("--key", "this pack is not signed")
            return
        try:
            said = self._object(SIGNATURE)
            key = bytes.fromhex(said["key"])
            statements = {"head": head_statement(self.proof["head"]), "pack": pack_statement(self.manifest["digest"])}
            if path.read_bytes() != plain(said) + b"\n" or {*said} != {"key", *statements}:
                self.finds(SIGNATURE, "was changed: it is not written as a pack's signature is")
            for name, statement in statements.items():
                if not signed(key, statement, bytes.fromhex(said[name])):
                    self.finds(SIGNATURE, f"the signature of the {name} does not hold")
            if known and known != said["key"]:
                self.finds("--key", f"it is signed by another key: {said['key']}")
        except (Broken, KeyError, TypeError, ValueError) as error:
            self.finds(SIGNATURE, f"cannot be read: {type(error).__name__} {error}")


def verified(folder: Path, *, head: str = "", key: str = "") -> Pack:
    """The pack with its findings. Raises Broken when the folder is no pack."""
    pack = Pack(folder)
    pack.verify(head, key)
    return pack


def told(pack: Pack) -> Iterator[str]:
    """What is to be told of a verified pack, line by line."""
    for finding in pack.findings[:MOST]:
        yield f"FAILED  {finding}"
    if len(pack.findings) > MOST:
        yield f"FAILED  and {len(pack.findings) - MOST} more"
    for where in pack.not_sealed[:MOST]:
        yield f"not sealed yet 尚未封存, so not proven: {where}"
    if len(pack.not_sealed) > MOST:
        yield f"not sealed yet: and {len(pack.not_sealed) - MOST} more"
    if not pack.findings:
        head = pack.proof["head"]
        yield f"OK  {pack.proven} lines are proven by the chain's head of seal {head['size']}, {head['sealed_at']}"
        yield f"head {head['head']}  compare it with one that you know from elsewhere 请与外部留存的链头比对"
        yield f"pack {pack.manifest['digest']}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--head", default="", help="a head of the chain that you know from elsewhere")
    parser.add_argument("--key", default="", help="the city's public key that you know from elsewhere")
    parser.add_argument("--strict", action="store_true", help="fail when lines are not sealed yet")
    asked = parser.parse_args(arguments)
    try:
        pack = verified(asked.folder, head=asked.head, key=asked.key)
    except Broken as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("\n".join(told(pack)) + "\n")
    return 1 if pack.findings or (asked.strict and pack.not_sealed) else 0


if __name__ == "__main__":
    sys.exit(main())
