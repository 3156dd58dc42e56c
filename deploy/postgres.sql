-- The roles of Heroes, for psql as a superuser who is connected to the database of Heroes. It reads the two passwords from
-- the environment. heroes_owner makes the tables; heroes, which the server uses, can only read and write the sessions.
\getenv owner_password HEROES_OWNER_PASSWORD
\getenv password HEROES_PASSWORD
CREATE ROLE heroes_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE heroes LOGIN PASSWORD :'password';

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO heroes_owner, heroes;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO heroes_owner;
GRANT USAGE ON SCHEMA public TO heroes;
