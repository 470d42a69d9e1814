"""Many visitors at once on SQLite, the default: no order is refused, none is stuck; each log line is JSON."""

import json

from load import counted, place_orders, serving


def test_many_visitors_place_orders_on_sqlite(generate, tmp_path):
    """By two processes of the web server, as compose.yml has them."""
    project = generate()
    log = tmp_path / "server.log"

    with serving(project, log, WEB_CONCURRENCY="2") as port:
        load = place_orders(port, number=200, at_once=20)

    assert load.statuses == {302: 200}
    assert counted(project) == (200, 0)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    orders = [record for record in records if "POST" in record["message"]]
    assert len({record["request_id"] for record in orders} - {"-"}) == 200


def test_an_order_whose_processing_was_killed_is_taken_over(generate, tmp_path):
    """The server dies between the commit of an order and its processing."""
    project = generate()
    with (project.package / "orders" / "services.py").open("a") as services:
        services.write("\n\ndef process_order(order_id):\n    import os\n\n    os.kill(os.getpid(), 9)\n")

    with serving(project, tmp_path / "server.log") as port:
        load = place_orders(port, number=1, at_once=1)
    assert (load.statuses, counted(project)) == ({-1: 1}, (1, 1))

    services = project.package / "orders" / "services.py"
    services.write_text(
        services.read_text().partition("\n\ndef process_order(order_id):\n    import")[0] + "\n"
    )
    done = project.run("python", "manage.py", "process_waiting_orders", "--minutes", "0")
    assert "1 processed" in done.stdout
    assert counted(project) == (1, 0)
