//! The stable codes of problems, each with a line about it and its page.
//!
//! Codes never change their meaning. There is no other way to come by a [`Code`] than this list, and each entry brings
//! its page in: a code without a page under `docs/problems/`, or one that is not listed, does not build.

use serde::Serialize;

/// A stable code in kebab case: `unknown-key`, `duplicate-key`, `cycle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(&'static str);

impl Code {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.pad(self.0)
    }
}

impl PartialEq<str> for Code {
    fn eq(&self, written: &str) -> bool {
        self.0 == written
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, written: &&str) -> bool {
        self.0 == *written
    }
}

/// What is known about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The code.
    pub code: Code,
    /// One sentence: what a problem of that code says.
    pub about: &'static str,
    /// Its page, as Markdown.
    pub page: &'static str,
}

macro_rules! codes {
    ($(#[$doc:meta])* $list:ident { $($name:ident = $code:literal: $about:literal;)* }) => {
        $(#[doc = $about] pub const $name: Code = Code($code);)*

        $(#[$doc])*
        pub const $list: &[Known] = &[$(Known {
            code: $name,
            about: $about,
            page: include_str!(concat!("../../docs/problems/", $code, ".md")),
        }),*];
    };
}

codes! {
    /// What the text of a flow can have wrong by itself, in the order in which it is documented.
    OF_THE_TEXT {
        TOO_LARGE = "too-large": "The file is larger than a flow may be.";
        NOT_UTF8 = "not-utf8": "The file is not UTF-8 text.";
        BINARY = "binary": "The file is not text at all.";
        CONTROL_CHARACTER = "control-character": "A control character stands in the text.";
        EMPTY_FILE = "empty-file": "The file holds no flow: it is empty, or only comments.";
        WRONG_NOTATION = "wrong-notation": "The file is written in the other notation than its name says.";
        SEVERAL_DOCUMENTS = "several-documents": "The file holds more than one flow: a second YAML document, or a second `flow { … }`.";
        TAB = "tab": "A line is indented with a tab; YAML indents with spaces.";
        INDENTATION = "indentation": "A line is indented so that it belongs to nothing.";
        DUPLICATE_KEY = "duplicate-key": "A key stands twice in one mapping.";
        KEY_NOT_TEXT = "key-not-text": "A key is missing, or is a list or a mapping.";
        MISSING_COLON = "missing-colon": "A key has no colon behind it.";
        SECOND_COLON = "second-colon": "A value without quotes has a colon and a space in it.";
        UNQUOTED_TEMPLATE = "unquoted-template": "A template stands without quotes; its braces would begin a mapping.";
        FOLDED_ITEM = "folded-item": "An item of a list is indented too far, and has become part of the text above it.";
        UNCLOSED_BRACKET = "unclosed-bracket": "A list or mapping in brackets does not end, or an entry lacks its comma.";
        UNCLOSED_QUOTE = "unclosed-quote": "A text in quotes does not end.";
        TEXT_AFTER_QUOTE = "text-after-quote": "Something stands behind the closing quote of a text.";
        BAD_ESCAPE = "bad-escape": "A backslash in double quotes is followed by something that means nothing.";
        RESERVED_CHARACTER = "reserved-character": "A value begins with a character that YAML keeps for itself.";
        TAG = "tag": "A YAML tag; a flow says types in other ways.";
        MERGE_KEY = "merge-key": "The merge key `<<`, which flows do not have.";
        UNKNOWN_ALIAS = "unknown-alias": "An alias names an anchor that does not stand before it.";
        RECURSIVE_ALIAS = "recursive-alias": "An alias stands inside of what it names.";
        ALIAS_BUDGET = "alias-budget": "Aliases multiply the file beyond what is allowed.";
        NESTING_TOO_DEEP = "nesting-too-deep": "Lists and mappings are nested too deep.";
        TOO_MANY_VALUES = "too-many-values": "The file has more values than a flow may have.";
        VALUE_TOO_LARGE = "value-too-large": "One value is larger than a value may be.";
        AMBIGUOUS_TEXT = "ambiguous-text": "Text without quotes that readers of YAML take for different things.";
        UNQUOTED_TEXT = "unquoted-text": "A text stands without quotes, in the text notation.";
        NO_EQUALS_SIGN = "no-equals-sign": "Something else than `=` stands between a key and its value, in the text notation.";
        TEXT_SYNTAX = "text-syntax": "The text is not in the text notation.";
        YAML_SYNTAX = "yaml-syntax": "The text is not YAML.";
        TOO_MANY_PROBLEMS = "too-many-problems": "There are more problems than are shown.";

        UNKNOWN_KEY = "unknown-key": "A key that means nothing where it stands.";
        WRONG_LEVEL = "wrong-level": "A key that means something, but elsewhere.";
        WRONG_SHAPE = "wrong-shape": "A list where a mapping is wanted, a mapping where text is wanted, and so on.";
        MISSING_VALUE = "missing-value": "A key has nothing behind it.";
        NO_TASKS = "no-tasks": "A flow or a group has no tasks.";
        NO_KIND = "no-kind": "A task does not say what it does.";
        TWO_KINDS = "two-kinds": "A task says two things that it does.";
        NO_NAME = "no-name": "A task of a list has no name.";
        DUPLICATE_NAME = "duplicate-name": "Two tasks of one list have the same name.";
        BAD_NAME = "bad-name": "A name has other characters than a-z, 0-9 and _, or does not begin with a letter.";
        RESERVED_NAME = "reserved-name": "A name that the language keeps for itself.";
        LOOP_OUTSIDE_RETRY = "loop-outside-retry": "`for_each` stands outside of `retry`.";

        BAD_DURATION = "bad-duration": "Not a duration, or one that makes no sense there.";
        BAD_NUMBER = "bad-number": "Not a number, or one that makes no sense there.";
        BAD_BOOL = "bad-bool": "Neither `true` nor `false`.";
        BAD_WORD = "bad-word": "Not one of the words that may stand there.";
        BAD_VARIABLE = "bad-variable": "Not a name for an environment variable.";
        TEMPLATE_IN_EXPRESSION = "template-in-expression": "An expression stands in braces where it stands bare.";
        UNKNOWN_TYPE = "unknown-type": "A type that does not exist, or a default text in the short form.";
        NO_TYPE = "no-type": "A store name has neither a type nor a default.";
        WRONG_TYPE = "wrong-type": "A value does not fit its declared type, or what is allowed for it.";
        BAD_BOUND = "bad-bound": "`min` or `max` does not fit the type, or `min` is above `max`.";
        BAD_PATTERN = "bad-pattern": "`pattern` is no regular expression, or the type is no text.";
        TEMPLATE_IN_STORE = "template-in-store": "A template in a default, where nothing is filled in.";
        SECRET_DEFAULT = "secret-default": "A secret has a default, which would be written to the store.";
        SECRET_WITHOUT_SOURCE = "secret-without-source": "A secret does not say where it is read from.";
        BAD_SOURCE = "bad-source": "`from` is neither `env:NAME` nor `file:PATH`.";

        NO_TRIES = "no-tries": "A retry says neither `times` nor `for_each`.";
        TWO_TRIES = "two-tries": "A retry says both `times` and `for_each`.";
        TIMES_BELOW_ONE = "times-below-one": "`times` is below 1.";
        BACKOFF_BELOW_ONE = "backoff-below-one": "`backoff` is below 1: the waits would shrink.";
        MAX_DELAY_BELOW_DELAY = "max-delay-below-delay": "`max_delay` is shorter than `delay`.";
        BAD_JITTER = "bad-jitter": "`jitter` is neither a share from 0 to 1 nor a bool.";
        FOR_EACH_EMPTY = "for-each-empty": "`for_each` has nothing to try.";
        FOR_EACH_NO_LIST = "for-each-no-list": "`for_each` is neither a list nor one template.";
        AS_MISSING = "as-missing": "A `for_each` without `as`: no task could use the value.";

        MISSING_FLOW = "missing-flow": "A sub-flow is not where it is looked for.";
        MISSING_FILE = "missing-file": "A file that a task is given is not where it is looked for.";
        CONTAINS_ITSELF = "contains-itself": "A flow or a task kind uses itself, maybe by way of others.";
        OUTSIDE_FOLDER = "outside-folder": "A file that the flow uses stands outside of the flow's folder.";
        UNREADABLE_FILE = "unreadable-file": "A flow, or a file that it uses, cannot be read.";
        TOO_MANY_FILES = "too-many-files": "A flow uses more files than it may.";
        TASK_KIND_FILE = "task-kind-file": "A task kind and its file have different names, or it stands in a file for flows.";

        MATRIX_EMPTY = "matrix-empty": "A matrix has no names, or one of them has no values.";
        MATRIX_NO_LIST = "matrix-no-list": "The values of a matrix are neither a list nor one template.";
    }
}

codes! {
    /// What a flow can have wrong beyond its text: its names, its graph, its expressions. In alphabetical order. Some of
    /// what is found there has a code of the text, for the same thing found later.
    OF_THE_FLOW {
        AS_UNUSED = "as-unused": "Nothing that is retried uses the name that `as` gives.";
        BAD_CAPABILITY = "bad-capability": "The argument of a capability does not fit it.";
        BAD_EXPRESSION = "bad-expression": "An expression does not parse.";
        BAD_URL = "bad-url": "The text is not an absolute URL.";
        CONSTANT_WHEN = "constant-when": "A `when` that names no value is always true or always false.";
        CYCLE = "cycle": "Tasks wait for each other in a circle, so none of them can start.";
        FOR_EACH_IN_REVERT = "for-each-in-revert": "The retry of a revert has a `for_each`; a revert is tried again as it is.";
        HIDDEN_NAME = "hidden-name": "The variable of a retry has the name of something else that can be used there.";
        HIDES_STORE = "hides-store": "A task provides a name that the store has already.";
        JSON_NOT_READ = "json-not-read": "An expression asks for `json`, and the call does not say `json: true`.";
        MATRIX_NEEDS_RESULT = "matrix-needs-result": "The values of a matrix are told by a task, which runs after the copies are made.";
        MATRIX_TOO_LARGE = "matrix-too-large": "A matrix makes more copies of a task than there may be.";
        MATRIX_TWICE = "matrix-twice": "A value stands twice in a matrix.";
        MISSING_PARAMETER = "missing-parameter": "A kind misses a parameter that it needs.";
        NEEDS_ITSELF = "needs-itself": "A task needs itself, the group that it stands in, or what only it provides.";
        NO_ARGUMENTS = "no-arguments": "A list of arguments is empty.";
        NO_PROCESS = "no-process": "`env` or `dir` stands on a task that runs no process.";
        NOTHING_TO_PROVIDE = "nothing-to-provide": "A task provides its result, and its kind has none.";
        PROVIDER_MAY_BE_SKIPPED = "provider-may-be-skipped": "A name may be missing: its task may be skipped, and what uses it is not skipped with it.";
        PROVIDER_MAY_FAIL = "provider-may-fail": "A name may be missing: its task may fail, and the flow goes on.";
        REVERT_NEEDS_LATER = "revert-needs-later": "A revert uses what is made after its task: when it runs, that is undone already.";
        SECRET_IN_ARGUMENT = "secret-in-argument": "A secret is an argument of a process, which everybody on the machine can read.";
        SECRET_IN_EXPRESSION = "secret-in-expression": "A secret stands where its value decides something that is kept or shown.";
        SECRET_IN_URL = "secret-in-url": "A secret stands in a URL, which servers and proxies write to their logs.";
        SKIPS_WITHOUT_WHEN = "skips-without-when": "`skips` says how far a skip goes, and there is no `when`.";
        STATEMENT_IN_TEMPLATE = "statement-in-template": "A statement of templates, as `{% if … %}`, stands where only expressions do.";
        TEMPLATE_AFTER_DOLLAR = "template-after-dollar": "A `$` stands before a template in a script.";
        TEMPLATE_IN_INTERPRETER = "template-in-interpreter": "The interpreter of a script is a template; it decides how the script is read.";
        TEMPLATE_IN_KEY = "template-in-key": "A template stands in a key of a mapping.";
        TEMPLATE_IN_QUOTED_HERE_DOCUMENT = "template-in-quoted-here-document": "A template stands in a here-document with a quoted delimiter, where a shell expands nothing.";
        TEMPLATE_IN_SCRIPT = "template-in-script": "A template stands in a script for another interpreter than a shell: its value would become code.";
        TEMPLATE_IN_SINGLE_QUOTES = "template-in-single-quotes": "A template stands in single quotes, where a shell expands nothing.";
        TEMPLATE_NOT_CLOSED = "template-not-closed": "A `{{` has no `}}`.";
        TEMPLATE_PLACE_UNCLEAR = "template-place-unclear": "What a shell does with a template at this place cannot be told.";
        TOO_MANY_TASKS = "too-many-tasks": "Sub-flows, task kinds and matrices make more tasks than there may be.";
        TWO_PROVIDERS = "two-providers": "Two tasks provide the same name.";
        TWO_TIMES = "two-times": "A wait says two times.";
        UNKNOWN_CAPABILITY = "unknown-capability": "Not one of the capabilities that every conductor knows.";
        UNKNOWN_FILTER = "unknown-filter": "An expression uses a filter that there is not.";
        UNKNOWN_FUNCTION = "unknown-function": "An expression calls a function or a method that there is not.";
        UNKNOWN_KIND = "unknown-kind": "There is no task kind of that name.";
        UNKNOWN_NAME = "unknown-name": "A name that nothing declares or provides, at least not there.";
        UNKNOWN_PARAMETER = "unknown-parameter": "A kind has no parameter of that name.";
        UNKNOWN_TASK = "unknown-task": "`needs` names a task that there is not, or that stands inside of a group.";
        UNKNOWN_TEST = "unknown-test": "An expression uses a test that there is not.";
        UNUSED_NAME = "unused-name": "Nothing uses a name of the store, or one that a task provides.";
    }
}

/// Every code, in the order in which they are documented.
pub fn all() -> impl Iterator<Item = &'static Known> {
    OF_THE_TEXT.iter().chain(OF_THE_FLOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let mut seen = BTreeSet::new();
        for known in all() {
            let code = known.code.as_str();
            assert!(seen.insert(code), "{code} twice");
            assert!(
                code.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
            assert!(known.about.ends_with('.'), "{code}");
        }
    }

    fn sources(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if !path.ends_with("syntax/code.rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_code_is_given_somewhere() {
        let mut text = String::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for layer in ["src/syntax", "src/compile"] {
            sources(&root.join(layer), &mut text);
        }
        text.push_str(&fs::read_to_string(root.join("src/cli/shelf.rs")).unwrap());
        let used = regex::Regex::new(r"\bcode::([A-Z0-9_]+)").unwrap();
        let used: BTreeSet<_> = used
            .captures_iter(&text)
            .map(|found| found[1].to_owned())
            .collect();
        let known: BTreeSet<_> = all()
            .map(|known| known.code.as_str().to_uppercase().replace('-', "_"))
            .collect();
        let unused: Vec<_> = known.difference(&used).collect();
        assert!(unused.is_empty(), "codes that nothing gives: {unused:?}");
    }
}
