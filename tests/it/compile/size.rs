//! The cost of compiling grows with the flow, and no faster.

use std::fmt::Write as _;
use std::time::Instant;

use super::compiled;

fn chain(count: usize) -> String {
    let mut text = "tasks:\n".to_owned();
    for index in 0..count {
        let before = match index {
            0 => String::new(),
            _ => format!("needs: [t{}], ", index - 1),
        };
        let _ = writeln!(text, "  t{index}: {{ {before}exec: [\"true\"] }}");
    }
    text
}

fn groups(count: usize) -> String {
    let mut text = "store: { x: 1 }\ntasks:\n".to_owned();
    for index in 0..count {
        let _ = writeln!(
            text,
            "  - name: g{index}\n    provides: [p{index}]\n    tasks:"
        );
        for task in 0..9 {
            let _ = writeln!(text, "      t{task}: {{ shell: \"echo {{{{ x }}}}\" }}");
        }
        let _ = writeln!(text, "      last: {{ shell: x, provides: p{index} }}");
    }
    let _ = writeln!(
        text,
        "  - {{ name: end, shell: \"echo {}\" }}",
        (0..count)
            .map(|i| format!("{{{{ p{i} }}}}"))
            .collect::<String>()
    );
    text
}

/// How long it takes to compile 2,000 and 16,000 tasks, each the best of three.
fn growth(flow: fn(usize) -> String, small: usize) -> f64 {
    let time = |count: usize| {
        let text = flow(count);
        let times = (0..3).map(|_| {
            let begun = Instant::now();
            let (plan, problems) = compiled(&text);
            assert!(plan.is_some(), "{:?}", problems.first());
            begun.elapsed().as_secs_f64()
        });
        times.fold(f64::INFINITY, f64::min)
    };
    time(small * 8) / time(small)
}

#[test]
fn a_chain_and_a_list_of_wide_groups_grow_in_proportion() {
    // Eight times as much; a quadratic step anywhere would make it sixty-four times as slow.
    for (flow, small) in [(chain as fn(usize) -> String, 1_000), (groups, 100)] {
        let growth = growth(flow, small);
        assert!(
            growth < 24.0,
            "eight times the tasks took {growth:.1} times as long"
        );
    }
}

#[test]
fn many_wrong_names_and_long_cycles_are_told_in_no_time() {
    let mut text = "tasks:\n".to_owned();
    for index in 0..5_000 {
        let _ = writeln!(
            text,
            "  task_number_{index}: {{ shell: \"echo {{{{ nothing_{index} }}}}\", needs: [nobody_{index}] }}"
        );
    }
    let begun = Instant::now();
    assert!(compiled(&text).1.len() >= 100);
    let count = 5_000;
    let cycle = chain(count).replacen("t0: { ", &format!("t0: {{ needs: [t{}], ", count - 1), 1);
    let (_, problems) = compiled(&cycle);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.matches("`t").count() == count + 1);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
