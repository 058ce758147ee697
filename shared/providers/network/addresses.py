"""Which addresses a user-supplied URL may reach: the public internet, and what the operator lists."""

import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from shared.errors import Refused

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

# 127.1, 2130706433, 0x7f.0.0.1, 0177.0.0.1: addresses to the C library, names to a careless check.
NUMERIC_SPELLING = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+)){0,3}", re.IGNORECASE)
NAT64 = IPv6Network("64:ff9b::/96")
# What `is_global` leaves out in some Python versions; 168.63.129.16 is Azure's host on a public number.
FORBIDDEN_4 = """0.0.0.0/8 100.64.0.0/10 168.63.129.16/32 169.254.0.0/16 192.0.0.0/24 192.88.99.0/24
    198.18.0.0/15 240.0.0.0/4"""
FORBIDDEN_6 = """::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 3fff::/20 5f00::/16 fc00::/7 fe80::/10
    fec0::/10"""
FORBIDDEN = [ip_network(network) for network in (FORBIDDEN_4 + " " + FORBIDDEN_6).split()]


def resolve_host(host: str, port: int) -> list[str]:
    """Ask the system's resolver; raises Refused for a name without an address."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"{host} has no address") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: Address) -> bool:
    """Say whether an address is on the public internet, whatever IPv6 form an IPv4 address is wrapped in."""
    inner = unwrap(address)
    if inner is not address:
        return is_public(inner)
    if isinstance(address, IPv6Address) and address.scope_id:
        return False
    special = any(address in network for network in FORBIDDEN if network.version == address.version)
    return address.is_global and not address.is_multicast and not special


def unwrap(address: Address) -> Address:
    """Return the IPv4 address inside an IPv4-mapped, 6to4 or NAT64 one, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def literal(host: str) -> Address | None:
    """Return the address that a host spells out, None for a name; raises Refused for a disguised spelling."""
    try:
        return ip_address(host)
    except ValueError:
        if NUMERIC_SPELLING.fullmatch(host):
            raise Refused(f"{host} is no plain address: write it as four decimal numbers") from None
        return None


class AllowList(NamedTuple):
    """What may be reached besides the public internet."""

    hosts: frozenset[str]
    places: frozenset[tuple[str, int]]
    networks: tuple[str, ...]

    def allows_name(self, host: str, port: int) -> bool:
        """Whether the host, or this port of it, is listed by name."""
        return host in self.hosts or (host, port) in self.places

    def allows_address(self, address: Address) -> bool:
        """Whether a listed network holds the address."""
        inner = unwrap(address)
        return any(inner in ip_network(network) for network in self.networks)


def parse_allow_list(text: str) -> AllowList:
    """Read `host, host:port, [v6]:port, 10.0.0.0/8`; raises ValueError for a network that is none."""
    hosts, places, networks = set(), set(), []
    for entry in (part.strip().lower() for part in text.split(",")):
        host, _, port = entry.rpartition(":")
        if "/" in entry or _is_address(entry):
            networks.append(str(ip_network(entry)))
        elif host and port.isdecimal():
            places.add((host.strip("[]"), int(port)))
        elif entry:
            hosts.add(entry)
    return AllowList(frozenset(hosts), frozenset(places), tuple(networks))


def _is_address(entry: str) -> bool:
    try:
        ip_address(entry)
    except ValueError:
        return False
    return True
