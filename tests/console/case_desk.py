"""A city's cases as its centre finds them on a Friday: some wait for a person, some are late, one is handled jointly.

What happened to them happened since Wednesday, by a clock that the story moves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.gateway.joint_city import Hours
from tests.gateway.pushes import grid, hotline, record, status, ticket
from tests.gateway.running import HubUnderTest


@dataclass(slots=True)
class CaseDesk:
    """The hub and its cases by the names that the story gives them."""

    hub: HubUnderTest
    hours: Hours
    numbers: dict[str, str] = field(default_factory=dict)

    def report(self, name: str, **changes: Any) -> str:
        """A ticket of the hotline, and the number of its case."""
        answer = hotline(ticket(name, **{**TICKETS.get(name, {}), **changes})).to(self.hub)
        assert answer.json()["custom"]["code"] == "1", answer.text
        self.numbers[name] = self.hub.case(f"DH{name}")["no"]
        return self.numbers[name]

    def act(self, name: str, kind: str, **fields: Any) -> Mapping[str, Any]:
        """An order of the centre that must succeed."""
        return self.hub.act(self.numbers[name], kind=kind, **fields)

    def says(self, name: str, letter: str, reason: str = "") -> None:
        """What the urban management platform tells of it."""
        answer = status(self.hub.case(self.numbers[name])["reference"], letter, reason).to(self.hub)
        assert "success" in answer.text, answer.text


TICKETS: Mapping[str, Mapping[str, str]] = {
    "lamp": {"rqstTitle": "路灯不亮", "rqstContent": "凤凰山社区东门外三盏路灯不亮，夜间行人不便。"},
    "pole": {"rqstTitle": "路灯灯杆歪斜", "rqstContent": "灯杆被撞后倾斜，靠近人行道。", "isImpt": "10"},
    "stall": {"rqstTitle": "流动摊点占道", "rqstContent": "学校门口摊点占道经营。", "accordType": "0201"},
    "litter": {"rqstTitle": "生活垃圾无人清运", "rqstContent": "小区东侧垃圾满溢两天。", "accordType": "0301"},
    "dust": {"rqstTitle": "工地扬尘", "rqstContent": "工地土堆没有覆盖，大风天扬尘严重。", "accordType": "0502"},
    "road": {"rqstTitle": "路面塌陷", "rqstContent": "路面下沉，没有围挡。", "accordType": "0405", "isImpt": "10"},
    "cover": {"rqstTitle": "井盖缺失", "rqstContent": "污水井盖缺失，用树枝挡着。", "accordType": "0102"},
    "tree": {"rqstTitle": "行道树倒伏", "rqstContent": "行道树倒在非机动车道上。", "accordType": "0406"},
    "price": {"rqstTitle": "停车乱收费", "rqstContent": "停车场没有公示收费标准。", "accordType": "1203"},
    "nowhere": {"rqstTitle": "井盖松动", "rqstContent": "井盖松动，行人路过有声响。", "accordType": "0102",
                "rqstAreaCode": "", "rqstAddress": "老地方，上次说过的"},
    "unclear": {"rqstTitle": "楼下有异响", "rqstContent": "楼下夜里有异响，不知是什么。", "accordType": ""},
    "school": {"rqstTitle": "校门口照明不足", "rqstContent": "放学时间校门口太暗。"},
    "sweep": {"rqstTitle": "道路不洁", "rqstContent": "非机动车道沙土未清扫。", "accordType": "0303"},
    "advice": {"rqstTitle": "反映事项不明", "rqstContent": "来电人称多次反映没有结果。", "accordType": "1999"},
    "idea": {"rqstTitle": "建议增设座椅", "rqstContent": "建议滨江步道增设座椅。", "accordType": "1402"},
    "rubble": {"rqstTitle": "渣土堆积", "rqstContent": "楼道口渣土堆积一周。", "accordType": "0302"},
}  # fmt: skip
"""Reports of the story, in the hotline's words; all persons and places in them are invented."""


def case_desk(hub: HubUnderTest, hours: Hours) -> CaseDesk:
    """Lets the story happen; `hours` is the hub's clock."""
    desk = CaseDesk(hub, hours)
    for name in ("litter", "dust", "lamp", "stall"):
        desk.report(name)
        hours.forward(minutes=7)
    desk.says("lamp", "A", "已受理")
    desk.says("stall", "A", "已受理")
    hours.forward(hours=2)
    desk.report("tree")
    desk.says("tree", "A", "已受理")
    desk.act("tree", "suspend", until=(hours.now() + timedelta(days=9)).isoformat(), reason="等吊车进场")
    desk.act("litter", "supervise", supervision="yellow", reason="群众二次来电")
    hours.forward(hours=20)
    desk.report("rubble")
    desk.report("cover")
    desk.says("cover", "B", "该井盖属于通信企业，请改派")
    desk.says("cover", "B", "排水井盖台账中没有这一处")
    desk.says("cover", "B", "不在我处养护范围")
    desk.says("stall", "F", "已劝离摊点，恢复秩序")
    desk.report("sweep")
    desk.says("sweep", "A", "已受理")
    desk.says("sweep", "F", "已清扫干净")
    hours.forward(hours=30)
    for name in ("pole", "price", "nowhere", "unclear", "school", "advice", "idea"):
        desk.report(name)
        hours.forward(minutes=3)
    desk.act("advice", "file")
    desk.says("pole", "A", "已到现场")
    desk.says("pole", "Y", "需要更换灯杆，申请延期2个工作日")
    desk.report("road")
    desk.says("road", "A", "已受理")
    for unit in ("3402-traffic", "3402-market"):
        desk.act("road", "whistle", unit=unit, reason="请到场会商，先围挡再抢修")
    assert grid(record("8")).to(hub).json()["Ret"] == 0
    hours.forward(hours=3)
    return desk
