-- A conductor that is at work, or was until lately. `body` is what it tells of itself, as JSON text.
CREATE TABLE conductors (
    id      TEXT   NOT NULL PRIMARY KEY,
    seen_at BIGINT NOT NULL,
    until   BIGINT NOT NULL, -- then it is forgotten
    body    TEXT   NOT NULL
) WITHOUT ROWID;

CREATE INDEX conductors_until ON conductors (until);
