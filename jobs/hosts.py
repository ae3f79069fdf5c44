"""Hosts in settings and in calls of functions; recognizes those of this machine."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit


def parse_entry(entry: str) -> tuple[str, int | None]:
    """Return the host, in lower case, and the port of `host` or `host:port`; raises ValueError."""
    try:
        parts = urlsplit(f"//{entry}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or entry != parts.netloc or not entry.isprintable() or " " in entry:
        raise ValueError(f"{entry!r} must be `host` or `host:port`")
    return host, port


def is_secure_url(url: str) -> bool:
    """Return whether others cannot read along: an https:// URL, or an http:// URL of localhost."""
    try:
        parts = urlsplit(url)
        is_local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_local)
    )


def is_own_name(host: str) -> bool:
    """Return whether a host is a name or an address of this machine, without resolving it."""
    if host in {"localhost", socket.gethostname().lower()}:
        return True
    try:
        return is_own_address(host)
    except ValueError:
        return False


def is_own_address(text: str) -> bool:
    """Return whether a socket of this machine can be bound to the address.

    Raises ValueError if it is not an address.
    """
    address = ip_address(text)
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    address = inner or address
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
