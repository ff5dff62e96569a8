"""What a field of an unknown platform probably means, by its name: English, Chinese, and the initials vendors use.

Guesses only, for people who begin a declaration and for masking: reading never looks here. The names are those of the
hotline, city management, grid, life line, video and IoT interfaces described in the projects' field notes, and the
column titles of their Excel ledgers.
"""

import re
from collections.abc import Mapping

NAMES: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        "id", "taskguid", "caseguid", "eventid", "orderid", "workordercode", "taskid", "caseid", "recid", "issueid",
        "recordid", "alarmid", "guid", "uuid", "rowguid", "notificationid", "messageid", "updataSN", "办件编号",
        "案件编号", "事件编号", "任务编号", "投诉编号", "主键", "唯一标识", "编号", "序号",
    ),
    "visible_no": (
        "serialnum", "serialnumber", "recordnumber", "orderno", "caseno", "taskno", "workorderno", "gdbh", "ajbh",
        "工单编号", "工单号", "市级编号", "服务单号", "任务号", "案件号", "流水号",
    ),
    "title": (
        "title", "subject", "rqsttitle", "eventname", "casename", "appealsubject", "name", "topic", "bt", "sjmc",
        "标题", "主题", "诉求主题", "诉求标题", "事件名称", "案件名称",
    ),
    "description": (
        "description", "content", "desc", "rqstcontent", "eventcontent", "issuecontent", "appealdescription",
        "workordercontent", "casedesc", "recdesc", "eventdesc", "alarmdesc", "detail", "sqnr", "wtms", "nr", "ms",
        "内容", "描述", "说明", "诉求内容", "问题描述", "问题详情", "事件描述", "事件简述", "事件内容", "案件描述",
    ),
    "address": (
        "address", "addr", "rqstaddress", "incidentaddress", "eventplace", "occurlocation", "place", "location",
        "placeoccurrenc", "sfdz", "sfwz", "dz", "dd", "地址", "事发地址", "事发地点", "事发位置", "发生地点", "位置",
        "地点", "详细地址",
    ),
    "given_area": (
        "gridcode", "gridid", "areacode", "rqstareacode", "communitycode", "streetcode", "divisioncode", "districtcode",
        "areaid", "regioncode", "wgbm", "szdywgbsm", "xzqh", "网格编码", "单元网格", "区划代码", "行政区划", "所属区域",
    ),
    "x": (
        "lon", "lng", "longitude", "eventlong", "coordx", "pointx", "gpsx", "mapx", "x", "xcoord", "jd", "经度",
        "横坐标", "x坐标",
    ),
    "y": (
        "lat", "latitude", "eventlat", "coordy", "pointy", "gpsy", "mapy", "y", "ycoord", "wd", "纬度", "纵坐标",
        "y坐标",
    ),
    "reported_at": (
        "reporttime", "rqsttime", "happentime", "occurdate", "occurtime", "createtime", "createdat", "createddate",
        "reportedat", "eventtime", "alarmtime", "registertime", "accepttime", "submittime", "timestamp", "time",
        "dispatchtime", "sendtime", "addtime", "sbsj", "fxsj", "cjsj", "slsj", "sj", "上报时间", "发生时间", "发现时间",
        "创建时间", "受理时间", "来电时间", "登记时间", "时间", "诉求时间",
    ),
    "deadline": (
        "deadline", "expecteddeadline", "answerdeadline", "limittime", "processlimited", "duetime", "duetimestamp",
        "endtime", "clsx", "jzsj", "办理时限", "截止时间", "处理期限", "承诺完成时间", "到期时间",
    ),
    "name": (
        "callername", "rqstperson", "reportername", "reporter", "contact", "contactname", "sourceperson", "linkman",
        "personname", "username", "realname", "applicant", "applicantname", "citizenname", "disposer", "handler",
        "xm", "lxr", "sqr", "slrxm", "姓名", "诉求人", "上报人", "来电人", "联系人", "投诉人", "举报人", "反映人",
        "当事人", "申请人", "registername",
    ),
    "phone": (
        "phone", "mobile", "tel", "telephone", "contactphone", "linknumber", "rqstnumber", "callerphone", "phoneno",
        "reportermobile", "sourcemobile", "mobilephone", "phonenumber", "cellphone", "lxdh", "dh", "sjh", "sjhm",
        "电话", "手机", "手机号", "联系电话", "联系方式", "诉求人电话", "来电号码", "联系号码",
    ),
    "identity": (
        "idcard", "idcardno", "idno", "identitycard", "certno", "sfzh", "sfzhm", "身份证", "身份证号", "证件号码",
    ),
    "urgency": (
        "urgency", "urgencylevel", "urgent", "isimpt", "emergencylevel", "isemergency", "isurgent", "urgetype", "level",
        "priority", "eventlevel", "alarmlevel", "important", "jjcd", "紧急程度", "紧急", "是否紧急", "级别", "加急",
    ),
    "attachments": (
        "attachments", "attachlist", "attachment", "files", "filelist", "images", "pictures", "photos", "medias",
        "imageurl", "imgurl", "imgs", "picurl", "fj", "附件", "图片", "照片", "现场照片",
    ),
    "class": (
        "accordtype", "classcode", "eventtype", "casetype", "category", "type", "eventsecondtype", "typeid",
        "rectypeid", "smallclass", "subtype", "typecode", "appealtype", "workordertype", "ajlb", "sjlx",
        "bldlx", "xldm", "sjlxdm", "ajlbdm", "lxdm", "小类",
        "问题小类", "事项小类", "类别", "类型", "事件类型", "案件类型", "问题类型", "诉求类型", "小类代码", "类型代码",
        "类别代码",
    ),
    "channel": (
        "source", "rqstsource", "sourcekind", "appealsource", "datasource", "recsource", "channel", "laiyuan", "sjly",
        "来源", "来源渠道", "办件来源", "数据来源", "诉求来源", "来源方式",
    ),
    "status": ("status", "state", "cstatus", "casestatus", "eventstatus", "gdzt", "zt", "状态", "工单状态", "办件状态"),
    "withheld": ("issecret", "secret", "anonymous", "isanonymous", "sfbm", "是否保密", "是否匿名"),
}  # fmt: skip
"""Meaning to the names it goes by, the surest first. Letter case and signs between words do not count."""
_SIGNS = re.compile(r"[\s_\-./@#()（）]+")
_MEANING = {_SIGNS.sub("", name).lower(): meaning for meaning, names in NAMES.items() for name in names}
_RANK = {_SIGNS.sub("", name).lower(): rank for names in NAMES.values() for rank, name in enumerate(names)}
_PERSONAL = frozenset({"name", "phone", "identity"})
_NUMBERS = frozenset({"external_id", "visible_no", "case_key", "reference"})
_OF_A_READING = {"report.reporter.name": "name", "report.reporter.phone": "phone", "action.actor_name": "name"}


def meaning(name: str) -> tuple[str, int] | None:
    """(meaning, rank) of a field's name, 0 the surest; None when the name says nothing."""
    plain = _SIGNS.sub("", name).lower()
    if plain in _MEANING:
        return _MEANING[plain], _RANK[plain]
    for known in sorted(_MEANING, key=len, reverse=True):
        if len(known) >= _LONG_ENOUGH[known.isascii()] and plain.endswith(known):
            return _MEANING[known], _RANK[known] + _LESS_SURE
    return None


_LONG_ENOUGH = {True: 5, False: 2}
"""Letters (Chinese: signs) an ending must have to say something of a longer name."""
_LESS_SURE = 100


def personal(place: str) -> str:
    """`name`, `phone` or `identity` when a place (dotted path) holds such by its name, `number` for a case's; or ""."""
    if place.partition(".")[0] in _NUMBERS:
        return "number"
    for known, kind in _OF_A_READING.items():
        if place == known or place.startswith(f"{known}."):
            return kind
    for part in reversed(place.split(".")):
        if not part.isdigit():
            found = meaning(part)
            return "" if not found else found[0] if found[0] in _PERSONAL else "number" if found[0] in _NUMBERS else ""
    return ""
