"""Django's PostgreSQL backend, with one difference: a connection starts the embedded server when it has to."""
