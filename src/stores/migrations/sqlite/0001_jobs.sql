-- Ids are text, times are epoch milliseconds, everything structured is JSON text; `form` is that text's version.

-- What changes with every step. Kept small: SQLite writes a row whole. The sources are apart for that reason.
CREATE TABLE jobs (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    dedup_key   TEXT   UNIQUE,
    digest      TEXT   NOT NULL,
    requires    TEXT   NOT NULL,
    priority    TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    state       TEXT   NOT NULL,
    ended       BIGINT NOT NULL, -- 1 if `state` is an end
    reverting   BIGINT NOT NULL,
    abandoned   BIGINT NOT NULL,
    cause       TEXT,
    deadline    BIGINT,
    started_at  BIGINT,
    since       BIGINT NOT NULL,
    owner       TEXT,
    epoch       BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    claims      BIGINT NOT NULL  -- in a row, without a commit
) WITHOUT ROWID;

CREATE INDEX jobs_by_end ON jobs (ended, id);

CREATE TABLE sources (
    job     TEXT   NOT NULL PRIMARY KEY,
    form    BIGINT NOT NULL,
    bundle  TEXT   NOT NULL,
    inputs  TEXT   NOT NULL,
    secrets TEXT   NOT NULL
);

-- An atom that has left PENDING. `content` is the truth; name and state stand here for those who read the table.
CREATE TABLE atoms (
    job     TEXT   NOT NULL,
    atom    BIGINT NOT NULL,
    name    TEXT   NOT NULL,
    state   TEXT   NOT NULL,
    epoch   BIGINT NOT NULL,
    form    BIGINT NOT NULL,
    content TEXT   NOT NULL,
    PRIMARY KEY (job, atom)
) WITHOUT ROWID;

CREATE TABLE events (
    job    TEXT   NOT NULL,
    seq    BIGINT NOT NULL,
    epoch  BIGINT NOT NULL,
    form   BIGINT NOT NULL,
    record TEXT   NOT NULL,
    PRIMARY KEY (job, seq)
) WITHOUT ROWID;

-- What people asked for and nobody has carried out yet. A number is never given twice.
CREATE TABLE requests (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    job  TEXT   NOT NULL,
    kind TEXT   NOT NULL,
    at   BIGINT NOT NULL,
    form BIGINT NOT NULL,
    body TEXT   NOT NULL
);

CREATE INDEX requests_of_job ON requests (job, id);

CREATE TABLE logs (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    job     TEXT   NOT NULL,
    task    TEXT   NOT NULL,
    attempt BIGINT NOT NULL,
    phase   TEXT   NOT NULL,
    n       BIGINT NOT NULL,
    stream  TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    bytes   BLOB   NOT NULL
);

CREATE INDEX logs_of_job ON logs (job, id);
CREATE INDEX logs_of_attempt ON logs (job, task, attempt, phase, n);
