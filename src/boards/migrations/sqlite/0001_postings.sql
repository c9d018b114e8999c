-- A job on the board. Ids are text, times are epoch milliseconds.
CREATE TABLE postings (
    n        INTEGER PRIMARY KEY AUTOINCREMENT, -- first in, first out
    job      TEXT   NOT NULL UNIQUE,
    requires TEXT   NOT NULL,
    priority BIGINT NOT NULL, -- 0 is claimed first
    leased   BIGINT NOT NULL, -- 0: whoever is able may claim it
    holder   TEXT,            -- stays when a lease runs out, until it is released or claimed by somebody else
    until    BIGINT NOT NULL,
    expired  BIGINT NOT NULL  -- 1: the present lease was taken from one that had run out
);

CREATE INDEX postings_queue ON postings (leased, requires, priority, n);
CREATE INDEX postings_order ON postings (priority, n);
CREATE INDEX postings_leases ON postings (leased, until);
CREATE INDEX postings_held ON postings (holder);

-- One row: how many times those who wait were given a reason to look.
CREATE TABLE pulse (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    beat BIGINT NOT NULL
);

INSERT INTO pulse (id, beat) VALUES (1, 0);
