"""Which queue does what; this is the one place that decides.

| work | queue | why |
|---|---|---|
| an order's processing | Procrastinate, jobs.py | its job commits, or rolls back, with the order |
| orders that still wait | Celery, tasks.py, by beat | independent of the other queue |

To move a task: write it for the other queue, change the call below, deploy, and keep the old
function until its queue is empty, since waiting messages name it.
"""

from acme_shop.logs import request_id

from .jobs import process_order

# What has to run; the page says so in development while orders wait.
WORKER = "uv run manage.py procrastinate worker"


def enqueue_processing(order_id: int) -> None:
    """Defer the order to Procrastinate: a row, which commits or rolls back with the order."""
    cause = request_id.get()
    process_order.defer(order_id=order_id, **({"request_id": cause} if cause != "-" else {}))
