"""Prints the changes that the demo receives, one line each."""

import json
import sys
import time
from datetime import datetime

from live_client import Data

STARTED = time.monotonic()
SOON_S = 0.1
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


def title(text: str) -> None:
    """Print the title of a pattern."""
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


def print_line(what: str, text: str) -> None:
    """Print a line with the time since the start."""
    print(f"{time.monotonic() - STARTED:6.2f} s  {what:<17} {text}", flush=True)


def show_job(change: Data) -> None:
    if change["event"]:
        print_line(change["job"]["functionName"], describe_job(change))


def show_call(change: Data) -> None:
    """Print a change of an HTTP call. Each call is a job; they are numbered by attempt."""
    event, job = change["event"], change["job"]
    if event:
        ended, failures = event["state"] == "SUCCESS", job["args"].get("attempts", 0)
        failed = ended and job["result"] is None
        text = f"failed; retrying in {2**failures} s" if failed else describe_job(change)
        status = job["result"]["status"] if ended and not failed else None
        print_line(f"call {failures + 1}", f"answered {status}" if status else text)


def describe_job(change: Data) -> str:
    """Describe a change of a job, with its error if there is one."""
    event, job = change["event"], change["job"]
    state = str(event["state"])
    if event["error"]:
        return f"{state}: {event['error']['message']}"
    wait_s = _seconds(event["at"], job["scheduledTime"])
    if state == "PENDING" and wait_s > SOON_S:
        return f"{state}, due in {wait_s:.1f} s"
    if state == "IN_PROGRESS" and event["attempt"] > 1:
        return f"{state}, attempt {event['attempt']}"
    return f"{state} → {_json(job['result'])}" if state == "SUCCESS" and job["result"] else state


def show_cron(change: Data) -> None:
    cron = change["cron"]
    if cron is None:
        print_line("cron", "deleted")
    elif cron["enabled"]:
        print_line("cron", f"enabled, runs next at {_clock(cron['nextRunTime'])}")
    else:
        print_line("cron", "paused")


def show_batch(change: Data) -> None:
    batch = change["batch"]
    if batch is None:
        return
    text = f"{batch['state']}, {batch['processed']} processed, {batch['remaining']} left"
    rate = batch["itemsPerSecond"]
    # Before the end, the average is too high: it does not yet include the pauses between pages.
    if batch["state"] == "DONE" and rate:
        text += f", {rate:.0f} per second"
    print_line("batch", text)


def show_request(change: Data) -> None:
    request = change["request"]
    if request:
        result = f" → {_json(request['result'])}" if request["result"] is not None else ""
        print_line("request", f"{request['state']}{result}")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _clock(instant: str) -> str:
    """Format a UTC instant in local time."""
    return f"{datetime.fromisoformat(instant).astimezone():%H:%M:%S}"
