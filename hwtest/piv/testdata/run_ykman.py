"""Runs ykman again and again in one process: most of its time goes into being loaded.

Reads argument lists, writes [exit code, output, errors], one JSON value a line.
"""

import contextlib
import io
import json
import sys
import traceback

from ykman.cli.__main__ import main

for line in sys.stdin:
    sys.argv = ["ykman"] + json.loads(line)
    out, err, code = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else int(e.code is not None)
        except BaseException:
            traceback.print_exc()
            code = 1
    json.dump([code, out.buffer.getvalue().decode(), err.getvalue()], sys.stdout)
    print(flush=True)
