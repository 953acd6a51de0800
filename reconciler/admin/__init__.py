"""For those who watch over the service and those who review: two views, health, readiness, metrics.

It only reads. `app` is the WSGI application, `guard` checks who may ask and `throttle` limits the
attempts at its password, `pages` has the answers, `metrics` the numbers for Prometheus. `operation`
is the view of the service with its `charts`, `review` that of the files to review, and `rendering`
what both share. Import the modules: this package loads nothing, for a quick start.
"""
