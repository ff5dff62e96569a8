"""The image database's objects: ids that carry their parts, 14-digit times, a motor vehicle, the device catalogue."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from simulators.picture import png

ORGANISATION = "340202000000"
PLATFORM = "34020200005030000002"
"""The database's own 20 digits."""


class Device(NamedTuple):
    """A camera of the catalogue (APE); degrees in CGCS2000."""

    id: str
    name: str
    place: str
    lon: float
    lat: float


DEVICES = (
    Device("34020200001190000001", "利民路口球机01", "镜湖区利民路与示例路交叉口", 118.3762, 31.3341),
    Device("34020200001190000002", "示例路卡口02", "镜湖区示例路小学门口", 118.3705, 31.3312),
    Device("34020700001190000003", "官陡门枪机03", "鸠江区官陡街道示例广场", 118.4200, 31.3700),
)


def compact(moment: datetime) -> str:
    """`yyyyMMddHHmmss`, local."""
    return f"{moment:%Y%m%d%H%M%S}"


def notification_id(moment: datetime, number: int) -> str:
    """33 digits: organisation 12, kind 04, time 14, number 5."""
    return f"{ORGANISATION}04{compact(moment)}{number % 100_000:05d}"


@dataclass(frozen=True)
class Vehicle:
    """One parked motor vehicle that a camera saw; its picture beside it."""

    device: Device
    number: int
    marked: datetime
    plate: str
    inline: bool
    """The picture travels inside the message, as base64."""
    numeric: bool
    """HasPlate as 1 instead of true, as some peers write it."""
    picture: bytes

    @property
    def source_id(self) -> str:
        """41 digits: device 20, kind 02, time 14, number 5."""
        return f"{self.device.id}02{compact(self.marked)}{self.number % 100_000:05d}"

    @property
    def id(self) -> str:
        """48 digits: the source's 41, kind 02, number 5."""
        return f"{self.source_id}0200001"

    def written(self, image_url: str) -> dict[str, object]:
        """The MotorVehicle object; `image_url` is where its picture can be fetched."""
        held = {"Data": b64encode(self.picture).decode()} if self.inline else {"StoragePath": image_url}
        return {
            "MotorVehicleID": self.id,
            "InfoKind": 1,
            "SourceID": self.source_id,
            "DeviceID": self.device.id,
            **({} if self.inline else {"StorageUrl1": image_url}),
            "LeftTopX": 100,
            "LeftTopY": 200,
            "RightBtmX": 500,
            "RightBtmY": 480,
            "MarkTime": compact(self.marked),
            "AppearTime": compact(self.marked - timedelta(seconds=30)),
            "DisappearTime": compact(self.marked + timedelta(minutes=6, seconds=30)),
            "LaneNo": 1,
            "HasPlate": 1 if self.numeric else True,
            "PlateClass": "02",
            "PlateColor": "5",
            "PlateNo": self.plate,
            "Speed": 0,
            "VehicleClass": "K33",
            "VehicleColor": "1",
            "SubImageList": {
                "SubImageInfoObject": [
                    {
                        "ImageID": self.source_id,
                        "EventSort": 4,
                        "DeviceID": self.device.id,
                        **held,
                        "Type": "01",
                        "FileFormat": "Png" if self.inline else "Jpeg",
                        "ShotTime": compact(self.marked),
                        "Width": 1 if self.inline else 1920,
                        "Height": 1 if self.inline else 1080,
                    }
                ]
            },
        }


def vehicle(dice: Random, number: int, now: datetime, *, inline: bool) -> Vehicle:
    """A vehicle parked where it must not."""
    return Vehicle(
        device=dice.choice(DEVICES),
        number=number,
        marked=now.replace(microsecond=0),
        plate=f"皖B{dice.randrange(100):05d}",
        inline=inline,
        numeric=dice.random() < 0.2,
        picture=png(dice),
    )


def notification(
    subscription: str, title: str, moment: datetime, number: int, seen: Vehicle, image_url: str
) -> dict[str, object]:
    """The SubscribeNotification list with one vehicle."""
    one = {
        "NotificationID": notification_id(moment, number),
        "SubscribeID": subscription,
        "Title": title,
        "TriggerTime": compact(moment),
        "InfoIDs": seen.id,
        "MotorVehicleObjectList": {"MotorVehicleObject": [seen.written(image_url)]},
    }
    return {"SubscribeNotificationListObject": {"SubscribeNotificationObject": [one]}}


def catalogue(devices: Sequence[Device] = DEVICES) -> dict[str, object]:
    """The APE list."""
    rows = [
        {
            "ApeID": device.id,
            "Name": device.name,
            "Model": "DEMO",
            "IPAddr": f"192.0.2.{10 + index}",
            "Port": 80,
            "Longitude": device.lon,
            "Latitude": device.lat,
            "PlaceCode": device.id[:6],
            "Place": device.place,
            "IsOnline": "1",
        }
        for index, device in enumerate(devices, 1)
    ]
    return {"APEListObject": {"APEObject": rows}}
