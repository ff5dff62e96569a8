"""Joint work 吹哨联动: many units, one answer."""

from canonical.case import Action, Case
from canonical.lifecycle import ActionKind
from routing.city import City


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
