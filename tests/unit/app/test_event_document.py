"""An event as `weaver events --json` prints it: every field of its payload, also those that are not stored."""

from decimal import Decimal

import msgspec

from app.cli_events import event_document
from core.events.codec import EventCodec
from core.events.envelope import envelope
from core.events.payloads import PlaceRequest
from core.model.order import OrderRequest, OrderSide


def test_fields_that_are_not_stored_are_printed() -> None:
    request = OrderRequest(symbol="SPY", side=OrderSide.BUY, qty=Decimal("1.50"))
    event = envelope(PlaceRequest(order_id="o1", request=request), id="e1", ts=0, producer="test")
    stored = EventCodec().encode(event)
    assert b"limit_price" not in stored
    assert EventCodec().decode(event.type, event.version, stored) == event.payload
    payload = event_document(event)["payload"]
    assert list(payload) == [field.name for field in msgspec.structs.fields(PlaceRequest)]
    assert list(payload["request"]) == [field.name for field in msgspec.structs.fields(OrderRequest)]
    assert (payload["request"]["qty"], payload["request"]["limit_price"], payload["close"]) == ("1.50", None, None)
