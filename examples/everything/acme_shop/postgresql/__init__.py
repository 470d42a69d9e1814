"""A private PostgreSQL from a wheel, as a Django database engine; started by the first connection.

    DATABASES = {"default": {"ENGINE": "<package>.postgresql", "NAME": "postgres",
                             "HOST": "<folder of the data>", "DURABLE": True}}

DURABLE (the default) is for development: the data stay, every process shares them. Without it, for
tests, nothing waits for the disk and every test run has the server for itself.
base.py is the engine, server.py starts and stops the server. These files are the template's: to use
another database, name it in DATABASE_URL or settings.py.
"""
