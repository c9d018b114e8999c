-- A job on the board. Ids are text, times are epoch milliseconds.
-- A table is made whole or not at all, and what is there is left as it is: this may be run again.
CREATE TABLE IF NOT EXISTS postings (
    n        BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY, -- first in, first out
    job      VARCHAR(36)  NOT NULL UNIQUE,
    requires LONGTEXT     NOT NULL,
    queue    VARCHAR(64)  NOT NULL, -- SHA-256 of `requires`
    priority BIGINT       NOT NULL, -- 0 is claimed first
    leased   BIGINT       NOT NULL, -- 0: whoever is able may claim it
    holder   VARCHAR(512),          -- stays when a lease runs out, until it is released or claimed by somebody else
    until    BIGINT       NOT NULL, -- 0 while not leased
    expired  BIGINT       NOT NULL, -- 1: the present lease was taken from one that had run out
    KEY postings_queue (leased, queue, priority, n),
    KEY postings_order (priority, n),
    KEY postings_leases (until),
    KEY postings_held (holder)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Every `requires` that was ever posted.
CREATE TABLE IF NOT EXISTS queues (
    queue    VARCHAR(64) NOT NULL PRIMARY KEY, -- its SHA-256
    requires LONGTEXT    NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row: how many times those who wait were given a reason to look.
CREATE TABLE IF NOT EXISTS pulse (
    id   BIGINT NOT NULL PRIMARY KEY,
    beat BIGINT NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO pulse (id, beat) VALUES (1, 0) ON DUPLICATE KEY UPDATE beat = beat;
