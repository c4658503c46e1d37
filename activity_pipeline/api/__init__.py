"""The HTTP API: routes, keys and what surrounds every request. No SQL.

    server           the process: uvicorn, its limits, workers
    app              the application: what is put together, in which order
    backends         what requests share: connections, the queue, keys, answers of the last seconds
    keys, callers    who calls, what that lets him do, and how often
    problems         errors as RFC 9457 problem documents
    exchange, limits what surrounds each request: its id, security headers, figures; sizes and times
    reads            the event that each read is
    judging, intake  events that come in over HTTP, and the verdict on each
    routes/          one module for each resource; adding a resource is adding a file

The application is made by `activity_pipeline.api.app.create_app`.
"""
