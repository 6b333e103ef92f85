"""The tables of the queue."""

from django.db import models


class Account(models.Model):
    """Who may run jobs, and how many more."""

    credits = models.IntegerField()


class Job(models.Model):
    """One piece of work."""

    class State(models.TextChoices):
        """What has become of it."""

        QUEUED = "queued"
        DONE = "done"
        REFUSED = "refused"

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)

    class Meta:
        """Workers look for what is queued."""

        indexes = [models.Index(fields=["state", "id"])]
