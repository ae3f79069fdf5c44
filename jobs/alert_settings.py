"""The settings of the watchdog and its alerts; part of `Settings`."""

from typing import Final, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

MIN_SECRET_BYTES: Final = 32  # as long as the output of SHA-256


class AlertSettings(BaseSettings):
    """When the watchdog of the API processes opens alerts, and whom it tells."""

    watchdog_ms: int = Field(
        1_000,
        ge=0,
        le=60_000,
        description="One of the API processes looks for reasons for alerts every so many "
        "milliseconds; 0 for never.",
    )
    alert_no_worker_after_ms: int = Field(
        6_000,
        ge=1_000,
        description="Open an alert when no worker has been heard for this many milliseconds.",
    )
    alert_queue_after_ms: int = Field(
        30_000,
        ge=0,
        description="Open an alert when a job has been due for this many milliseconds in a queue "
        "that no running worker serves.",
    )
    alert_cron_late_after_ms: int = Field(
        60_000,
        ge=1_000,
        description="Open an alert when a cron has not run for this many milliseconds after its "
        "due time.",
    )
    alert_job_stuck_after_ms: int = Field(
        60_000,
        ge=0,
        description="Open an alert when a job runs for this many milliseconds beyond its timeout.",
    )
    alert_failures: int = Field(
        3,
        ge=0,
        le=100,
        description="Open an alert when this many runs of a cron have failed in a row, or this "
        "many jobs of a function have failed in 15 minutes while none has succeeded; 0 for never.",
    )
    alert_kept_ms: int = Field(
        604_800_000,
        ge=60_000,
        description="Alerts are deleted this many milliseconds after they were resolved: 7 days.",
    )
    alert_webhook_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/]+",
        description="URL that receives a signed POST request when an alert opens or ends.",
    )
    alert_webhook_secret: SecretStr | None = Field(
        None,
        description="Secret of at least 32 bytes that signs the requests of the webhook.",
    )

    @model_validator(mode="after")
    def _require_webhook_secret(self) -> Self:
        secret = self.alert_webhook_secret
        if secret is not None and len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(
                f"OSTINATO_ALERT_WEBHOOK_SECRET must have at least {MIN_SECRET_BYTES} bytes: "
                "`openssl rand -hex 32`"
            )
        if self.alert_webhook_url is not None and secret is None:
            raise ValueError(
                "OSTINATO_ALERT_WEBHOOK_URL needs OSTINATO_ALERT_WEBHOOK_SECRET, with which "
                "requests are signed: `openssl rand -hex 32`"
            )
        return self
