-- A conductor that is at work, or was until lately. `body` is what it tells of itself, as JSON text.
CREATE TABLE IF NOT EXISTS conductors (
    id      VARCHAR(512) NOT NULL PRIMARY KEY,
    seen_at BIGINT       NOT NULL,
    until   BIGINT       NOT NULL, -- then it is forgotten
    body    LONGTEXT     NOT NULL,
    KEY conductors_until (until)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
