"""Messages for people who do not look: digests, reminders and trouble, called by `service`.

`messages` builds them from values, `planning` says which of them an address is owed, `addresses`
sends one by way of Apprise, `notifier` puts these together and remembers in the ledger what was
told, `heartbeat` tells a watcher of each sweep. Import the modules: Apprise takes long to load.
"""
