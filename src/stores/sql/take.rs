//! Taking jobs on in MySQL and MariaDB: owned and loaded in one packet, however many there are.
//!
//! What is read of a job is read under the lock on its row, which whoever writes of it has to hold: nothing changes in
//! between.

use std::collections::BTreeMap;

use super::read;
use crate::model::{ConductorId, Epoch, JobId};
use crate::ports::{StoreError, Taken};
use crate::sql::{Database, Packet, Row};

/// Takes jobs on. Left out are those for which requests would have to be looked up, and those that are not to be run.
pub(super) async fn take(
    database: &Database,
    jobs: &[JobId],
    who: &ConductorId,
) -> Result<Vec<(JobId, Taken)>, StoreError> {
    // Whoever locks several jobs locks them in the order of their ids.
    let mut jobs = jobs.to_vec();
    jobs.sort_unstable();
    jobs.dedup();
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let Some(passed) = database.pass(&packet(&jobs, who)).await? else {
        return Ok(Vec::new());
    };
    let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in passed.rows {
        // Those of jobs and those of their atoms and requests differ in where the id stands.
        let id = if row.text(0)? == "job" { 1 } else { 4 };
        rows.entry(row.text(id)?).or_default().push(row);
    }
    let mut taken = Vec::with_capacity(jobs.len());
    for (job, epoch) in jobs.into_iter().zip(passed.told) {
        let Some(epoch) = epoch.map(Epoch) else {
            continue;
        };
        let rows = rows.remove(&job.to_string()).unwrap_or_default();
        let loaded = match read::loaded(&rows) {
            Ok(Some(loaded)) => Ok(loaded),
            Ok(None) => Err("its sources are gone".to_owned()),
            Err(StoreError::Corrupt(why)) => Err(why),
            Err(error) => return Err(error),
        };
        taken.push((job, Taken { epoch, loaded }));
    }
    Ok(taken)
}

fn packet(jobs: &[JobId], who: &ConductorId) -> Packet {
    let mut packet = Packet::begin();
    for job in jobs {
        packet.sql("UPDATE jobs SET epoch = LAST_INSERT_ID(epoch + 1), owner = ");
        packet.text(&who.0).sql(", claims = claims + 1 WHERE id = ");
        packet.text(&job.to_string());
        packet.sql(" AND ended = 0 AND state NOT IN ('SUSPENDED', 'STUCK')");
        packet.end_guard();
    }
    packet.sql(concat!("SELECT ", job_columns!(), " WHERE j.id IN ("));
    ids(&mut packet, jobs);
    packet.sql("SELECT 'atom', atom, form, content, job FROM atoms WHERE job IN (");
    ids(&mut packet, jobs);
    packet.sql("SELECT 'request', id, form, body, job FROM requests WHERE job IN (");
    ids(&mut packet, jobs);
    packet.commit();
    packet
}

fn ids(packet: &mut Packet, jobs: &[JobId]) {
    for (n, job) in jobs.iter().enumerate() {
        packet.sql(if n == 0 { "" } else { "," });
        packet.text(&job.to_string());
    }
    packet.sql(")").end();
}
