"""What citizens ring about: a constructed extract of a site's 归口类型 list; the words are ours."""

from typing import NamedTuple

CONSULT, COMPLAIN, REPORT, SUGGEST, HELP = "10", "20", "30", "40", "50"
"""rqstType: 咨询 投诉 举报 建议 求助."""

UNKNOWN_CODE = "9999"
"""In no list: the hub must put such a ticket aside and ask."""


class Subject(NamedTuple):
    """One kind of matter."""

    accord_type: str
    kind: str
    title: str
    text: str


SUBJECTS = (
    Subject("0401", COMPLAIN, "反映路灯不亮", "3盏路灯已连续三天不亮，夜间出行不便，希望尽快维修。"),
    Subject("0105", COMPLAIN, "雨水井盖缺失", "雨水井盖缺失，已有电动车险些摔倒，请尽快处理。"),
)
