"""For all tests: programs under test hear Ctrl-C and SIGHUP, which nohup, and a shell that runs the tests in the background, have
ignored by all that they start. What is started does not inherit a handler; the tests themselves go on ignoring the signal."""

import signal

for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items):
    """The longest first: processes that run the files beside each other end at about the same time."""
    items.sort(key=lambda item: item.path.parent.name not in ("squad", "scripts"))
