"""What a consumer raised and no call of the test did: these tests must fail."""


async def test_an_error_that_nobody_saw(ws_connect, monkeypatch):
    async def fail(consumer, **frame):
        raise ValueError("not expected")

    monkeypatch.setattr("acme_shop.websockets.JsonConsumer.receive", fail)
    socket = await ws_connect("/ws/orders/")
    await socket.send_to("not JSON")


async def test_an_unexpected_refusal(ws_connect):
    await ws_connect("/ws/orders/", origin="https://evil.example")
