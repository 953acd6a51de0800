"""For those who watch over the service: status page, health, readiness, metrics. It only reads.

`app` is the WSGI application, `guard` who may ask, `pages` what is answered, `metrics` the
numbers for Prometheus, `status` the page for people with its `charts` and with what was told of
the webhook (`webhook`). Import the modules: this package loads nothing, for a quick start.
"""
