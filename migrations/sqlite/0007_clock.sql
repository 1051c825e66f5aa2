-- What was seen of the wall clock, in one row: a clock that jumps between two starts is noticed.
CREATE TABLE clock (
    only       INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    -- The highest time that it showed since it last went back.
    highest    INTEGER NOT NULL,
    -- The time that had certainly passed: nothing is dropped by a later one.
    settled    INTEGER NOT NULL,
    -- Milliseconds that the daemon has run since the last jump.
    steady_for INTEGER NOT NULL
) STRICT;

-- A file from before: the clock showed at least the time of the latest that is in it. Six hours are steady.
INSERT INTO clock SELECT 1, seen, seen, 21600000 FROM (
    SELECT max(at) AS seen FROM (
        SELECT max(at) AS at FROM audit
        UNION ALL SELECT max(created_at) FROM streams
        UNION ALL SELECT max(revoked_at) FROM revocations))
WHERE seen IS NOT NULL;
