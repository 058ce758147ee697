"""Reads a part of a PDF, standard input to JSON on standard output: run with `python -m`."""

import json
import sys

from shared.errors import Invalid, Refused
from shared.providers.parsing.parser import CannotStart, KreuzbergParser
from shared.providers.parsing.sniff import PDF


def main() -> None:
    """Write what the part holds, or why it cannot be read."""
    try:
        answer = KreuzbergParser().read(sys.stdin.buffer.read(), PDF)._asdict()
    except (Invalid, Refused) as error:
        answer = {"invalid": str(error)}
    except CannotStart as error:
        answer = {"cannot_start": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
