"""The columns of the layers, and what the public sees of them."""

from maps.table import Field, Kind

CODE, NAME = Field("code", "编码"), Field("name", "名称")

CELL = (
    CODE,
    NAME,
    Field("area", "所属区划"),
    Field("area_name", "区划名称"),
    Field("manager", "管理区划"),
    Field("households", "户数", Kind.WHOLE),
    Field("population", "人口", Kind.WHOLE),
    Field("valid_from", "启用日期", Kind.DAY),
)

DENSITY = (CODE, NAME, Field("cases", "案件数", Kind.WHOLE), Field("overdue_cases", "超时案件数", Kind.WHOLE))

CASE = (
    Field("case_no", "案件编号"),
    Field("stage", "阶段"),
    Field("stage_name", "阶段名称"),
    Field("class_code", "类别编码"),
    Field("class_name", "类别名称"),
    Field("overdue", "是否超时", Kind.FLAG),
    Field("received_at", "上报时间", Kind.INSTANT),
    Field("due_at", "处置时限", Kind.INSTANT),
    Field("source", "来源系统"),
    Field("owner", "处置系统"),
    Field("unit", "处置单位"),
    Field("area", "所属区划"),
    Field("area_name", "区划名称"),
    Field("grid", "单元网格"),
    Field("located", "定位方式"),
)

TEXTS = (Field("address", "地址"), Field("description", "问题描述"))
"""What people wrote: only where the scope says so."""

PUBLIC_CASE = (
    Field("stage", "阶段"),
    Field("stage_name", "阶段名称"),
    Field("class_code", "类别编码"),
    Field("class_name", "类别名称"),
    Field("overdue", "是否超时", Kind.FLAG),
    Field("received_on", "上报日期", Kind.DAY),
    Field("area", "所属区划"),
    Field("area_name", "区划名称"),
    Field("grid", "单元网格"),
)
PUBLIC_DENSITY = DENSITY[:3]
