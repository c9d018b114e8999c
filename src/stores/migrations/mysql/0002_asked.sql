-- 1 if requests wait, told by `jobs` alone: a commit reads it under its lock, and need not look into another table.
-- MySQL has no `ADD COLUMN IF NOT EXISTS`.
SET @asked = (
    SELECT IF(COUNT(*) = 0, 'ALTER TABLE jobs ADD COLUMN asked BIGINT NOT NULL DEFAULT 0', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'jobs' AND column_name = 'asked');
PREPARE asked FROM @asked;
EXECUTE asked;
DEALLOCATE PREPARE asked;
UPDATE jobs SET asked = 1 WHERE id IN (SELECT job FROM requests);
