//! Random flows: groups in groups, retries in retries, skips, limits and time, as text and as plans.

use std::sync::Arc;

use jobrunner::compile::Plan;
use proptest::prelude::*;

use crate::play::try_plan;

/// A random task or group.
#[derive(Debug, Clone)]
pub struct Item {
    children: Vec<Item>,
    list: bool,
    retry: Option<Tries>,
    revert_all: bool,
    delay: bool,
    when: Option<bool>,
    skips: u8,
    allow_failure: bool,
    stop_on_unwind: bool,
    if_interrupted: u8,
    revert_tries: u8,
    limit: Option<u8>,
    timeout: bool,
    needs: u8,
}

#[derive(Debug, Clone, Copy)]
enum Tries {
    Times(u8),
    ForEach(u8),
}

fn item(depth: u32) -> impl Strategy<Value = Item> {
    let leaf = details().prop_map(|item| Item {
        children: Vec::new(),
        limit: None,
        timeout: false,
        ..item
    });
    leaf.prop_recursive(depth, 14, 4, |inner| {
        (details(), prop::collection::vec(inner, 1..4)).prop_map(|(item, children)| Item {
            children,
            stop_on_unwind: false,
            if_interrupted: 0,
            revert_tries: 0,
            ..item
        })
    })
}

fn details() -> impl Strategy<Value = Item> {
    let retry = prop_oneof![
        3 => Just(None),
        2 => (1u8..4).prop_map(|n| Some(Tries::Times(n))),
        1 => (1u8..4).prop_map(|n| Some(Tries::ForEach(n))),
    ];
    let when = prop_oneof![6 => Just(None), 1 => any::<bool>().prop_map(Some)];
    let rarely = || prop_oneof![7 => Just(false), 1 => Just(true)];
    let limit = prop_oneof![3 => Just(None), 1 => (1u8..3).prop_map(Some)];
    (
        (any::<bool>(), retry, rarely(), any::<bool>(), when, 0u8..4),
        (
            rarely(),
            rarely(),
            0u8..6,
            0u8..3,
            limit,
            rarely(),
            any::<u8>(),
        ),
    )
        .prop_map(
            |(
                (list, retry, revert_all, delay, when, skips),
                (
                    allow_failure,
                    stop_on_unwind,
                    if_interrupted,
                    revert_tries,
                    limit,
                    timeout,
                    needs,
                ),
            )| Item {
                children: Vec::new(),
                list,
                retry,
                revert_all,
                delay,
                when,
                skips,
                allow_failure,
                stop_on_unwind,
                if_interrupted,
                revert_tries,
                limit,
                timeout,
                needs,
            },
        )
}

/// Writes the items of a body as YAML; names count up over the whole flow.
fn write(
    items: &[Item],
    list: bool,
    pad: usize,
    names: &[String],
    count: &mut usize,
    out: &mut String,
) {
    let space = " ".repeat(pad);
    out.push_str(&format!("{space}tasks:\n"));
    let mut earlier: Vec<String> = Vec::new();
    for item in items {
        *count += 1;
        let name = format!("t{count}");
        let space = " ".repeat(pad + 4);
        if list {
            out.push_str(&format!("{}  - name: {name}\n", " ".repeat(pad)));
        } else {
            out.push_str(&format!("{}  {name}:\n", " ".repeat(pad)));
            let needs: Vec<&str> = earlier
                .iter()
                .enumerate()
                .filter(|(at, _)| item.needs >> (at % 8) & 1 == 1)
                .map(|(_, name)| name.as_str())
                .collect();
            if !needs.is_empty() {
                out.push_str(&format!("{space}needs: [{}]\n", needs.join(", ")));
            }
        }
        let mut names = names.to_vec();
        if let Some(Tries::ForEach(_)) = item.retry {
            names.push(format!("\"{{{{ v{count} }}}}\""));
        }
        let probe = format!("probe: {{ with: [{}] }}", names.join(", "));
        if let Some(when) = item.when {
            let word = if when { "yes_please" } else { "no_thanks" };
            let depth = ["all", "flow", "neighbors", "task"][item.skips as usize];
            out.push_str(&format!("{space}when: {word}\n{space}skips: {depth}\n"));
        }
        if let Some(tries) = item.retry {
            let tries = match tries {
                Tries::Times(n) => format!("times: {n}"),
                Tries::ForEach(n) => {
                    let values: Vec<String> = (0..n).map(|v| v.to_string()).collect();
                    format!("for_each: [{}], as: v{count}", values.join(", "))
                }
            };
            let all = if item.revert_all {
                ", revert_all: true"
            } else {
                ""
            };
            let delay = if item.delay { ", delay: 2s" } else { "" };
            out.push_str(&format!("{space}retry: {{ {tries}{delay}{all} }}\n"));
        }
        if item.allow_failure {
            out.push_str(&format!("{space}allow_failure: true\n"));
        }
        if item.stop_on_unwind {
            out.push_str(&format!("{space}stop_on_unwind: true\n"));
        }
        if item.children.is_empty() {
            let word = ["rerun", "rerun", "rerun", "rerun", "revert", "pause"]
                [item.if_interrupted as usize];
            out.push_str(&format!("{space}if_interrupted: {word}\n{space}{probe}\n"));
            if item.revert_tries > 0 {
                out.push_str(&format!(
                    "{space}revert: {{ probe: {{}}, retry: {{ times: {}, delay: 1s }} }}\n",
                    item.revert_tries
                ));
            }
        } else {
            if let Some(limit) = item.limit {
                out.push_str(&format!("{space}max_parallel: {limit}\n"));
            }
            if item.timeout {
                out.push_str(&format!("{space}timeout: 5s\n"));
            }
            write(&item.children, item.list, pad + 4, &names, count, out);
        }
        earlier.push(name);
    }
}

/// A random flow: its text, and its plan.
pub fn flow_of(items: &[Item], list: bool, serial: bool, retry: Option<u8>) -> (String, Arc<Plan>) {
    let mut text = String::from("flow: f\nstore:\n  yes_please: true\n  no_thanks: false\n");
    if serial {
        text.push_str("max_parallel: 1\n");
    }
    if let Some(times) = retry {
        text.push_str(&format!("retry: {{ times: {times} }}\n"));
    }
    write(items, list, 0, &[], &mut 0, &mut text);
    let plan = try_plan(&text, &[]).unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
    (text, plan)
}

pub fn flows() -> impl Strategy<Value = (Vec<Item>, bool, Option<u8>)> {
    (
        prop::collection::vec(item(3), 1..5),
        any::<bool>(),
        prop_oneof![2 => Just(None), 1 => (1u8..4).prop_map(Some)],
    )
}

/// Without what makes an outcome depend on when something happened.
pub fn plain(item: Item) -> Item {
    Item {
        children: item.children.into_iter().map(plain).collect(),
        if_interrupted: 0,
        stop_on_unwind: false,
        timeout: false,
        delay: false,
        revert_tries: 0,
        ..item
    }
}
