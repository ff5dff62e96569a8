"""The services of the simulated Open311 server and the requests for them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from simulators import city

REALTIME, BATCH = "realtime", "batch"
OPEN, CLOSED = "open", "closed"


class Attribute(NamedTuple):
    """An additional question of a service; without `values` it is answered by free text."""

    code: str
    description: str
    required: bool
    values: tuple[tuple[str, str], ...] = ()

    def written(self, order: int) -> dict[str, object]:
        """As the service definition shows it."""
        return {
            "variable": True,
            "code": self.code,
            "datatype": "singlevaluelist" if self.values else "string",
            "required": self.required,
            "datatype_description": None,
            "order": order,
            "description": self.description,
            "values": [{"key": key, "name": name} for key, name in self.values],
        }


class Service(NamedTuple):
    """One kind of request, and what residents write."""

    code: str
    name: str
    group: str
    text: str
    type: str = REALTIME
    attributes: tuple[Attribute, ...] = ()
    agency: str = "示例市政管养中心"

    def written(self) -> dict[str, object]:
        """As the service list shows it."""
        return {
            "service_code": self.code,
            "service_name": self.name,
            "description": f"{self.group}类：{self.name}",
            "metadata": bool(self.attributes),
            "type": self.type,
            "keywords": f"{self.name},{self.group}",
            "group": self.group,
        }


SERVICES = {
    one.code: one
    for one in (
        Service("LIGHT", "路灯损坏", "市政设施", "路灯不亮，夜间行人看不清路面"),
        Service(
            "MANHOLE",
            "井盖问题",
            "市政设施",
            "井盖松动，车辆经过有异响",
            attributes=(
                Attribute(
                    "KIND", "井盖种类", required=True, values=(("RAIN", "雨水"), ("SEWER", "污水"), ("OTHER", "其他"))
                ),
                Attribute("MARK", "井盖上的文字", required=False),
            ),
        ),
        Service("WASTE", "暴露垃圾", "市容环境", "垃圾桶旁散落大量生活垃圾", agency="示例环卫所"),
        Service("PARKING", "机动车乱停放", "街面秩序", "多辆汽车停在人行道上", type=BATCH, agency="示例城管大队"),
    )
}


@dataclass(frozen=True)
class ServiceRequest:
    """One request at this server."""

    id: str
    service: Service
    description: str
    lat: float | None
    lon: float | None
    address: str
    requested: datetime
    updated: datetime
    filed: bool = False
    """It came through POST; False: a resident of our own city."""
    status: str = OPEN
    notes: str = ""
    token: str = ""
    numbered: bool = True
    """False: a batch service has only given a token so far."""

    def written(self) -> dict[str, object]:
        """As the lists show it."""
        expected = self.requested + timedelta(days=3)
        return {
            "service_request_id": self.id,
            "status": self.status,
            "status_notes": self.notes or None,
            "service_name": self.service.name,
            "service_code": self.service.code,
            "description": self.description or None,
            "agency_responsible": self.service.agency,
            "service_notice": None,
            "requested_datetime": self.requested.isoformat(timespec="seconds"),
            "updated_datetime": self.updated.isoformat(timespec="seconds"),
            "expected_datetime": expected.isoformat(timespec="seconds"),
            "address": self.address or None,
            "address_id": None,
            "zipcode": None,
            "lat": self.lat,
            "long": self.lon,
            "media_url": None,
        }


def residents_request(dice: Random, request_id: str, now: datetime) -> ServiceRequest:
    """What a resident reports."""
    what, where = dice.choice(tuple(SERVICES.values())), city.spot(dice)
    return ServiceRequest(request_id, what, what.text, where.lat, where.lon, where.address, now, now)
