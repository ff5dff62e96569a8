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
    Subject("0102", COMPLAIN, "污水井盖破损", "污水井盖破损，车辆经过时响声很大，夜间影响休息。"),
    Subject("0201", COMPLAIN, "流动摊点占道经营", "每天傍晚有摊点占用人行道，行人只能走机动车道。"),
    Subject("0202", COMPLAIN, "店外经营占用通道", "商户把桌椅摆到店外，占用通道，影响通行。"),
    Subject("0204", REPORT, "机动车占用人行道停放", "多辆机动车长期停在人行道上，盲道也被占用。"),
    Subject("0301", COMPLAIN, "生活垃圾无人清运", "垃圾桶满溢多日无人清运，气味较大。"),
    Subject("0304", REPORT, "夜间露天烧烤扰民", "夜间有人露天烧烤，油烟直接飘进居民家中。"),
    Subject("0403", HELP, "路面破损", "路面破损形成坑洞，电动车避让时容易摔倒，希望修补。"),
    Subject("0404", HELP, "雨后道路积水", "每次下雨后积水较深，行人无法通过，希望疏通。"),
    Subject("0406", SUGGEST, "行道树遮挡视线", "行道树枝叶过密，遮挡路口视线，建议修剪。"),
    Subject("0501", COMPLAIN, "夜间施工噪声", "工地夜里仍在施工，影响休息，希望核实。"),
    Subject("0502", REPORT, "工地扬尘", "工地土堆没有覆盖，大风天扬尘严重。"),
    Subject("0603", COMPLAIN, "广场音响噪声", "每晚有人用大功率音响，持续到十点以后。"),
    Subject("0701", COMPLAIN, "物业未及时维修", "楼道照明损坏半个月，物业一直没有维修。"),
    Subject("0901", HELP, "学校门口交通混乱", "上下学时段校门口拥堵，希望安排人员疏导。"),
    Subject("1201", HELP, "预付卡退款纠纷", "商户停业后不退预付卡余额，希望协调。"),
    Subject("1401", CONSULT, "咨询公租房申请条件", "咨询公租房申请需要的材料和受理地点。"),
    Subject("1401", CONSULT, "咨询老年优待证办理", "咨询老年优待证的办理条件和地点。"),
)
