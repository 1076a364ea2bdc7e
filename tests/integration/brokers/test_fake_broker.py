"""The fake broker itself: what a test asks of it never stands in its own way."""

from tests.broker.server import FakeBroker


def test_a_condition_may_reach_the_server_whose_news_is_waited_for(server: FakeBroker) -> None:
    placed = {"symbol": "SPY", "side": "buy", "type": "limit", "qty": "1", "limit_price": "390", "time_in_force": "day"}

    def one_more() -> bool:
        server.do(lambda: server.book.settle(server.book.place({"client_order_id": f"c-{len(server.book.orders)}", **placed})))
        return server.do(lambda: len(server.book.orders)) > 1

    server.wait_for(one_more, seconds=5)
