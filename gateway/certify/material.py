"""What can be played of a platform: its own samples, made fresh. Derived from the folder, never from a name."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from adapters import System
from adapters.declaration import SystemDeclaration
from adapters.field_names import personal
from adapters.loading import sample_secrets
from adapters.samples import inbound_samples, outbound_samples
from adapters.trace import TracedField, trace
from adapters.yaml_file import read_yaml
from canonical.alarm import Alarm, AlarmPolicy
from canonical.lifecycle import BY_ACTION, Party, Stage
from canonical.message import Message
from canonical.reading import Reading
from gateway.certify.signer import Signer, replaced
from gateway.certify.single import singles
from routing.storm import policy_of

_NAMING = ("external_id", "case_key", "visible_no")
_NAMED = frozenset({*_NAMING, "alarm.device"})
_LAST_NUMBER = re.compile(r"(\d+)(?=\D*$)")
_SHORTEST = 4
"""Digits a number must have to be told from any other number of the message."""


@dataclass(frozen=True, slots=True)
class Play:
    """One inbound sample and how it reads."""

    name: str
    message: Message
    reading: Reading
    fields: tuple[TracedField, ...]
    ids: tuple[str, ...] = ()
    """Texts in the message that name it; replaced, it is another message."""

    def raw(self, field: str) -> str:
        """The text in the message that a field came from; empty when it came from none."""
        found = [value for one in self.fields if one.field == field for _, value in one.raw if value not in (None, "")]
        return str(found[0]) if found and isinstance(found[0], str | int | float) else ""

    def fresh_ids(self, number: int) -> tuple[str, ...]:
        """The ids of `fresh`."""
        return tuple(_other(old, number) for old in self.ids)

    def fresh(self, number: int) -> Message:
        """The message under ids made of `number`: the same number, the same message."""
        return renamed(self.message, {old: _other(old, number) for old in self.ids})


@dataclass(frozen=True, slots=True)
class Material:
    """A platform's folder, as a bench needs it."""

    folder: Path
    declared: SystemDeclaration
    system: System
    signer: Signer
    """Shows for a changed message what its door asks for."""
    report: Play | None
    action: Play | None
    plays: tuple[Play, ...]
    unread: tuple[str, ...]
    """Samples that do not read."""
    written: frozenset[str]
    """What stands under a person's name in any file of the samples."""
    owner_does: frozenset[str]
    """Steps of its work that its messages report."""

    @property
    def writes(self) -> tuple[Path, ...]:
        """Samples of outbound messages."""
        return tuple(outbound_samples(self.folder))

    @property
    def names(self) -> frozenset[str]:
        """Persons named in the samples: no report shows them."""
        told = [one for play in self.plays for one in play.fields if one.field.endswith("reporter.name")]
        read = {one.reading.report.reporter.name for one in self.plays if one.reading.report}
        return frozenset({*read, *(str(value) for one in told for _, value in one.raw if value), *self.written} - {""})

    def answer_of(self, message: str) -> str:
        """The name of what judges the answers to a message."""
        return self.system.writers[message][0].declared.answer

    @property
    def works(self) -> Mapping[str, tuple[Play, ...]]:
        """Step of the owner's work to the samples that report it."""
        found: dict[str, tuple[Play, ...]] = {}
        for play in self.plays:
            kind = play.reading.action.kinds.get(Party.OWNER) if play.reading.action else None
            if kind:
                found[str(kind)] = (*found.get(str(kind), ()), play)
        return found

    @property
    def doors(self) -> frozenset[str]:
        """Names of doors."""
        return frozenset(self.declared.doors)

    def tells(self, party: str) -> Mapping[str, str]:
        """Action to outbound message."""
        return {str(kind): name for kind, name in self.system.role.tells.get(party, {}).items()}


def declaration(folder: Path) -> SystemDeclaration:
    """`system.yaml` alone. Raises pydantic.ValidationError."""
    file = read_yaml(folder / "system.yaml", [], name="system.yaml")
    return SystemDeclaration.model_validate(file.data if file else {})


