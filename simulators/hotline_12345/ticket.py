"""A ticket and its tasks: what the hotline knows, and the params document a push carries.

One ticket (rowGuid, serialNum) may have several tasks (taskGuid): the lead, an assist, and one more after every
return visit that found the citizen dissatisfied.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Self
from uuid import UUID

from simulators import city
from simulators.hotline_12345.subjects import CONSULT, SUBJECTS, UNKNOWN_CODE

LEAD, ASSIST = "10", "20"
"""taskType."""
TO_SIGN, WORKING, BACK, DONE, INTERIM = "10", "20", "30", "80", "100"
"""taskStatus."""
WAITS_FOR_UNIT, DISSATISFIED, FILED_AWAY = "35", "65", "100"
"""cstatus."""
_OPINION = "请责任单位核实处理并答复来电人。"
_ASSIST_OPINION = "请协助主办单位核查处理。"
_AGAIN_OPINION = "回访不满意，请重新办理"
_TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Task:
    """One task of a ticket, as the hotline keeps it. `fields` is the params document of its first push."""

    guid: str
    fields: Mapping[str, object]
    status: str = TO_SIGN
    cstatus: str = WAITS_FOR_UNIT
    round: int = 1
    heard: str = ""
    """What the hub said to the push: accepted, refused, unanswered."""
    ending: str = ""
    """What the return visit found."""
    delays: int = 0

    @property
    def type(self) -> str:
        """LEAD or ASSIST."""
        return str(self.fields["taskType"])

    @property
    def serial(self) -> str:
        """serialNum, the number people say."""
        return str(self.fields["serialNum"])

    def params(self) -> dict[str, object]:
        """The document as pushed now."""
        return {**self.fields, "taskStatus": self.status, "cstatus": self.cstatus}

    def row(self) -> dict[str, str]:
        """For the people who watch."""
        return {
            "id": self.guid,
            "no": self.serial,
            "state": self.ending or self.status,
            "title": str(self.fields["rqstTitle"]),
            "row": str(self.fields["rowGuid"]),
            "type": self.type,
            "heard": self.heard,
        }

    def assisting(self, guid: str, now: datetime) -> Self:
        """The assisting task of the same ticket."""
        fields = {**self.fields, "taskGuid": guid, "taskType": ASSIST, "opinion": _ASSIST_OPINION, "attachList": []}
        return type(self)(guid, {**fields, "sendTime": now.strftime(_TIME)})

    def again(self, guid: str, now: datetime) -> Self:
        """The task of the next round, after a visit that found the citizen dissatisfied."""
        deadline = _work_days_later(now, 2).strftime(_TIME)
        fields = {**self.fields, "taskGuid": guid, "opinion": _AGAIN_OPINION, "sendTime": now.strftime(_TIME)}
        fields |= {"finishLimit": {"value": "2", "unit": "2"}, "answerDeadline": deadline}
        return replace(type(self)(guid, fields), round=self.round + 1)


def guid(dice: Random) -> str:
    """A GUID the dice choose."""
    return str(UUID(int=dice.getrandbits(128), version=4))


def first_task(dice: Random, number: int, now: datetime) -> Task:
    """The lead task of the `number`-th ticket: a function of the dice, the number and the time."""
    subject = dice.choice(SUBJECTS)
    secret, urgent = dice.random() < 0.08, dice.random() < 0.1
    source = dice.choices(("DH", "WZ"), (8, 2))[0]
    late = dice.random() < 0.03
    sent = now - timedelta(days=9) if late else now
    task_guid = guid(dice)
    fields: dict[str, object] = {
        "taskGuid": task_guid,
        "taskType": LEAD,
        "taskTarget": "20",
        "taskStatus": TO_SIGN,
        "rowGuid": guid(dice),
        "serialNum": f"{source}{now:%Y%m%d}{number % 100_000:05d}",
        "cstatus": WAITS_FOR_UNIT,
        "rqstTitle": subject.title,
        **_where(dice, subject.text, secret=secret),
        "rqstType": subject.kind,
        "rqstSource": source,
        "accordType": dice.choices((subject.accord_type, "", UNKNOWN_CODE), (970, 25, 5))[0],
        "areaCode": city.CITY_CODE,
        **_who(dice, secret=secret),
        "isImpt": "10" if urgent else "30",
        "replayType": "10" if subject.kind == CONSULT else "20",
        "rqstTime": (sent - timedelta(minutes=dice.randrange(3, 50))).strftime(_TIME),
        "registerName": f"示例话务员{dice.randrange(1, 20):02d}",
        "sendTime": sent.strftime(_TIME),
        **_limits(dice, sent, urgent=urgent),
        "opinion": _OPINION,
        "attachList": _attachments(dice, task_guid),
    }
    return Task(task_guid, {name: fields[name] for name in _ORDER})


_ORDER = (
    "taskGuid", "taskType", "taskTarget", "taskStatus", "rowGuid", "serialNum", "cstatus", "rqstTitle", "rqstContent",
    "rqstType", "rqstSource", "accordType", "rqstAreaCode", "areaCode", "rqstAddress", "rqstPerson", "sex",
    "rqstNumber", "linkNumber", "userType", "isSecret", "isImpt", "replayType", "rqstTime", "registerName", "sendTime",
    "signLimit", "finishLimit", "answerDeadline", "opinion", "attachList",
)  # fmt: skip
"""The order of the contract's sample."""


