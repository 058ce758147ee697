"""What a script finds already defined, in the sandbox's own Python; run before it: its lines keep their numbers."""

from collections.abc import Collection

from shared.domain.rewriting import DELETED, UUID_FUNCTION, UUID_MODULE

# Types that the sandbox knows by their methods only: its own `hasattr` denies those. Each is called in a test.
METHODS: dict[str, str] = {
    "str": """capitalize casefold center count encode endswith expandtabs find format index isalnum isalpha isascii
        isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip
        partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines
        startswith strip swapcase title upper zfill""",
    "list": "append clear copy count extend index insert pop remove reverse sort",
    "dict": "clear copy fromkeys get items keys pop popitem setdefault update values",
    "tuple": "count index",
    "bytes": """capitalize center count decode endswith find fromhex hex index isalnum isalpha isascii isdigit islower
        isspace istitle isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust
        rpartition rsplit rstrip split splitlines startswith strip swapcase title upper zfill""",
    "set": """add clear copy difference discard intersection isdisjoint issubset issuperset pop remove
        symmetric_difference union update""",
}
HANDLE = "_Handle"  # the type of `ctx`
HASATTR = """
def hasattr(value, name, _own=hasattr, _known={known!r}):
    return name in _known.get(type(value).__name__, ()) or _own(value, name)
"""
UUID = f"""
class UUID:
    def __init__(self, hex):
        self.hex = hex
    def __str__(self):
        return '-'.join([self.hex[:8], self.hex[8:12], self.hex[12:16], self.hex[16:20], self.hex[20:]])
    def __repr__(self):
        return "UUID('" + str(self) + "')"
    def __eq__(self, other):
        return str(self) == str(other)
class _Uuid:
    def {UUID_FUNCTION}(self):
        import random
        hex = '%032x' % random.getrandbits(128)
        return _UUID(hex[:12] + '4' + hex[13:16] + '89ab'[int(hex[16], 16) % 4] + hex[17:])
_UUID = UUID
{UUID_MODULE} = _Uuid()
"""


def prelude(source: str, functions: Collection[str]) -> str:
    """Return what must be defined for a script; empty where it uses none of it."""
    known = {kind: names.split() for kind, names in METHODS.items()} | {HANDLE: sorted(functions)}
    parts = {
        "hasattr": HASATTR.format(known=known),
        "uuid": UUID,
        "del": f"def {DELETED}(): pass\n",  # outputs leave functions out
    }
    return "".join(text for word, text in parts.items() if word in source)
