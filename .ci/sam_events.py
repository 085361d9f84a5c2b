"""Runs the functions that SAM has built, in containers, on the samples in events/.

Usage: sam_events.py BUILT_TEMPLATE ARCHITECTURE [--serve]
With --serve it prints commands for experiments, and keeps everything running until its input ends.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path

from sam_parts import REGION, free_port, serve
from sam_world import GOLANG, MIRRORED, NGINX, NODE_22, NODE_24, REDIS, World

# The function that gets each sample, and its report: the status and the subject of each entry, in order.
EVENTS = [
    ("Refresh", "scheduled-event-rule", [f"deferred {NGINX}", f"deferred {NODE_24}"]),
    ("Refresh", "scheduler-default-no-input", [f"deferred {NGINX}", f"deferred {NODE_24}"]),
    ("Refresh", "scheduler-input-delivered", [f"deferred {NGINX}", f"deferred {NODE_24}"]),
    ("Refresh", "retry-schedule-delivered", [f"deferred {NGINX}", f"deferred {NODE_24}"]),
    ("Rescue", "batch-job-failed-image-not-found", [f"deferred {NGINX}"]),
    ("Rescue", "cloudtrail-ecr-batchgetimage-error", [f"deferred {NGINX}"]),
    ("Rescue", "cloudwatch-logs-toomanyrequests", [f"deferred {GOLANG}"]),
    ("Rescue", "codebuild-state-change-docker-build-failed", [f"deferred {NODE_24}"]),
    ("Rescue", "codebuild-state-change-env-image-pull-failed", [f"deferred {NODE_24}"]),
    ("Rescue", "ecr-pull-through-cache-failed.UNVERIFIED-VALUES", [f"deferred {NGINX}"]),
    ("Rescue", "ecs-task-stopped-dockerhub-rate-limit", [f"deferred {NGINX}"]),
    ("Rescue", "ecs-task-stopped-mirror-image-not-found", [f"deferred {NODE_22}"]),
    ("Rescue", "sns-codestar-notification-docker-build-failed", [f"deferred {NODE_24}"]),
    ("Rescue", "sqs-of-sns-ecs-task-stopped", [f"deferred {NGINX}"]),
    ("Rescan", "ecr-image-scan-complete", [f"deferred {NGINX}"]),
    ("Rescan", "ecr-image-scan-complete-no-findings", [f"ignored {MIRRORED}"]),
    ("Rescan", "ecr-image-scan-failed", [f"ignored {MIRRORED}"]),
    ("Rescan", "inspector2-finding", [f"ignored {MIRRORED}"]),
    ("Rescan", "inspector2-scan", [f"deferred {NGINX}"]),
    ("Rescan", "sqs-batch-of-eventbridge-events", [f"deferred {NGINX}"]),
    (
        "Rescan",
        "sqs-batch-of-inspector2-findings",
        [f"deferred {NGINX}", "ignored Inspector2 Finding 0d9c8b7a-6f5e-4d3c-2b1a-000000000004"],
    ),
]

# Samples that no rule of the template sends to a function.
UNSENT = [
    "codebuild-phase-change-*",
    "ecr-image-action-*",
    "ecr-pull-through-cache-success",
    "ecr-replication-action-*",
    "ecr-scan-resource-change",
    "image-replicat*",
]


class Sam:
    """The functions, as SAM runs them on this machine."""

    def __init__(self, template, architecture, settings):
        self.options = ["--template", template, "--env-vars", str(settings), "--region", REGION, "--skip-pull-image"]
        self.options += ["--parameter-overrides", f"Architecture={architecture}"]

    def invoke(self, function, event):
        """`sam local invoke`, one container for one event.

        In about one of several hundred runs, SAM succeeds without any output, as if it had not invoked the
        container. That is no fault of the function, and is retried once.
        """
        command = ["sam", "local", "invoke", function, "--event", event, *self.options]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode == 0 and not ended.stdout.strip():
            print(f"{function} on {event}: no output, retried once\n{ended.stderr}", flush=True)
            ended = subprocess.run(command, capture_output=True, text=True)
        result = ended.stdout.strip().rsplit("\n", 1)[-1]
        try:
            return json.loads(result)
        except ValueError:
            raise SystemExit(f"{function} on {event}: {ended.returncode} {result}\n{ended.stderr}") from None

    def commands(self):
        """Commands that do the same by hand, in another terminal."""
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "DOCKER_HOST")
        variables = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
        url, payload = "http://127.0.0.1:3001", """'{"images":["redis:7"]}'"""
        return "\n".join([
            "source .ci/environment",
            " ".join(["export", *variables]),
            " ".join(["sam local invoke Refresh --event events/scheduled-event-rule.json", *self.options]),
            " ".join(["sam local start-lambda", *self.options, "&"]),
            f"aws lambda invoke --endpoint-url {url} --function-name Ensure --payload {payload} /dev/stdout",
        ])

    def start(self, stack, directory):
        """`sam local start-lambda`, which runs until the stack ends. Returns its URL."""
        port = free_port()
        command = ["sam", "local", "start-lambda", "--port", str(port), "--warm-containers", "LAZY", *self.options]
        serve(stack, directory / "start-lambda.log", port, *command)
        return f"http://127.0.0.1:{port}"


def call(url, function, event, directory):
    """`aws lambda invoke`, as a build does it."""
    result = directory / f"{function}.{threading.get_ident()}.json"
    command = ["aws", "lambda", "invoke", "--endpoint-url", url, "--function-name", function]
    command += ["--cli-read-timeout", "300", "--payload", json.dumps(event), str(result)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads(result.read_text())


def lines(result):
    """The status and the subject of each entry of a report, sorted, each once."""
    found = [f"{image['status']} {image['image']}" for image in result["images"]]
    found += [f"refused {refused['image']}" for refused in result.get("refused", [])]
    found += [f"waiting {image}" for image in result.get("waiting", [])]
    found += [f"ignored {ignored['what']}" for ignored in result.get("ignored", [])]
    return sorted({line.replace("docker.io/", "") for line in found})


def check(what, found, expected):
    print(f"{'ok' if found == expected else 'NOT'}: {what}: {found}", flush=True)
    if found != expected:
        raise SystemExit(f"expected {expected}")


def work_through_queue(world, url, directory, done):
    """Sends the queue's messages to the worker, as Lambda does, until the event `done` is set."""
    while not done.wait(1):
        for event in world.messages():
            check("Replicate of a message", call(url, "Replicate", event, directory), {"batchItemFailures": []})
            world.mirrored()


