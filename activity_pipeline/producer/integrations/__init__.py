"""Ready-made places to log from; each module is imported by itself, where its framework is installed.

    asgi      middleware for Starlette, FastAPI and any ASGI application
    wsgi      middleware for any WSGI application
    flask     the same for Flask, with its routes and users
    django    middleware for Django, synchronous and asynchronous
    logging   a handler for the standard library's logging
    audited   a decorator for functions
    sqlalchemy  a plugin that makes events of what sessions of SQLAlchemy 2 change

None of them delays what it watches, changes it or lets it fail.
"""
