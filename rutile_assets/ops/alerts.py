"""Tell people that something needs them: always in alerts.log, and by webhook and e-mail where rutile.yaml says so."""

from __future__ import annotations

import json
import smtplib
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

from dagster import DagsterEvent

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.home import Home
from rutile_assets.provenance.context import utc_now

LOG = "alerts.log"
TIMEOUT_S = 10
KEYS = {"webhook": {"url"}, "email": {"to", "from", "smtp"}}


def alert(home: Home, subject: str, text: str) -> list[str]:
    """Tell what happened.

    Parameters
    ----------
    home : Home
        Its ``rutile.yaml`` may hold ``alerts: {webhook: {url: ...}, email: {to: ..., from: ..., smtp: host:port}}``.
    subject, text : str
        One line, and the details.

    Returns
    -------
    list of str
        What could not be delivered and why; nobody's computation stops for that. It stands in alerts.log too.

    Raises
    ------
    InvalidRecord
        ``alerts`` in rutile.yaml is not as above.
    """
    channels = alert_channels(home)
    undelivered = []
    for name, send in (("webhook", _post), ("email", _mail)):
        if name in channels:
            try:
                send(channels[name], subject, text)
            except (OSError, smtplib.SMTPException, urllib.error.URLError, ValueError) as fault:
                undelivered.append(f"alert by {name} not delivered: {' '.join(str(fault).split())}")
    with (home.root / LOG).open("a", encoding="utf-8") as log:
        for line in (f"{subject}: {' '.join(text.split())}", *undelivered):
            log.write(f"{utc_now():%Y-%m-%d %H:%M:%S} UTC  {line}\n")
    return undelivered


def failure_sentence(event: DagsterEvent) -> str:
    """Return the step that failed and the sentence it failed with, on one line."""
    failure = event.step_failure_data
    error, data = failure.error, failure.user_failure_data
    text = (data.description if data else None) or (error.cause or error).message if error else "failed"
    return f"{event.step_key}: {' '.join(str(text).split())}"


def alert_channels(home: Home) -> Mapping[str, Mapping[str, str]]:
    """Return ``alerts`` of rutile.yaml, checked.

    Raises
    ------
    InvalidRecord
        An unknown channel or key, a missing one, or an address of another kind than http(s).
    """
    channels = home.settings.get("alerts") or {}
    for name, given in channels.items():
        if name not in KEYS or set(given) != KEYS[name] or not all(isinstance(value, str) for value in given.values()):
            raise InvalidRecord(
                f"alerts.{name}: {sorted(given)}",
                "webhook: {url}, email: {to, from, smtp}, each a text",
                "Correct it.",
                str(home.settings_file),
            )
    address = channels.get("webhook", {}).get("url", "https://")
    if not address.startswith(("http://", "https://")):
        raise InvalidRecord(f"alerts.webhook.url {address!r}", "http(s)://", "Correct it.", str(home.settings_file))
    return channels


def _post(channel: Mapping[str, Any], subject: str, text: str) -> None:
    body = json.dumps({"text": f"{subject}\n{text}", "subject": subject, "details": text}).encode()
    request = urllib.request.Request(channel["url"], body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):
        pass


def _mail(channel: Mapping[str, Any], subject: str, text: str) -> None:
    message = EmailMessage()
    message["Subject"], message["To"], message["From"] = f"rutile: {subject}", channel["to"], channel["from"]
    message.set_content(text)
    host, _, port = channel["smtp"].partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_S) as server:
        server.send_message(message)
