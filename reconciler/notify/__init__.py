"""Messages for people who do not look: digests, reminders and alerts, called by `service`.

`messages` builds them from values, `planning` says which of them are due, `addresses` sends one by
way of Apprise, `notifier` puts these together and records in the ledger what was sent, `heartbeat`
sends a watcher the heartbeat of each sweep. Import the modules: Apprise takes long to load.
"""
