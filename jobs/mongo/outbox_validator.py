"""What MongoDB requires of an entry of the outbox, when an application inserts it.

It finds most mistakes at the insert. `ostinato.jobs.outbox` checks each entry in full.
"""

from typing import Any, Final

from ostinato.jobs.lanes import MAX_PRIORITY, QUEUE_PATTERN
from ostinato.jobs.options import MAX_JOB_TIMEOUT_MS, MAX_NAME_CHARS
from ostinato.jobs.rights import MAX_OWNER_CHARS
from ostinato.jobs.tags import MAX_TAG_CHARS, MAX_TAGS

MAX_ENTRY_BYTES: Final = 1024 * 1024
"""Of the whole document; arguments of 64 KiB as JSON can be five times as large in BSON."""
WHOLE_NUMBER: Final[dict[str, Any]] = {"bsonType": ["int", "long", "double", "null"]}

OUTBOX_VALIDATOR: Final[dict[str, Any]] = {
    "$jsonSchema": {
        "title": "a job to schedule: see docs/outbox.md of Ostinato",
        "bsonType": "object",
        "required": ["functionName", "owner"],
        "additionalProperties": False,
        "properties": {
            "_id": {},
            "functionName": {
                "bsonType": "string",
                "minLength": 1,
                "maxLength": MAX_NAME_CHARS,
                "description": "the name of a function: 'module.camelName'",
            },
            "owner": {
                "bsonType": ["string", "null"],
                "minLength": 1,
                "maxLength": MAX_OWNER_CHARS,
                "description": "the id of a user, or null for the system",
            },
            "args": {
                "bsonType": ["object", "null"],
                "description": "the arguments: an object of at most 64 KiB as JSON",
            },
            "runAt": {
                "bsonType": ["date", "null"],
                "description": "when to run: a date at most five years from now",
            },
            "key": {
                "bsonType": ["string", "null"],
                "minLength": 1,
                "maxLength": MAX_NAME_CHARS,
                "description": f"an idempotency key of 1 to {MAX_NAME_CHARS} characters",
            },
            "tags": {
                "bsonType": ["array", "null"],
                "maxItems": MAX_TAGS,
                "items": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TAG_CHARS},
                "description": f"at most {MAX_TAGS} texts of 1 to {MAX_TAG_CHARS} characters",
            },
            "queue": {
                "bsonType": ["string", "null"],
                "pattern": QUEUE_PATTERN,
                "description": "1 to 64 characters of a-z, 0-9, _ and -",
            },
            "priority": {
                **WHOLE_NUMBER,
                "minimum": 0,
                "maximum": MAX_PRIORITY,
                "multipleOf": 1,
                "description": f"a whole number from 0 to {MAX_PRIORITY}",
            },
            "timeoutMs": {
                **WHOLE_NUMBER,
                "minimum": 1,
                "maximum": MAX_JOB_TIMEOUT_MS,
                "multipleOf": 1,
                "description": "the time limit of one attempt in milliseconds, at most a day",
            },
        },
    },
    "$expr": {"$lte": [{"$bsonSize": "$$ROOT"}, MAX_ENTRY_BYTES]},
}
