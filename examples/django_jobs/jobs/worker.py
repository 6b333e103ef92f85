"""Takes the next job, charges its account, and has the result sent once it is saved."""

from django.db import transaction
from django.db.models import F

from .models import Account, Job


def run_next(notify):
    """Run one job; called by each worker whenever it is idle."""
    with transaction.atomic():
        job = Job.objects.filter(state=Job.State.QUEUED).order_by("id").first()
        if job is None:
            return
        account = job.account
        if account.credits < 1:
            job.state = Job.State.REFUSED
        else:
            account.credits -= 1
            account.save()
            job.state = Job.State.DONE
            transaction.on_commit(lambda: notify.done(job.id))
        job.save()


def run_next_fixed(notify):
    """The same: a job that is taken is passed over, and credits are counted in SQL."""
    with transaction.atomic():
        job = (
            Job.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("account")
            .filter(state=Job.State.QUEUED)
            .order_by("id")
            .first()
        )
        if job is None:
            return
        charged = Account.objects.filter(id=job.account_id, credits__gte=1).update(
            credits=F("credits") - 1
        )
        job.state = Job.State.DONE if charged else Job.State.REFUSED
        job.save(update_fields=["state"])
        if charged:
            transaction.on_commit(lambda: notify.done(job.id))
