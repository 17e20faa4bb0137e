"""Submit a sweep's jobs as one SLURM array, wait for them, and say how each ended."""

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict

from sign_recog.errors import ConfigError, SignRecogError
from sign_recog.launch import cluster
from sign_recog.launch.overview import Standing, print_standings, standings
from sign_recog.launch.records import JobRecord, new_folder, read_jobs, write_jobs
from sign_recog.launch.task import SubmittedJob

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
SHORTEST_S, LONGEST_S = 2.0, 30.0  # between two questions to SLURM while waiting


def launch(
    configs: Sequence[DictConfig],
    overrides: Sequence[Sequence[str]],
    first: int,
    task: Callable[[DictConfig], float | None],
) -> list[JobReturn]:
    """Submit a job for each of ``configs``, whose node ``hydra`` is Hydra's own.

    A job of an earlier command that still waits or runs in the same run folder is waited for instead of a second one.

    Raises:
        ConfigError: If two jobs share a run folder.
        SignRecogError: If SLURM refuses the jobs, or after all have ended, if one has failed.
    """
    sweep = Path(str(configs[0].hydra.sweep.dir))
    overrides = _differing(overrides)
    for number, config in enumerate(configs, start=first):
        _freeze(config, number)
    run_dirs = [Path(str(config.paths.run_dir)).absolute() for config in configs]
    _refuse_shared_folders(run_dirs, overrides)
    records = _already_active(sweep, run_dirs)
    new = [i for i, run_dir in enumerate(run_dirs) if run_dir not in {r.run_dir for r in records}]
    for record in records:
        logger.info("%s: job %s of an earlier command is at it.", " ".join(record.overrides), record.job)
    if new:
        records += _submit(sweep, [configs[i] for i in new], [list(overrides[i]) for i in new], task)
    if not configs[0].launcher.wait:
        print_standings(f"{sweep}: submitted", standings(records))
        return [_done(None, None) for _ in configs]
    ended = _wait(records, sweep)
    print_standings(f"{sweep}: all jobs have ended", ended)
    failed = [s for s in ended if s.state != "finished"]
    if failed:
        raise SignRecogError(
            f"{len(failed)} of {len(ended)} jobs did not finish: {', '.join(s.record.job for s in failed)}. "
            "The same command runs those again, and goes on where they were."
        )
    by_folder = {s.record.run_dir: s for s in ended}
    return [_done(by_folder[r].record.report.objective, c) for r, c in zip(run_dirs, configs, strict=True)]


def _differing(overrides: Sequence[Sequence[str]]) -> list[list[str]]:
    """What tells a job from the others; all of it where there is one job."""
    common = set.intersection(*(set(own) for own in overrides)) if len(overrides) > 1 else set()
    return [[text for text in own if text not in common] for own in overrides]


def _done(objective: float | None, config: DictConfig | None) -> JobReturn:
    done = JobReturn(cfg=config, status=JobStatus.COMPLETED)
    done.return_value = objective
    return done


def _freeze(config: DictConfig, number: int) -> None:
    """Resolve everything, so that neither files nor the environment of a later start can change it."""
    with open_dict(config):
        config.hydra.job.num, config.hydra.job.id = number, f"job_{number}"
        for key in config:
            if key != "hydra":
                OmegaConf.resolve(config[key]) if OmegaConf.is_config(config[key]) else None
        config.hydra.sweep.dir, config.hydra.sweep.subdir = str(config.hydra.sweep.dir), str(config.hydra.sweep.subdir)


def _refuse_shared_folders(run_dirs: list[Path], overrides: Sequence[Sequence[str]]) -> None:
    for i, run_dir in enumerate(run_dirs):
        if run_dir in run_dirs[:i]:
            other = overrides[run_dirs.index(run_dir)]
            raise ConfigError(
                f"{' '.join(overrides[i])} and {' '.join(other)} are the same run, {run_dir}: what differs has no "
                "effect on its result. At the same time they would spoil it. Leave one of them out."
            )


def _already_active(sweep: Path, run_dirs: list[Path]) -> list[JobRecord]:
    """Jobs submitted earlier that wait or run in one of ``run_dirs``."""
    earlier = [record for record in read_jobs(sweep) if record.run_dir in run_dirs]
    if not earlier:
        return []
    try:
        known = cluster.jobs([record.job for record in earlier])
    except cluster.ClusterError as error:
        raise SignRecogError(f"launcher.cluster=slurm: {error}\nlauncher.cluster=local runs the jobs here.") from error
    return [r for r in earlier if r.job in known and known[r.job].is_active and r.report.state != "finished"]


