"""Notifications: digests, reminders and alerts; and the heartbeat of sweeps. Called by `service`.

`messages` decides which are due and builds them from values, `addresses` sends one with Apprise,
`notifier` sends each address its messages and records that in the ledger, and `heartbeat` signals
the beginning and end of each sweep to a monitor. Import the modules: Apprise takes long to load.
"""
