//! The two notations say the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use jobrunner::compile::Plan;

use crate::compile::compiled_from;
use crate::suite::bundle_of;

/// The folders whose flows stand there in both notations.
const PAIRED: [&str; 1] = ["flows"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The digest of a plan, whatever its store would need.
pub fn digest(plan: Plan) -> String {
    let mut plan = plan;
    plan.store = plan
        .store
        .into_iter()
        .map(|(name, mut declared)| {
            declared.about = None;
            (name, declared)
        })
        .collect();
    match plan.clone().with_inputs(&IndexMap::new()) {
        Ok(plan) => plan.digest.0.clone(),
        Err(_) => format!(
            "{:#?}",
            (plan.atoms, plan.scopes, plan.store, plan.provides)
        ),
    }
}

fn compiled(path: &Path) -> Plan {
    let text = fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let (plan, problems) = compiled_from(&bundle_of(name, &text));
    plan.unwrap_or_else(|| panic!("{}: {problems:#?}", path.display()))
}

fn flows(folder: &Path) -> BTreeSet<PathBuf> {
    let mut stems = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some((stem, _)) = name.split_once(".flow") {
            stems.insert(folder.join(stem));
        }
    }
    stems
}

#[test]
fn every_flow_stands_there_in_both_notations_and_means_the_same() {
    let mut pairs = 0;
    for folder in PAIRED {
        for stem in flows(&root().join(folder)) {
            let [yaml, text] = [".flow.yaml", ".flow"]
                .map(|ending| PathBuf::from(format!("{}{ending}", stem.display())));
            assert_eq!(
                digest(compiled(&yaml)),
                digest(compiled(&text)),
                "{}",
                stem.display()
            );
            pairs += 1;
        }
    }
    assert!(pairs >= 2);
}
