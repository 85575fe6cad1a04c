-- One role that owns one database: for one person and one machine. `manage.py setup_database` does the same, and
-- `setup_database --roles` makes a role for each task instead. Run by a superuser, as often as you like:
--
--     psql -d postgres -v role=trading_user -v database=trading_system -f create_database.sql
--
-- No password is in it: `\password trading_user` sets one.

SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- template0: the only one that takes another encoding than the server's default.
SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0', :'database', :'role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

ALTER DATABASE :"database" SET timezone = 'UTC';
-- The owner of the database owns its schema `public` too, from PostgreSQL 15 on; others need not see it.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
