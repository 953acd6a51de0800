"""The pages for operators and reviewers, health, readiness and metrics. They only read.

`app` is the WSGI application, `guard` its access control, `pages` answers each path, `metrics` has
the numbers for Prometheus. `operation` is the view of the service with its `charts`, `review` that
of the files to review, and `rendering` is what both share. Import the modules: this package loads
nothing, for a quick start.
"""