def material(
    folder: Path, declared: SystemDeclaration, system: System, secrets: Mapping[str, str], files_url: str
) -> Material:  # fmt: skip
    """Everything playable in a folder, whose system was loaded with `secrets`.

    Links in samples lead to `files_url` instead: nothing outside this machine is asked for a file.
    """
    plays, unread = [], []
    signer = Signer(folder, declared, system, secrets)
    for sample in inbound_samples(folder):
        message = _sealed(sample.message(system.role.id), folder, secrets)
        message = _with_links(system, replace(message, door=sample.door), files_url)
        message = signer.signed(message, message.at)
        found = _plays(system, message, sample.path.name)
        if found:
            plays += found
        elif not _reads(system, message):
            unread.append(sample.path.name)
    reports = [one for one in plays if _opens(one.reading, declared)]
    report = min(reports, key=_plainness, default=None)
    actions = [one for one in plays if report and _acts_on(one, report)]
    return Material(
        folder,
        declared,
        system,
        signer,
        report,
        next(iter(actions), None),
        tuple(plays),
        tuple(unread),
        _persons(folder),
        _owner_steps(folder),
    )


def _persons(folder: Path) -> frozenset[str]:
    found: set[str] = set()
    for path in sorted(folder.glob("samples/*.json")):
        try:
            waiting: list[tuple[str, Any]] = [("", json.loads(path.read_bytes()))]
        except ValueError:
            continue
        while waiting:
            key, one = waiting.pop()
            if isinstance(one, dict):
                waiting += [(f"{key}.{name}", below) for name, below in one.items()]
            elif isinstance(one, list):
                waiting += [(key, below) for below in one]
            elif isinstance(one, str) and len(one) > 1 and personal(key) == "name":
                found.add(one)
    return frozenset(found)


def _owner_steps(folder: Path) -> frozenset[str]:
    """Every action that a declared message can mean, coming from the owner."""
    found: set[str] = set()
    for path in sorted(folder.glob("messages/*.yaml")):
        file = read_yaml(path, [], name=path.name)
        waiting: list[Any] = [file.data] if file else []
        while waiting:
            one = waiting.pop()
            if isinstance(one, dict):
                kinds = one.get("kinds")
                found |= {str(kinds["owner"])} if isinstance(kinds, dict) and "owner" in kinds else set()
                waiting += one.values()
            elif isinstance(one, list):
                waiting += one
    return frozenset(found)


def _reads(system: System, message: Message) -> bool:
    return all(isinstance(one, Reading) for one in system.read(message))


def _opens(reading: Reading, declared: SystemDeclaration) -> bool:
    """Whether it makes a case by itself: a report, or an alarm that is not waited or counted for."""
    alarm = reading.alarm
    if reading.report is None or alarm is None:
        return reading.report is not None
    policy = policy_of(declared.alarms, alarm.kind)
    return _raises(alarm, policy) and policy.times == 1 and not policy.hold


def _raises(alarm: Alarm, policy: AlarmPolicy) -> bool:
    """Whether a telling is one of an alarm: a threshold decides where there is one, either way."""
    if alarm.value is None or (policy.raise_at is None and policy.raise_below is None):
        return alarm.active
    above = policy.raise_at is not None and alarm.value >= policy.raise_at
    return above or (policy.raise_below is not None and alarm.value <= policy.raise_below)


def _plainness(play: Play) -> tuple[bool, bool, bool, str]:
    """Few side effects first: no number of ours in it, no action that moves a case, files to fetch."""
    reading = play.reading
    moves = bool(reading.action and reading.action.kinds)
    files = bool(reading.report and reading.report.attachments)
    return (not play.ids, moves, not files, play.name)


def _acts_on(play: Play, report: Play) -> bool:
    """An action of the source that a case can take at once, whatever the centre has done meanwhile."""
    reading = play.reading
    kind = reading.action.kinds.get(Party.SOURCE) if reading.action else None
    return bool(
        reading.report is None
        and kind
        and Stage.REPORTED in BY_ACTION[kind].from_
        and reading.external_id == report.reading.external_id
    )  # fmt: skip


