"""Prints why the delegate leaves nodes of a file to TFLite, as JSON.

`inspect` runs this in a process of its own, since a file that is broken can
take the interpreter with it: PATH LIBRARY.
"""

import ctypes
import sys


def main(path, library):
    from ai_edge_litert import interpreter as litert

    delegate = litert.load_delegate(library)
    # It looks at the graph at once.
    _interpreter = litert.Interpreter(
        model_path=path, experimental_delegates=[delegate]
    )
    report = ctypes.CDLL(library).issp_delegate_report
    report.restype = ctypes.c_char_p
    report.argtypes = [ctypes.c_void_p]
    print(report(delegate._get_native_delegate_pointer()).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