def _submit(
    sweep: Path, configs: list[DictConfig], overrides: list[list[str]], task: Callable[[DictConfig], float | None]
) -> list[JobRecord]:
    import submitit
    from submitit.core.utils import FailedJobError

    folder = new_folder(sweep)
    settings = configs[0].launcher
    try:
        executor = submitit.SlurmExecutor(folder)
        executor.update_parameters(**sbatch_options(settings, str(configs[0].name)))
        jobs = executor.map_array(_call, [SubmittedJob(folder, i, c, task) for i, c in enumerate(configs)])
    except (FailedJobError, RuntimeError) as error:
        raise SignRecogError(_refusal(error, settings)) from error
    records = [
        JobRecord(job.job_id, i, own, Path(str(c.paths.run_dir)).absolute(), folder)
        for i, (job, own, c) in enumerate(zip(jobs, overrides, configs, strict=True))
    ]
    write_jobs(folder, records)
    ids = records[0].job if len(records) == 1 else f"{records[0].job.partition('_')[0]} ({len(records)} jobs)"
    logger.info(
        "Submitted to SLURM: %s.\n  state of each job   python run.py run=status run.folder=%s\n"
        "  what they print     tail -f %s/*_log.out\n  end them            scancel %s",
        ids, sweep, os.path.relpath(folder), records[0].job.partition("_")[0],
    )  # fmt: skip
    return records


def _call(job: SubmittedJob) -> float | None:
    return job()


def sbatch_options(settings: DictConfig, name: str) -> dict[str, Any]:
    """The settings of group ``launcher`` as submitit's Slurm executor takes them."""
    options: dict[str, Any] = {
        "job_name": name,
        "nodes": settings.nodes,
        "ntasks_per_node": 1,  # a node's processes are started by its task
        "gpus_per_node": settings.gpus_per_node or None,
        "cpus_per_task": settings.cpus_per_task,
        "mem": f"{round(settings.mem_gb * 1024)}M",
        "time": settings.timeout_min,
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "constraint": settings.constraint,
        "array_parallelism": settings.array_parallelism,
        "signal_delay_s": settings.signal_s,
        "stderr_to_stdout": True,
        "srun_args": ["--kill-on-bad-exit=1"],
        # The job finds this code, also where it is not installed.
        "setup": [*settings.setup, f'export PYTHONPATH="{ROOT}${{PYTHONPATH:+:$PYTHONPATH}}"'],
        "additional_parameters": {"requeue": True, **dict(settings.sbatch)},
    }
    return {key: value for key, value in options.items() if value is not None} | {"wckey": None}  # not submitit's


def _refusal(error: Exception, settings: DictConfig) -> str:
    """What SLURM said against a submission, and what there is instead."""
    said = str(error).strip().replace("sbatch: error: ", "")
    lines = [f"SLURM refused the jobs: {said}"]
    try:
        known = cluster.partitions()
        if settings.partition is not None and settings.partition not in known:
            lines.append(f"launcher.partition={settings.partition} is none of this cluster's: {', '.join(known)}.")
        else:
            lines.append("Compare the group launcher with what `sinfo` and `sacctmgr show assoc` allow.")
    except cluster.ClusterError as missing:
        lines.append(f"{missing} launcher.cluster=local runs the jobs here.")
    return "\n".join(lines)


def _wait(records: list[JobRecord], sweep: Path) -> list[Standing]:
    """Until no job waits or runs. A SLURM that does not answer for a while is asked again."""
    said: dict[str, str] = {}
    pause = SHORTEST_S
    try:
        while True:
            now = standings(records)
            for standing in now:
                text = f"job {standing.record.job} ({' '.join(standing.record.overrides)}): {standing.line}"
                if said.get(standing.record.job) != standing.state:
                    logger.info("%s", text)
                    said[standing.record.job], pause = standing.state, SHORTEST_S
            if not any(standing.is_active for standing in now):
                return now
            _sleep(pause, records)
            pause = min(LONGEST_S, pause * 1.2)
    except KeyboardInterrupt:
        print(
            f"\nThe jobs go on without this command. Their state: python run.py run=status run.folder={sweep}; "
            f"to end them: scancel {' '.join(sorted({r.job.partition('_')[0] for r in records}))}",
            file=sys.stderr,
        )
        raise


def _sleep(seconds: float, records: list[JobRecord]) -> None:
    """A pause, which ends early when a job says something new."""
    before = _news(records)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.5)
        if _news(records) != before:
            return


def _news(records: list[JobRecord]) -> list[float]:
    found = []
    for record in records:
        try:
            found.append(record.report_path.stat().st_mtime)
        except OSError:
            found.append(0.0)
    return found
