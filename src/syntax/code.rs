//! The stable codes of problems that the text itself can have, each with a line about it.
//!
//! Codes never change their meaning. What the graph and the expressions of a flow can have wrong has its codes in
//! `compile`.

macro_rules! codes {
    ($($name:ident = $code:literal: $about:literal;)*) => {
        $(#[doc = $about] pub const $name: &str = $code;)*

        /// Every code of this layer, each with a line about it, in the order in which they are documented.
        pub const ALL: &[(&str, &str)] = &[$(($code, $about)),*];
    };
}

codes! {
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
    UNREADABLE_FILE = "unreadable-file": "A file that the flow uses cannot be read.";
    TOO_MANY_FILES = "too-many-files": "A flow uses more files than it may.";
    TASK_KIND_FILE = "task-kind-file": "A task kind and its file have different names, or it stands in a file for flows.";

    MATRIX_EMPTY = "matrix-empty": "A matrix has no names, or one of them has no values.";
    MATRIX_NO_LIST = "matrix-no-list": "The values of a matrix are neither a list nor one template.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let mut seen = HashSet::new();
        for (code, about) in ALL {
            assert!(seen.insert(code), "{code} twice");
            assert!(
                code.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
            assert!(about.ends_with('.'), "{code}");
        }
    }
}
