"""An engine that sets more in a new session than Django does."""

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params):
        connection = super().get_new_connection(conn_params)
        with connection.cursor() as cursor:
            cursor.execute("SET app.engine = 'own'")
        connection.commit()
        return connection