# --- the message as the platform would send it ---


def _sealed(message: Message, folder: Path, secrets: Mapping[str, str]) -> Message:
    """Every secret of the samples is that of the run."""
    samples = sample_secrets(folder)
    for name in sorted(secrets, key=lambda one: len(samples.get(one, "")), reverse=True):
        message = replaced(message, samples.get(name, ""), secrets[name])
    return message


def _plays(system: System, message: Message, name: str) -> list[Play]:
    """A message with one reading; of one with several, each row or element that reads alone."""
    if whole := _play(system, message, name):
        return [whole]
    if len(system.read(message)) < 2:
        return []
    return [one for single in singles(message) if (one := _play(system, single, name))]


def _play(system: System, message: Message, name: str) -> Play | None:
    """A message with one reading; None otherwise."""
    try:
        told = trace(system, message)
    except ValueError:
        return None
    if len(told) != 1 or not isinstance(told[0].content, Reading):
        return None
    play = Play(name, message, told[0].content, told[0].fields)
    for ids in _namings(play):
        named = replace(play, ids=ids)
        read = system.read(named.fresh(1))
        again = system.read(named.fresh(2))
        if len(read) == len(again) == 1 and _another(play.reading, read[0]) and _another(read[0], again[0]):
            return named
    return play


def _with_links(system: System, message: Message, files_url: str) -> Message:
    """The message with its links to files leading to the bench; as it is when that cannot be read."""
    readings = [one for one in system.read(message) if isinstance(one, Reading)]
    said = [part for one in readings for part in (one.report, one.action, one.addition) if part]
    links = dict.fromkeys(file.url for part in said for file in part.attachments if file.url)
    names = {link: f"{files_url}/{number}.jpg" for number, link in enumerate(links, 1)}
    made = renamed(message, names)
    return made if all(isinstance(one, Reading) for one in system.read(made)) else message


def _another(one: object, other: object) -> bool:
    """Another message; an alarm of another device, for those of one device are counted."""
    if not isinstance(one, Reading) or not isinstance(other, Reading) or one.external_id == other.external_id:
        return False
    return one.alarm is None or other.alarm is None or one.alarm.device != other.alarm.device


def _namings(play: Play) -> Iterator[tuple[str, ...]]:
    """Texts that may be the message's ids: what was read, else what it was made of, all or one alone."""
    device = [play.reading.alarm.device] if play.reading.alarm else []
    read = tuple(dict.fromkeys([*(value for name in _NAMING if (value := getattr(play.reading, name))), *device]))
    yield read
    raw = [str(value) for one in play.fields if one.field in _NAMED for _, value in one.raw if value]
    made_of = tuple(dict.fromkeys(text for text in raw if 0 < len(text) <= 200))
    yield made_of
    yield from ((text, *device) for text in made_of)
    if words := play.raw("report.description"):  # it has no id: what it says names it
        yield (words, *device)


def _other(text: str, number: int) -> str:
    """A text of the same shape: its last long number replaced, else `-<number>` behind it."""
    found = _LAST_NUMBER.search(text)
    if found is None or len(found[1]) < _SHORTEST:
        return f"{text}-{number}"
    width = len(found[1])
    lowest = 10 ** (width - 1)
    return f"{text[: found.start()]}{lowest + number % (9 * lowest)}{text[found.end() :]}"


def renamed(message: Message, names: Mapping[str, str]) -> Message:
    """Every text replaced where it stands alone: not inside a longer word or number."""
    if not names:
        return message
    for written in (partial(quote, safe=""), quote_plus):  # as a form or a query has it
        names = {**{written(old): written(new) for old, new in names.items()}, **names}
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    alone = re.compile(rf"(?<![0-9A-Za-z])(?:{either})(?![0-9A-Za-z])")

    def renamed(text: str) -> str:
        return alone.sub(lambda found: names[found[0]], text)

    body = renamed(message.body.decode(errors="surrogateescape")).encode(errors="surrogateescape")
    headers = {key: renamed(value) for key, value in message.headers.items()}
    return replace(message, body=body, headers=headers, path=renamed(message.path))
