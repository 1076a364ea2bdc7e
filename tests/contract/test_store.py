"""The contract of `Store` itself."""

from core.ports import Store


async def test_a_store_says_where_it_is_and_who_has_it_open(store: Store) -> None:
    assert store.where
    assert store.owner
    assert store.is_alive(store.owner)
    assert not store.is_alive("1-nobody")


async def test_the_one_window_may_ask_again(store: Store) -> None:
    store.claim_window()
    store.claim_window()


async def test_opening_and_closing_twice_is_harmless(store: Store) -> None:
    await store.open()
    await store.close()
    await store.close()
