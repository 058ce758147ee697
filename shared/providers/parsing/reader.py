"""Reads documents one after the other, asked on standard input: `python -m shared.providers.parsing.reader LIMITS`.

A request is a line of JSON (`mime_type`, `bytes`) and the bytes; an answer is a line of JSON. The process holds nothing
but the document: what a file makes the library do ends here, by the limits that the kernel keeps.
"""

import ctypes
import json
import resource
import signal
import sys
import traceback
from typing import Any, BinaryIO

from shared.errors import Invalid, Refused, Transient
from shared.providers.parsing.limits import Limits
from shared.providers.parsing.parser import CannotStart, KreuzbergParser, Parser, few
from shared.providers.parsing.parts import PartedParser

PR_SET_PDEATHSIG = 1
MEBIBYTE = 1024 * 1024
# What a strange file makes a reader raise that did not expect it; the next file is read by the same process.
STUMBLED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def main() -> None:
    """Answer until the input ends."""
    limits = Limits(*json.loads(sys.argv[1]))
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a library that prints must not answer
    _end_with_the_parent()
    resource.setrlimit(resource.RLIMIT_AS, (limits.megabytes * MEBIBYTE,) * 2)
    parser = PartedParser(
        KreuzbergParser(), pages=limits.part_pages, at_once=limits.parts_at_once, listener=lambda: _nobody
    )
    while line := asked.readline():
        _allow_seconds(limits.cpu_seconds)
        answers.write(json.dumps(_answer(parser, json.loads(line), asked, limits)).encode() + b"\n")
        answers.flush()


def _answer(parser: Parser, request: dict[str, Any], asked: BinaryIO, limits: Limits) -> dict[str, Any]:
    data = asked.read(request["bytes"])
    try:
        parsed = parser.parse(data, request["mime_type"])
    except (Invalid, Refused) as error:
        return {"invalid": str(error)}
    except CannotStart as error:
        return {"cannot_start": str(error)}
    except Transient:  # the process of a part was ended, and nobody but the kernel's limits does that here
        return {"invalid": limits.too_much_computing()}
    except MemoryError:
        return {"invalid": limits.too_much_memory()}
    except STUMBLED as error:
        traceback.print_exc()  # for the log of who asks
        return {"invalid": f"it is damaged, or of a form that is not known: reading it failed ({type(error).__name__})"}
    if len(parsed.text) > limits.characters:
        return {"invalid": f"it holds more than {limits.characters:,} characters: send it in parts"}
    return {"parsed": parsed._replace(warnings=few(parsed.warnings))}


def _allow_seconds(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _end_with_the_parent() -> None:
    """Have the kernel end this process with the one that asks (on Linux; elsewhere its limits end it)."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _nobody(close: object) -> None:
    """Nobody else ends the processes of the parts: they end with the group of this one."""


if __name__ == "__main__":
    main()
