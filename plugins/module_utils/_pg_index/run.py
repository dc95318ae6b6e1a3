# Copyright: (c) 2026, T.A.R.S. rollout contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This util is PRIVATE to the collection tars.rollout: it may change at any time.
# Do not use it from other collections or from modules and plugins of your own.
"""One call of pg_index_concurrently: read and refuse first, for all indexes; then do; then prove on the replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.tars.rollout.plugins.module_utils._errors import Interrupted
from ansible_collections.tars.rollout.plugins.module_utils._module import Call
from ansible_collections.tars.rollout.plugins.module_utils._pg_index import build, options, present, room
from ansible_collections.tars.rollout.plugins.module_utils._pg_index.work import Work
from ansible_collections.tars.rollout.plugins.module_utils._postgres import facts, lag
from ansible_collections.tars.rollout.plugins.module_utils._postgres.faults import IndexFault, ServerFault
from ansible_collections.tars.rollout.plugins.module_utils._postgres.session import Session
from ansible_collections.tars.rollout.plugins.module_utils._postgres.wanted import Wanted

if TYPE_CHECKING:
    from ansible_collections.tars.rollout.plugins.module_utils._pg_index import absent

LOCKED = "55P03"

# What few calls need is imported where it is needed: Ansible compiles every file of a module anew at each start, which
# a build of some seconds would notice.


class Job:
    """One index: its plan and its part of the result."""

    def __init__(self, work: Work, wanted: Wanted) -> None:
        self.work, self.wanted = work, wanted
        self.result = present.fresh_result(wanted)
        self.schema = wanted.schema
        self.made: present.Plan | absent.Plan | None = None

    def plan(self) -> None:
        """Read and decide; changes nothing."""
        if self.wanted.state == "absent":
            from ansible_collections.tars.rollout.plugins.module_utils._pg_index import absent

            gone = absent.patiently(self.work, self.wanted, self.result)
            self.made, self.schema = gone, gone.seen.schema if gone.seen else self.schema
        else:
            table = facts.find_table(self.work.monitor, self.wanted)
            self.schema = table.schema
            self.result.update(table=table.text, schema=table.schema)
            plan = _partitioned().plan if table.kind == "p" else present.plan
            try:
                self.made = plan(self.work, self.wanted, table)
            except ServerFault as fault:
                if fault.sqlstate != LOCKED:
                    raise
                # Somebody holds the table so that it cannot even be read.
                self.work.wait_until_readable(table, self.wanted.text, self.result)
                self.made = plan(self.work, self.wanted, table)
        self.result["schema"] = self.schema

    @property
    def changes(self) -> bool:
        return self.made is not None and self.made.changes

    @property
    def before(self) -> str:
        """The index as it was, for a diff."""
        seen = self.made.seen if self.made is not None else None
        return "" if seen is None else f"{seen.definition};{'' if seen.valid else ' -- INVALID'}\n"

    def go(self) -> None:
        """Foresee in check mode, else do."""
        check = self.work.call.check_mode
        if isinstance(self.made, present.Plan):
            maker: Any = _partitioned() if self.made.table.kind == "p" else build
            (maker.foresee if check else maker.act)(self.work, self.made, self.result)
        elif self.made is not None:
            from ansible_collections.tars.rollout.plugins.module_utils._pg_index import absent

            (absent.foresee if check else absent.act)(self.work, self.made, self.result)
        outcome = "changed" if self.result["changed"] else "in order"
        self.work.tell(f"{self.schema}.{self.wanted.name}", f"would be {outcome}" if check else outcome)


def _partitioned() -> Any:
    """What plans and does an index of a partitioned table."""
    from ansible_collections.tars.rollout.plugins.module_utils._pg_index import partitioned

    return partitioned


def run(call: Call) -> Mapping[str, Any]:
    """What ``run`` of the module does."""
    wanted = options.all_wanted(call.params)
    work = Work(call, options.address(call.params))
    jobs = [Job(work, one) for one in wanted]
    whole: dict[str, Any] = {}
    try:
        _all(work, jobs, whole)
    except (IndexFault, Interrupted) as fault:
        known = _result(call, jobs, whole)
        if isinstance(fault, IndexFault):
            fault.fields = {**known, **{key: value for key, value in fault.fields.items() if value not in ("", None)}}
        else:
            fault.details.update(known)
        raise
    finally:
        work.close()
    for job in jobs:
        for warning in job.result["warnings"]:
            call.warn(warning if single_form(call) else f"{job.schema}.{job.wanted.name}: {warning}")
    return _result(call, jobs, whole)


def single_form(call: Call) -> bool:
    """Whether the options describe one index instead of a list."""
    return call.params["indexes"] is None


def _all(work: Work, jobs: list[Job], whole: dict[str, Any]) -> None:
    params, session = work.params, work.monitor
    facts.check_server(session, allow_pooler=params["allow_pooler"])
    work.free(session)
    with session.transaction(work.settings):
        pass  # so a value that means nothing is refused before any index is touched
    questions = [job.wanted.question for job in jobs if job.wanted.question is not None]
    if questions:
        from ansible_collections.tars.rollout.plugins.module_utils._postgres import plans

        for question in questions:
            plans.check(session, question)
    for job in jobs:
        job.plan()
    if params["max_replication_lag"] is not None and any(job.changes for job in jobs):
        whole.update(lag.check(session, work.call.clock, params["max_replication_lag"]))
        if not whole.pop("streaming"):
            work.call.warn("max_replication_lag was given, and no replica streams from this primary")
    room.check(work, [(job.made, job.result) for job in jobs if isinstance(job.made, present.Plan) and job.made.builds])
    begun = False
    for job in jobs:
        if begun and job.changes and params["max_replication_lag"] is not None and not work.call.check_mode:
            _let_catch_up(work, job)
        job.go()
        begun = begun or job.result["changed"]
    whole["diff"] = [_diff(job) for job in jobs if job.result["queries"]]
    if work.call.check_mode:
        return
    _prove(work, jobs, whole)


def _let_catch_up(work: Work, job: Job) -> None:
    """What was done before this one put the replicas back: they get time, and the rest waits for another run."""
    limit, patience = work.params["max_replication_lag"], work.params["replica_timeout"]
    done = f"what stands before index {job.wanted.text} is done, and the same command goes on from there"
    lag.check(work.monitor, work.call.clock, limit, done, patience)


def _diff(job: Job) -> dict[str, str]:
    name = f"{job.schema}.{job.wanted.name}"
    after = "".join(f"{statement};\n" for statement in job.result["queries"])
    return {"before_header": name, "after_header": f"{name} (SQL)", "before": job.before, "after": after}


def _prove(work: Work, jobs: list[Job], whole: dict[str, Any]) -> None:
    """On the replicas, and in a plan; also when nothing was changed, for it may be a later run that looks."""
    addresses = options.replicas(work.params)
    there, gone = ([job for job in jobs if job.wanted.state == state] for state in ("present", "absent"))
    if addresses:
        from ansible_collections.tars.rollout.plugins.module_utils._postgres import replicas

        names = [[(job.schema, job.wanted.name) for job in some if job.schema] for some in (there, gone)]
        wish = replicas.barrier(work.monitor, *names)
        work.tell("", f"waiting for {len(addresses)} replica(s)")
        whole["replicas"] = replicas.verify(addresses, wish, work.call.clock, work.params["replica_timeout"])
    asked = [(job, job.wanted.question, _names(work, job)) for job in there if job.wanted.question is not None]
    if not asked:
        return
    from ansible_collections.tars.rollout.plugins.module_utils._postgres import plans

    for job, question, own in asked:
        job.result["explain"] = plans.prove(work.monitor, question, own)
    for entry in whole.get("replicas", []):
        session = Session(addresses[entry["name"]])
        try:
            name = entry["name"]
            entry["explain"] = {job.wanted.name: plans.prove(session, q, own, name) for job, q, own in asked}
        finally:
            session.close()


def _names(work: Work, job: Job) -> set[tuple[str, str]]:
    """Schemas and names that a plan may show: its own and those of the partitions' indexes."""
    own = {(job.schema, job.wanted.name)}
    if isinstance(job.made, present.Plan) and job.made.table.kind == "p" and "oid" in job.result:
        from ansible_collections.tars.rollout.plugins.module_utils._pg_index import parts

        own |= {(one.schema, one.name) for one in parts.attached(work, job.result["oid"])}
    return own


def _result(call: Call, jobs: list[Job], whole: Mapping[str, Any]) -> dict[str, Any]:
    changed = any(job.result["changed"] for job in jobs)
    if single_form(call):
        # Warnings are shown as such, which is Ansible's own field of a result.
        entry = {key: value for key, value in jobs[0].result.items() if key != "warnings"}
        return {**entry, **whole, "changed": changed}
    return {"indexes": [job.result for job in jobs], **whole, "changed": changed}
