"""Which duties there are: every supervisor, and every worker without one, has all of them."""

from __future__ import annotations

from workhorse.core.settings import RECOVER_EVERY
from workhorse.store.drivers import Store
from workhorse.worker.duties.admit import Admit
from workhorse.worker.duties.checkup import Checkup
from workhorse.worker.duties.cron import Cron
from workhorse.worker.duties.duty import Duty
from workhorse.worker.duties.forward import Forward
from workhorse.worker.duties.promote import Promote
from workhorse.worker.duties.reconcile import Reconcile
from workhorse.worker.duties.reconsider import Reconsider
from workhorse.worker.duties.recover import Recover
from workhorse.worker.duties.sample import Sample
from workhorse.worker.duties.sweep import Sweep
from workhorse.worker.options import WorkerOptions


def roster(store: Store, options: WorkerOptions) -> tuple[Duty, ...]:
    """Return the duties; leases that lapse sooner are looked at sooner."""
    scheduler = (
        Forward(store, options.keys), Promote(store, options.keys), Cron(store, options.keys)
    )  # fmt: skip
    return (
        Checkup(store),
        *(scheduler if options.scheduler else ()),
        Recover(store, options.keys, every=min(RECOVER_EVERY, options.lease / 2)),
        Sweep(store, options.keys, options.queues),
        Admit(store, options.keys),
        Reconcile(store, options.keys),
        Reconsider(store, options.keys),
        Sample(store, options.keys),
    )
