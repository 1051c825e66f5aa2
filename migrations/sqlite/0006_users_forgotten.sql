-- Finds users whom no operator ever changed, once they have not logged in for long.
CREATE INDEX users_unchanged ON users (last_login) WHERE revision = 1;
