"""The owner's work where the bench plays the platform: its own sample reports, told of the case that it was handed."""

from typing import TYPE_CHECKING

from adapters import System
from canonical.case import Binding, BindingRole
from canonical.message import ACCEPTED, Message
from canonical.reading import Reading
from canonical.rights import EVERYTHING
from gateway.certify.bench import Bench, until
from gateway.certify.change import CannotChange
from gateway.certify.channel import NotTaken, told
from gateway.certify.material import Play, renamed

if TYPE_CHECKING:
    from gateway.certify.stage import Stage

_NAMES = ("external_id", "case_key", "visible_no", "reference")
_DONE = 20.0


def work(stage: "Stage") -> None:
    """Everything the platform does with the case in hand, one step after the other. Raises CannotChange, NotTaken."""
    side = stage.bench.side
    switches = side.state.switches if side is not None else {}
    steps = ["return"] if switches.get("return") else ["dispose"]
    if switches.get("delay"):
        steps = ["ask_extension", *steps]
    if "sign" in stage.bench.material.works:
        steps = ["sign", *steps]
    for action in steps:
        _reported(stage, action)


def _reported(stage: "Stage", action: str) -> None:
    bench = stage.bench
    if action in _events(bench, stage.case_no) and action == "sign":
        return  # signed before it was returned
    binding = _binding(bench, stage.case_no)
    message, ids = _message(bench, action, binding)
    outcome, answer = told(bench, message, ids)
    stage.note(f"平台回报 | the platform reports: {action}", answer, outcome)
    if outcome.verdict not in ACCEPTED:
        raise NotTaken(f"平台的回报没有被接受 | what the platform reports is not taken: {action}: {outcome.text}")
    if not until(lambda: action in _events(bench, stage.case_no), _DONE):
        raise NotTaken(f"回报了, 案件没有这一步 | reported, and not done to the case: {action}")


def _events(bench: Bench, number: str) -> list[str]:
    journey = bench.do(bench.hub.casebook.journey(number, scope=EVERYTHING))
    assert journey is not None
    return [str(event.action.kind) for event in journey.events]


def _binding(bench: Bench, number: str) -> Binding:
    found: list[Binding] = []

    def bound() -> bool:
        journey = bench.do(bench.hub.casebook.journey(number, scope=EVERYTHING))
        assert journey is not None
        found[:] = [one for one in journey.bindings if one.system == bench.name and one.role is BindingRole.OWNER]
        return bool(found)

    if not until(bound, _DONE):
        raise NotTaken("枢纽没有记下对方的编号 | the hub has no id of the platform's for the case")
    return found[-1]


def _message(bench: Bench, action: str, binding: Binding) -> tuple[Message, tuple[str, ...]]:
    """The platform's own words for a step, told of this case. Raises CannotChange."""
    plays = bench.material.works.get(action, ())
    if not plays:
        raise CannotChange(f"没有这一步的样例 | no sample reports this step: {action}")
    for play in plays:
        names = _renames(play, binding)
        message = bench.material.signer.signed(renamed(play.message, names), bench.hub.now())
        if _is_about(bench.material.system, message, binding):
            return message, tuple(filter(None, (binding.external_id, binding.case_key, binding.reference)))
    raise CannotChange(f"样例里的编号换不成本案的 | the sample's ids cannot be made those of the case: {action}")


def _renames(play: Play, binding: Binding) -> dict[str, str]:
    names: dict[str, str] = {}
    for name in _NAMES:
        old, new = getattr(play.reading, name), getattr(binding, name)
        for text in filter(None, (old, play.raw(name))):
            if new and text not in names:
                names[text] = new
    return names


def _is_about(system: System, message: Message, binding: Binding) -> bool:
    read = system.read(message)
    if len(read) != 1 or not isinstance(read[0], Reading):
        return False
    pairs = [(getattr(read[0], name), getattr(binding, name)) for name in _NAMES if name != "visible_no"]
    return any(one and one == other for one, other in pairs)
