"""The carrier's HTTP API: only this module knows that it is one, so a test replaces one object.

Set CARRIER_URL in settings.py, and staff can ship orders in the admin.
"""

import json
from functools import cache
from urllib.request import Request, urlopen

from django.conf import settings

from .models import Order

TIMEOUT = 5  # Seconds that a request to this site waits for the carrier.


class Carrier:
    def __init__(self, url: str) -> None:
        self.url = url

    def book(self, order: Order) -> str:
        """Book a parcel and return its tracking number; OSError if the carrier does not answer."""
        parcel = {"reference": order.pk, "content": str(order)}  # Booked once for each reference.
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.url}/parcels", json.dumps(parcel).encode(), headers)  # noqa: S310
        with urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            return str(json.load(response)["tracking"])


@cache
def carrier() -> Carrier:
    """The one client of this process."""
    return Carrier(getattr(settings, "CARRIER_URL", ""))
