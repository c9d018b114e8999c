-- Ids are text, times are epoch milliseconds, everything structured is JSON text; `form` is that text's version.
-- A table is made whole or not at all, and what is there is left as it is: this may be run again.

-- What changes with every step. The sources are apart: they are long, and never change.
CREATE TABLE IF NOT EXISTS jobs (
    id          VARCHAR(36)  NOT NULL PRIMARY KEY,
    name        TEXT         NOT NULL,
    dedup_key   TEXT,
    key_hash    VARCHAR(64)  UNIQUE, -- SHA-256 of `dedup_key`: to the letter, whatever its length
    digest      TEXT         NOT NULL,
    requires    TEXT         NOT NULL,
    priority    VARCHAR(16)  NOT NULL,
    created_at  BIGINT       NOT NULL,
    state       VARCHAR(32)  NOT NULL,
    ended       BIGINT       NOT NULL, -- 1 if `state` is an end
    reverting   BIGINT       NOT NULL,
    abandoned   BIGINT       NOT NULL,
    cause       LONGTEXT,
    deadline    BIGINT,
    started_at  BIGINT,
    since       BIGINT       NOT NULL,
    owner       VARCHAR(512),
    epoch       BIGINT       NOT NULL,
    seq         BIGINT       NOT NULL,
    claims      BIGINT       NOT NULL, -- in a row, without a commit
    KEY jobs_by_end (ended, id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sources (
    job     VARCHAR(36) NOT NULL PRIMARY KEY,
    form    BIGINT      NOT NULL,
    bundle  LONGTEXT    NOT NULL,
    inputs  LONGTEXT    NOT NULL,
    secrets LONGTEXT    NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- An atom that has left PENDING. `content` is the truth; name and state stand here for those who read the table.
CREATE TABLE IF NOT EXISTS atoms (
    job     VARCHAR(36) NOT NULL,
    atom    BIGINT      NOT NULL,
    name    TEXT        NOT NULL,
    state   VARCHAR(32) NOT NULL,
    epoch   BIGINT      NOT NULL,
    form    BIGINT      NOT NULL,
    content LONGTEXT    NOT NULL,
    PRIMARY KEY (job, atom)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS events (
    job    VARCHAR(36) NOT NULL,
    seq    BIGINT      NOT NULL,
    epoch  BIGINT      NOT NULL,
    form   BIGINT      NOT NULL,
    record LONGTEXT    NOT NULL,
    PRIMARY KEY (job, seq)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What people asked for and nobody has carried out yet. A number is never given twice.
CREATE TABLE IF NOT EXISTS requests (
    id   BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    job  VARCHAR(36) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    at   BIGINT      NOT NULL,
    form BIGINT      NOT NULL,
    body LONGTEXT    NOT NULL,
    KEY requests_of_job (job, id)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS logs (
    id      BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    job     VARCHAR(36) NOT NULL,
    task    TEXT        NOT NULL,
    attempt BIGINT      NOT NULL,
    phase   VARCHAR(16) NOT NULL,
    n       BIGINT      NOT NULL,
    stream  VARCHAR(16) NOT NULL,
    at      BIGINT      NOT NULL,
    bytes   LONGBLOB    NOT NULL,
    KEY logs_of_job (job, id),
    KEY logs_of_attempt (job, task(200), attempt, phase, n)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
