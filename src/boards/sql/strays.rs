//! Postings that no look at the board finds: somebody else put them there, in a queue that nobody knows or in a state
//! that there is not. They are looked for by leaping through an index, so what that costs depends on how many queues
//! have something ready, and not on how much is on the board.

use super::SqlBoard;
use super::dialect::Queues;
use crate::ports::BoardError;
use crate::sql::Args;

/// How many leaps are made in one go.
const LEAPS: usize = 10_000;

impl SqlBoard {
    /// Sets aside, and reports, what stands where nothing is claimed from. What only lacks a name that is kept gets
    /// one, and is then claimed or set aside like everything else.
    pub(super) async fn look_for_strays(&self) -> Result<(), BoardError> {
        while let Some(row) = self.database.read(ODD, Args::new()).await?.first() {
            let job = row.text(0)?;
            self.report(&job);
            let args = Args::new().text(job);
            self.database.write(SET_ASIDE_ODD, args).await?;
        }
        match &self.dialect.queues {
            Some(queues) => self.look_for_queues(queues).await,
            None => Ok(()),
        }
    }

    async fn look_for_queues(&self, queues: &Queues) -> Result<(), BoardError> {
        let mut behind: Option<String> = None;
        for _ in 0..LEAPS {
            let rows = match &behind {
                None => self.database.read(queues.first, Args::new()).await?,
                Some(behind) => {
                    let args = Args::new().text(behind.as_str());
                    self.database.read(queues.next, args).await?
                }
            };
            let Some(row) = rows.first() else {
                break;
            };
            let (queue, job) = (row.text(0)?, row.text(1)?);
            let (in_its_queue, kept) = (row.int(2)? != 0, row.int(3)? != 0);
            if !in_its_queue {
                // The next one of this queue is looked at next.
                self.report(&job);
                let args = Args::new().text(job).text(queue);
                self.database.write(queues.set_aside, args).await?;
                continue;
            }
            if !kept {
                self.change(queues.keep, Args::new().text(job)).await?;
            }
            behind = Some(queue);
        }
        Ok(())
    }
}

/// A job that is neither ready (0) nor leased (1) nor set aside (2).
pub(super) const ODD: &str = "
    SELECT below.job FROM (
        SELECT job FROM postings WHERE leased < 0 ORDER BY leased LIMIT 1) AS below
    UNION ALL
    SELECT above.job FROM (
        SELECT job FROM postings WHERE leased > 2 ORDER BY leased LIMIT 1) AS above";

/// `$1` job.
pub(super) const SET_ASIDE_ODD: &str = "
    UPDATE postings SET leased = 2, holder = NULL, until = 0
    WHERE job = $1 AND leased NOT IN (0, 1, 2)";
