//! The forms in which a secret may show up: as it is, line by line, and as the common encodings write it.
//!
//! A secret enters, every text to look for leaves. What somebody computes of a secret otherwise is not among them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::Value;

/// A part of a secret that is at least this long, in bytes, is masked on its own too: a line, or what is left of a
/// secret that was cut off.
pub(super) const PART: usize = 8;
/// A text within a secret (a field of a mapping, an item of a list, the value of a variable) is masked if it is at least
/// this long, in bytes: of shorter ones, any output is full.
pub(super) const SHORTEST: usize = 4;
/// The shortest Base64 that is looked for, in characters: less of it is in any text.
const BASE64: usize = 6;
/// The longest secret whose encodings are looked for, in bytes: each takes memory.
const LONGEST: usize = 8 << 10;

/// RFC 3986, 2.3: what `url` encodes.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What needs no encoding in paths: Python's `quote`.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
/// JavaScript's `encodeURIComponent`.
const COMPONENT: &AsciiSet = &UNRESERVED
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
/// <https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set>, without the space.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b' ');
/// <https://url.spec.whatwg.org/#query-percent-encode-set>, and with an apostrophe for `http`.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
const SPECIAL_QUERY: &AsciiSet = &QUERY.add(b'\'');
/// <https://url.spec.whatwg.org/#path-percent-encode-set>
const URL_PATH: &AsciiSet = &QUERY.add(b'?').add(b'^').add(b'`').add(b'{').add(b'}');
/// <https://url.spec.whatwg.org/#userinfo-percent-encode-set>
const USER: &AsciiSet = &URL_PATH
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'|');

/// Adds every form of a secret.
pub(super) fn add(forms: &mut BTreeSet<String>, secret: &str) {
    let lines = secret.lines().filter(|line| line.len() >= PART);
    let assigned = secret.lines().filter_map(assigned);
    for part in lines.chain(assigned).chain([secret, secret.trim()]) {
        forms.insert(part.to_owned());
        if secret.len() <= LONGEST {
            percent(forms, part);
            json(forms, part);
            quoted(forms, part);
            base64(forms, part);
        }
    }
    forms.remove("");
}

/// The value of a line `NAME=value`, as files of environment variables have them.
fn assigned(line: &str) -> Option<&str> {
    let (name, value) = line.trim().split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_name && value.len() >= SHORTEST).then_some(value)
}

fn percent(forms: &mut BTreeSet<String>, text: &str) {
    for set in [
        NON_ALPHANUMERIC,
        UNRESERVED,
        PATH,
        COMPONENT,
        QUERY,
        SPECIAL_QUERY,
        URL_PATH,
        USER,
    ] {
        let encoded = utf8_percent_encode(text, set).to_string();
        forms.insert(encoded.replace("%20", "+"));
        forms.insert(in_lower_case(&encoded));
        forms.insert(encoded);
    }
    let form = utf8_percent_encode(text, FORM).to_string();
    forms.insert(form.replace(' ', "+"));
}

/// The same with `%2f` for `%2F`.
fn in_lower_case(encoded: &str) -> String {
    let mut digits = 0;
    let lower = |c: char| {
        if c == '%' {
            digits = 2;
            return c;
        }
        if digits == 0 {
            return c;
        }
        digits -= 1;
        c.to_ascii_lowercase()
    };
    encoded.chars().map(lower).collect()
}

/// RFC 8259, 7: as it must be, in ASCII alone, and with slashes escaped.
fn json(forms: &mut BTreeSet<String>, text: &str) {
    let written = Value::from(text).to_string();
    let written = &written[1..written.len() - 1];
    let mut ascii = String::new();
    for c in written.chars() {
        if c.is_ascii() {
            ascii.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            ascii.push_str(&format!("\\u{unit:04x}"));
        }
    }
    for written in [written, &ascii] {
        forms.insert(written.replace('/', "\\/"));
        forms.insert(written.to_owned());
    }
}

/// As shells write it when they tell what they do (`set -x`, `export -p`), and as Python does.
fn quoted(forms: &mut BTreeSet<String>, text: &str) {
    forms.insert(text.replace('\'', "'\"'\"'"));
    forms.insert(text.replace('\'', "'\\''"));
    let mut double = String::new();
    for c in text.chars() {
        if matches!(c, '$' | '`' | '"' | '\\') {
            double.push('\\');
        }
        double.push(c);
    }
    forms.insert(double);
    let python = text.replace('\\', "\\\\").replace('\n', "\\n");
    forms.insert(python.replace('\'', "\\'"));
    forms.insert(python);
}

/// RFC 4648, 4 and 5: wherever the secret stands in what is encoded, without what its neighbours decide too.
fn base64(forms: &mut BTreeSet<String>, text: &str) {
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(text.as_bytes());
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        if own.len() < BASE64 {
            continue;
        }
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.insert(engine.encode(&bytes)[own.clone()].to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(secret: &str) -> BTreeSet<String> {
        let mut forms = BTreeSet::new();
        add(&mut forms, secret);
        forms
    }

    #[test]
    fn a_secret_is_known_in_every_common_encoding() {
        let forms = forms("a/b-c 'd\"é");
        for form in [
            "a/b-c 'd\"é",
            "a%2Fb-c%20%27d%22%C3%A9",
            "a%2fb-c%20%27d%22%c3%a9",
            "a%2Fb-c+%27d%22%C3%A9",
            "a/b-c%20'd%22%C3%A9",
            "a/b-c 'd\\\"é",
            "a\\/b-c 'd\\\"\\u00e9",
            "a/b-c '\"'\"'d\"é",
            "a/b-c '\\''d\"é",
            "a/b-c \\'d\"é",
        ] {
            assert!(forms.contains(form), "{form}");
        }
    }

    #[test]
    fn base64_is_known_wherever_the_secret_stands_in_it() {
        let forms = forms("hunter2>>>?");
        for text in [
            "hunter2>>>?",
            "u:hunter2>>>?",
            "xhunter2>>>?!",
            "me:hunter2>>>?--",
        ] {
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let encoded = engine.encode(text);
                assert!(forms.iter().any(|form| encoded.contains(form)), "{encoded}");
            }
        }
    }

    #[test]
    fn the_values_of_variables_are_secrets_too() {
        let forms = forms("USER=me\nPASSWORD=hunter2\n");
        assert!(forms.contains("hunter2") && !forms.contains("me"));
    }

    #[test]
    fn short_secrets_are_looked_for_as_they_are() {
        assert_eq!(Vec::from_iter(forms("abc")), ["abc"]);
    }
}
