"""For those who watch over the service: health, readiness, metrics. It only reads.

`app` is the WSGI application, `guard` who may ask, `pages` what is answered, `metrics` the
numbers for Prometheus. Import the modules: this package loads nothing, for a quick start.
"""
