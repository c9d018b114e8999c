//! The stable codes of what a flow can have wrong beyond its text, each with a line about it.
//!
//! Codes never change their meaning. Some are those of `syntax`, for the same thing found later.

/// Every code that compiling can give, in alphabetical order, each with a line about it.
pub const CODES: &[(&str, &str)] = &[
    (
        "as-unused",
        "Nothing that is retried uses the name that `as` gives.",
    ),
    (
        "bad-capability",
        "The argument of a capability does not fit it.",
    ),
    ("bad-expression", "An expression does not parse."),
    ("bad-url", "The text is not an absolute URL."),
    ("bad-word", "Not one of the words that may stand there."),
    (
        "constant-when",
        "A `when` that names no value is always true or always false.",
    ),
    (
        "cycle",
        "Tasks wait for each other in a circle, so none of them can start.",
    ),
    (
        "for-each-in-revert",
        "The retry of a revert has a `for_each`; a revert is tried again as it is.",
    ),
    (
        "for-each-no-list",
        "`for_each` is neither a list nor one template.",
    ),
    (
        "hidden-name",
        "The variable of a retry has the name of something else that can be used there.",
    ),
    (
        "hides-store",
        "A task provides a name that the store has already.",
    ),
    (
        "json-not-read",
        "An expression asks for `json`, and the call does not say `json: true`.",
    ),
    (
        "matrix-needs-result",
        "The values of a matrix are told by a task, which runs after the copies are made.",
    ),
    (
        "matrix-too-large",
        "A matrix makes more copies of a task than there may be.",
    ),
    ("matrix-twice", "A value stands twice in a matrix."),
    (
        "missing-parameter",
        "A kind misses a parameter that it needs.",
    ),
    ("missing-value", "A key has nothing behind it."),
    (
        "needs-itself",
        "A task needs itself, the group that it stands in, or what only it provides.",
    ),
    ("no-arguments", "A list of arguments is empty."),
    ("no-kind", "A task does not say what it does."),
    (
        "no-process",
        "`env` or `dir` stands on a task that runs no process.",
    ),
    ("no-tasks", "A flow or a group has no tasks."),
    (
        "nothing-to-provide",
        "A task provides its result, and its kind has none.",
    ),
    (
        "provider-may-be-skipped",
        "A name may be missing: its task may be skipped, and what uses it is not skipped with it.",
    ),
    (
        "provider-may-fail",
        "A name may be missing: its task may fail, and the flow goes on.",
    ),
    (
        "revert-needs-later",
        "A revert uses what is made after its task: when it runs, that is undone already.",
    ),
    (
        "secret-default",
        "A secret has a default, which would be written to the store.",
    ),
    (
        "secret-in-argument",
        "A secret is an argument of a process, which everybody on the machine can read.",
    ),
    (
        "secret-in-expression",
        "A secret stands where its value decides something that is kept or shown.",
    ),
    (
        "secret-in-url",
        "A secret stands in a URL, which servers and proxies write to their logs.",
    ),
    (
        "skips-without-when",
        "`skips` says how far a skip goes, and there is no `when`.",
    ),
    (
        "template-after-dollar",
        "A `$` stands before a template in a script.",
    ),
    (
        "template-in-expression",
        "An expression stands in braces where it stands bare.",
    ),
    (
        "template-in-interpreter",
        "The interpreter of a script is a template; it decides how the script is read.",
    ),
    (
        "template-in-key",
        "A template stands in a key of a mapping.",
    ),
    (
        "template-in-quoted-here-document",
        "A template stands in a here-document with a quoted delimiter, where a shell expands nothing.",
    ),
    (
        "template-in-script",
        "A template stands in a script for another interpreter than a shell: its value would become code.",
    ),
    (
        "template-in-single-quotes",
        "A template stands in single quotes, where a shell expands nothing.",
    ),
    ("template-not-closed", "A `{{` has no `}}`."),
    (
        "template-place-unclear",
        "What a shell does with a template at this place cannot be told.",
    ),
    (
        "too-many-tasks",
        "Sub-flows, task kinds and matrices make more tasks than there may be.",
    ),
    ("two-providers", "Two tasks provide the same name."),
    ("two-times", "A wait says two times."),
    (
        "unknown-capability",
        "Not one of the capabilities that every conductor knows.",
    ),
    (
        "unknown-filter",
        "An expression uses a filter that there is not.",
    ),
    (
        "unknown-function",
        "An expression calls a function or a method that there is not.",
    ),
    ("unknown-kind", "There is no task kind of that name."),
    (
        "unknown-name",
        "A name that nothing declares or provides, at least not there.",
    ),
    ("unknown-parameter", "A kind has no parameter of that name."),
    (
        "unknown-task",
        "`needs` names a task that there is not, or that stands inside of a group.",
    ),
    (
        "unknown-test",
        "An expression uses a test that there is not.",
    ),
    (
        "unused-name",
        "Nothing uses a name of the store, or one that a task provides.",
    ),
    ("wrong-level", "A key that means something, but elsewhere."),
    (
        "wrong-shape",
        "A list where a mapping is wanted, a mapping where text is wanted, and so on.",
    ),
    ("wrong-type", "A value does not fit its parameter."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn used(folder: &Path, born: &regex::Regex, codes: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used(&path, born, codes);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            codes.extend(born.captures_iter(&text).map(|found| found[1].to_owned()));
        }
    }

    #[test]
    fn every_code_is_explained_and_every_explained_code_is_used() {
        let born =
            regex::Regex::new(r#"(?:Problem::(?:error|warning)\(\s*|suggest\(|code: )"([a-z-]+)""#)
                .unwrap();
        let mut codes = BTreeSet::new();
        used(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/compile"),
            &born,
            &mut codes,
        );
        let listed: Vec<_> = CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), listed);
    }
}
