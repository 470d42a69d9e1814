"""Procrastinate's own upkeep, in each worker: finished jobs go, jobs of dead workers start again.

Yours go into your apps' jobs.py; for other times, name another module in settings.py.
"""

from procrastinate import JobContext
from procrastinate.contrib.django import app

FIRST = 100  # Other jobs have priority 0 by default: no backlog delays the upkeep.


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="retry_stalled_jobs", priority=FIRST, pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Queue again what a worker held that gave no sign of life for so long."""
    seconds = context.app.worker_defaults["stalled_worker_timeout"]
    jobs = context.app.job_manager
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=seconds):
        await jobs.retry_job(job)


@app.periodic(cron="17 3 * * *")
@app.task(queueing_lock="remove_old_jobs", priority=FIRST, pass_context=True)
async def remove_old_jobs(context: JobContext, timestamp: int) -> None:
    """Each night, remove jobs that ended a week ago, and their events; failed ones after a month."""
    jobs = context.app.job_manager
    await jobs.delete_old_jobs(nb_hours=7 * 24, include_cancelled=True, include_aborted=True)
    await jobs.delete_old_jobs(nb_hours=30 * 24, include_failed=True)
