"""The responses of the demo's time API. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

HOST: Final = "worldclockapi.com"
PATH: Final = "/api/json/cet/now"


def now(moment: datetime) -> dict[str, Any]:
    """Return what worldclockapi.com answers at ``PATH`` (the fields that its documentation names)."""
    here = moment.astimezone(ZoneInfo("Europe/Berlin"))
    offset = here.utcoffset()
    return {
        "$id": "1",
        "currentDateTime": here.strftime("%Y-%m-%dT%H:%M") + here.strftime("%z")[:3] + ":" + here.strftime("%z")[3:],
        "utcOffset": str(offset).zfill(8),
        "isDayLightSavingsTime": bool(here.dst()),
        "dayOfTheWeek": here.strftime("%A"),
        "timeZoneName": "Central Europe Standard Time",
        "ordinalDate": here.strftime("%Y-%j"),
        "serviceResponse": None,
    }