def _where(dice: Random, text: str, *, secret: bool) -> dict[str, object]:
    spot = city.spot(dice)
    wish = "来电人要求身份保密。" if secret else ""
    if dice.random() < 0.08:  # the caller does not know, or does not say
        return {"rqstContent": f"来电人反映某处{text}{wish}", "rqstAreaCode": "", "rqstAddress": ""}
    address = spot.address
    return {
        "rqstContent": f"来电人反映{address}{text}{wish}",
        "rqstAreaCode": spot.district_code,
        "rqstAddress": address,
    }


def _who(dice: Random, *, secret: bool) -> dict[str, object]:
    who = city.person(dice)
    if secret:
        return {"rqstPerson": "", "sex": "", "rqstNumber": "", "linkNumber": "", "userType": "10", "isSecret": "1"}
    number = city.masked(who.phone) if dice.random() < 0.5 else who.phone
    named = {"rqstPerson": who.name, "sex": who.sex, "rqstNumber": number, "linkNumber": who.phone}
    return {**named, "userType": dice.choices(("10", "20"), (9, 1))[0], "isSecret": "0"}


def _limits(dice: Random, sent: datetime, *, urgent: bool) -> dict[str, object]:
    """Urgent and some others have only value and unit (0 minutes, 1 working hours, 2 working days)."""
    if urgent:
        return {"signLimit": _limit(30, 0), "finishLimit": _limit(dice.choice((2, 4)), 1), "answerDeadline": ""}
    days = dice.choice((3, 5, 5, 10))
    deadline = "" if dice.random() < 0.15 else _work_days_later(sent, days).strftime(_TIME)
    return {"signLimit": _limit(4, 1), "finishLimit": _limit(days, 2), "answerDeadline": deadline}


def _limit(value: int, unit: int) -> dict[str, str]:
    return {"value": str(value), "unit": str(unit)}


def _work_days_later(start: datetime, days: int) -> datetime:
    """The hotline counts weekdays only; it knows no holidays."""
    moment, left = start, days
    while left:
        moment += timedelta(days=1)
        left -= moment.weekday() < 5
    return moment


def _attachments(dice: Random, task_guid: str) -> list[dict[str, str]]:
    return [
        {
            "attachGuid": f"{task_guid[:8]}-{index}",
            "attachName": f"现场{index}.jpg",
            "attachUrl": f"http://hotline.example.gov.cn/attach/{task_guid[:8]}-{index}",
        }
        for index in range(1, dice.choice((0, 0, 1, 2)) + 1)
    ]
