"""What of a job may be written by hand: its notes; and all of it while it is nowhere yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workhorse.api.options import check_state
from workhorse.api.snapshot import JobSnapshot
from workhorse.core.errors import InvalidJobOperation, NoSuchJobError
from workhorse.core.states import State
from workhorse.store import saving, views
from workhorse.store.calls import Call
from workhorse.store.drivers import Store
from workhorse.store.pipelines import put_on
from workhorse.wire.payload import dump, load


class JobSaving(JobSnapshot):
    """How a ``Job`` is written."""

    _meta: dict[str, Any] | None
    _is_new: bool

    @property
    def _store(self) -> Store:
        raise NotImplementedError

    @property
    def meta(self) -> dict[str, Any]:
        """A dictionary of the user's own; change it and call ``save_meta``."""
        if self._meta is None:
            self._meta = self._loaded(self.record.meta)
        return self._meta

    @meta.setter
    def meta(self, meta: Mapping[str, Any]) -> None:
        self._meta = dict(meta)

    def get_meta(self, refresh: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as in RQ
        """Return ``meta``, fetched anew unless *refresh* is False."""
        if refresh:
            raw = self._store.run(views.job_field(self._keys, self.id, "meta"))
            self._meta = self._loaded(raw)
        return self.meta

    def _loaded(self, meta: bytes | None) -> dict[str, Any]:
        return dict(load(meta, self.serializer, f"the meta of job {self.id}")) if meta else {}

    def save_meta(self) -> None:
        """Store ``meta`` as it is now. Raises NoSuchJobError; a job that is gone stays gone."""
        if not self._store.run(saving.set_meta(self._keys, self.id, self._dumped_meta())):
            raise NoSuchJobError(self.id)

    def _dumped_meta(self) -> bytes:
        return dump(self.meta, self.serializer, f"the meta of job {self.id}")

    def save(
        self,
        pipeline: Any = None,
        include_meta: bool = True,  # noqa: FBT001, FBT002 - as in RQ
        include_result: bool = True,  # noqa: FBT001, FBT002 - as in RQ
    ) -> None:
        """Store a job that was made by hand, in no queue, or the ``meta`` of one that is stored.

        RQ's writes every field, and so brings back a job that was deleted, or undoes what others
        did meanwhile. Here all but the meta is changed by what has a name: ``cancel``,
        ``requeue``, ``ScheduledJobRegistry.schedule`` and so on; *include_result* changes nothing.
        A job that is there, with the id of one made by hand, stays as it is. Raises
        NoSuchJobError for one that is gone.
        """
        del include_result
        if self._is_new:
            call: Call[bool] = saving.save(self._keys, self._to_store())
        elif include_meta:
            call = saving.set_meta(self._keys, self.id, self._dumped_meta())
        else:
            return
        if pipeline is not None:
            put_on(pipeline, [call])
        elif not self._store.run(call) and not self._is_new:
            raise NoSuchJobError(self.id)
        self._is_new = False

    def _to_store(self) -> Any:
        self._record.meta = self._dumped_meta() if self.meta else None
        return self._record

    def set_status(self, status: State | str, pipeline: Any = None) -> None:
        """Set what a job that is not stored says of itself.

        Raises InvalidJobOperation for one that is: where it is and what it says must agree, so
        only ``enqueue_job``, ``cancel``, ``stop``, ``requeue`` and ``delete`` move it.
        """
        to = check_state(status)
        if not self._is_new or pipeline is not None:
            raise InvalidJobOperation(
                f"job {self.id} can't be called {to}: a status follows from where a job is; move "
                "it by enqueue_job, cancel, stop, requeue or delete"
            )
        self._record.status = to
