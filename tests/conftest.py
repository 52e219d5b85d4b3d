"""For all tests: programs under test hear Ctrl-C and SIGHUP, which nohup, and a shell that runs the tests in the background, have
ignored by all that they start. What is started does not inherit a handler; the tests themselves go on ignoring the signal."""

import signal

for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)