def check_samples():
    known = [sample for _, sample, _ in EVENTS] + UNSENT
    unknown = [path.stem for path in Path("events").iterdir() if not any(fnmatch(path.stem, name) for name in known)]
    check("samples without a function", unknown, [])


def run(world, sam, stack, directory):
    check_samples()
    for function, sample, expected in EVENTS:
        check(f"{function} of {sample}", lines(sam.invoke(function, f"events/{sample}.json")), expected)
    messages = world.messages()
    check("messages of all these events", len(messages), 4)
    url, done = sam.start(stack, directory), threading.Event()
    for message in messages:
        check("Replicate of a message", call(url, "Replicate", message, directory), {"batchItemFailures": []})
    world.mirrored()
    with ThreadPoolExecutor() as pool:
        worker = pool.submit(work_through_queue, world, url, directory, done)
        request = {"images": ["nginx:1.27-alpine", "redis:7"], "wait_seconds": 60}
        result = call(url, "Ensure", request, directory)
        done.set()
        worker.result()
    check("Ensure of a request", (result["ok"], lines(result)), (True, [f"copied {REDIS}", f"unchanged {NGINX}"]))
    check("what the mirror holds", world.mirrored(), world.digests)


def main(template, architecture, *rest):
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = World(stack, directory)
        sam = Sam(template, architecture, world.settings)
        if rest == ("--serve",):
            world.copy_without_queue()
            print(sam.commands(), flush=True)
            sys.stdin.read()
        else:
            run(world, sam, stack, directory)


main(*sys.argv[1:])
