"""Joint work 吹哨联动: many units, one answer."""

from collections.abc import Mapping

from canonical.case import Action, Assignment, Case, Share
from canonical.lifecycle import ActionKind
from routing.city import City

AS_OWNER: Mapping[ActionKind, ActionKind] = {
    ActionKind.WHISTLE: ActionKind.DISPATCH,
    ActionKind.CANCEL: ActionKind.CANCEL,
    ActionKind.MERGE: ActionKind.MERGE,
    ActionKind.FORCE_CLOSE: ActionKind.CANCEL,
}
"""What a platform that knows no joint work is told instead, as if the called unit's part were a case of its own."""


def called_message(city: City, system: str, kind: ActionKind) -> str | None:
    """The message that tells a called unit's platform; None: it is not told."""
    role = city.systems.get(system)
    if role is None:
        return None
    own = role.tells.get("joint", {}).get(kind)
    if own is not None or kind in role.unsupported.get("joint", {}) or kind not in AS_OWNER:
        return own
    return role.tells.get("owner", {}).get(AS_OWNER[kind])


def still_called(case: Case, kind: ActionKind) -> tuple[Assignment, ...]:
    """The called units that still owe their part when this is done: of a disposal, those of the work under way."""
    tasks = case.joint_tasks if kind is ActionKind.DISPOSE else case.assignments
    return tuple(one for one in tasks if one.share is Share.JOINT and one.open)


def consolidated(action: Action, case: Case, city: City) -> Action:
    """The lead's answer with what the called units have answered: the source gets one answer, whoever worked."""
    if action.kind is not ActionKind.DISPOSE or case.joint is None:
        return action
    units = city.responsibility.units
    answers = [
        f"{units[one.unit].name if one.unit in units else one.unit}: {one.result}"
        for one in case.joint_tasks
        if one.result
    ]
    return action.model_copy(update={"result": "\n".join([action.result, *answers])}) if answers else action
