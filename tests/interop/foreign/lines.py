"""tests/interop/foreign/lines.py: answers questions, one JSON object a line, until there are no more."""

import json
import sys
import traceback


def answer(operations, refusal):
    """`refusal` is what the library raises for a token that it does not take; all else is a fault."""
    for line in sys.stdin:
        question = json.loads(line)
        try:
            result = operations[question["op"]](question)
        except refusal as error:
            result = {"refused": type(error).__name__, "why": str(error)}
        except Exception:
            result = {"failed": traceback.format_exc()}
        print(json.dumps(result), flush=True)
