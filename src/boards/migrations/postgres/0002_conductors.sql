-- A conductor that is at work, or was until lately. `body` is what it tells of itself, as JSON text.
CREATE TABLE conductors (
    id      TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    seen_at BIGINT NOT NULL,
    until   BIGINT NOT NULL, -- then it is forgotten
    body    TEXT   NOT NULL
);

CREATE INDEX conductors_until ON conductors (until);
