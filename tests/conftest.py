"""For all tests: programs under test hear Ctrl-C. A shell that runs the tests in the background has them ignore it, and what
they start inherits that."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
