//! URLs with values in them: a value never adds to the structure of the URL (RFC 3986).
//!
//! The text of a URL enters, with the place of each value told from the literal text around it. When it is rendered,
//! values are percent-encoded for their place; one that cannot stand there (another host's name in the host, `..`
//! in the path) is an error. No URL is ever fetched here.

use std::ops::Range;

use indexmap::IndexMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::text::{Raw, Source};
use super::{Piece, Place, Template, TemplateError};
use crate::compile::uses::{Found, Spot};
use crate::model::{Type, Value};
use crate::syntax::{Problem, code};

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Reads a URL with templates.
pub(crate) fn read(source: Source<'_>, found: &mut Found) -> Template {
    let raw = source.split(found);
    let places = places(&raw);
    let wrong =
        |what: String| Problem::error(code::BAD_URL, source.span, what).help(Type::Url.hint());
    match raw.as_slice() {
        [] => {
            if source.text.is_empty() {
                found.wrong(wrong("a URL is missing".to_owned()));
            }
            return Template::Literal("".into());
        }
        [Raw::Text(text)] => {
            if Type::Url.check(Value::from(text.as_str())).is_err() {
                found.wrong(wrong(format!("`{text}` is not a URL")));
            }
            return Template::Literal(text.as_str().into());
        }
        [Raw::Text(text), ..] if scheme_end(text).is_none() => {
            found.wrong(wrong(format!("`{text}` is not the beginning of a URL")));
        }
        _ => {}
    }
    let pieces = raw.into_iter().zip(places).filter_map(|(piece, place)| {
        let piece = match piece {
            Raw::Text(text) => Piece::Text(text),
            Raw::Expression(text, range) => {
                Piece::Expression(source.expression(&text, range, Spot::Url, found)?)
            }
        };
        Some((piece, place))
    });
    Template::Url(pieces.collect())
}

/// Where a scheme's `://` ends, if the text begins with one.
fn scheme_end(text: &str) -> Option<usize> {
    let colon = text.find("://")?;
    is_scheme(&text[..colon]).then_some(colon + 3)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// The place of each piece; a literal piece's is the one in which it begins.
fn places(raw: &[Raw]) -> Vec<Place> {
    let mut places = Vec::with_capacity(raw.len());
    let mut place = Place::Whole;
    for (index, piece) in raw.iter().enumerate() {
        let next = match raw.get(index + 1) {
            Some(Raw::Text(text)) => text.as_str(),
            Some(Raw::Expression(..)) | None => "",
        };
        match piece {
            Raw::Expression(..) if index == 0 && next.starts_with("://") => {
                places.push(Place::Scheme);
            }
            Raw::Expression(..) if index == 0 => {
                places.push(Place::Whole);
                // What a whole URL ends in cannot be told; no value behind it may add to its structure.
                place = Place::Path;
            }
            Raw::Expression(..) if place == Place::Authority && is_user(&raw[index + 1..]) => {
                places.push(Place::UserInfo);
            }
            Raw::Expression(..) => places.push(place),
            Raw::Text(text) => {
                places.push(place);
                let mut text = text.as_str();
                if place == Place::Whole {
                    place = Place::Authority;
                    text = text.split_once("://").map_or(text, |(_, rest)| rest);
                }
                for c in text.chars() {
                    place = match (place, c) {
                        (Place::Fragment, _) => Place::Fragment,
                        (_, '#') => Place::Fragment,
                        (Place::Query, _) => Place::Query,
                        (_, '?') => Place::Query,
                        (_, '/') => Place::Path,
                        (place, _) => place,
                    };
                }
            }
        }
    }
    places
}

/// Whether an `@` follows before the authority ends.
fn is_user(rest: &[Raw]) -> bool {
    for piece in rest {
        if let Raw::Text(text) = piece
            && let Some(c) = text.chars().find(|c| matches!(c, '@' | '/' | '?' | '#'))
        {
            return c == '@';
        }
    }
    false
}

/// The URL with the values in their places.
pub(super) fn render(
    pieces: &[(Piece, Place)],
    names: &IndexMap<String, Value>,
) -> Result<String, TemplateError> {
    let mut url = String::new();
    let mut values: Vec<(Range<usize>, &str)> = Vec::new();
    for (piece, place) in pieces {
        match piece {
            Piece::Text(text) => url.push_str(text),
            Piece::Expression(expression) => {
                let value = expression.text_of(names)?;
                let start = url.len();
                let wrong = |what: &str| {
                    Err(TemplateError {
                        0: format!("the value of `{}` {what}", expression.text),
                    })
                };
                match place {
                    Place::Whole => {
                        if value.chars().any(|c| c.is_whitespace() || c.is_control()) {
                            return wrong("is not a URL: there is white space in it");
                        }
                        url.push_str(&value);
                        continue;
                    }
                    Place::Scheme if is_scheme(&value) => url.push_str(&value),
                    Place::Scheme => return wrong("is not the scheme of a URL"),
                    Place::Authority if is_host(&value) => url.push_str(&value),
                    Place::Authority => return wrong("is not a host or a port of a URL"),
                    Place::UserInfo | Place::Path | Place::Query | Place::Fragment => {
                        url.extend(utf8_percent_encode(&value, RESERVED));
                    }
                }
                values.push((start..url.len(), &expression.text));
            }
        }
    }
    for (segment, range) in segments(&url) {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        let value = values
            .iter()
            .find(|(value, _)| value.start < range.end && range.start < value.end);
        if let (true, Some((_, name))) = (decoded == "." || decoded == "..", value) {
            return Err(TemplateError {
                0: format!(
                    "the value of `{name}` makes a segment `{decoded}` in the path of a URL"
                ),
            });
        }
    }
    Ok(url)
}

/// A host, a port, or both; letters of any script, as in an international domain name.
fn is_host(value: &str) -> bool {
    let (host, port) = match value.rsplit_once(':') {
        Some((host, port)) if !value.ends_with(']') => (host, port),
        _ => (value, ""),
    };
    let name = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'))
    };
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    (name(host) || address) && port.chars().all(|c| c.is_ascii_digit())
}

/// The segments of a URL's path, with their places.
fn segments(url: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..]
        .find(['?', '#'])
        .map_or(url.len(), |at| authority + at);
    let mut at = authority;
    url[authority..end].split('/').map(move |segment| {
        let start = at;
        at += segment.len() + 1;
        (segment, start..start + segment.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;
    use serde_json::json;

    fn rendered(url: &str, value: Value) -> Result<String, String> {
        let mut found = Found::default();
        let template = read(Source::new(url, Span::default()), &mut found);
        if let Some(problem) = found.problems.into_iter().next() {
            return Err(problem.message);
        }
        let names = IndexMap::from([
            ("v".to_owned(), value),
            ("api".to_owned(), json!("https://api.test:8443/v1?k=1")),
        ]);
        template
            .render(&names)
            .map(|url| url.as_str().unwrap_or_default().to_owned())
            .map_err(|error| error.0)
    }

    #[test]
    fn values_are_encoded_for_their_place() {
        for (url, value, expected) in [
            (
                "{{ v }}",
                json!("https://a.test/x?y=1#z"),
                "https://a.test/x?y=1#z",
            ),
            (
                "{{ api }}/{{ v }}",
                json!("a/b?c&d#e"),
                "https://api.test:8443/v1?k=1/a%2Fb%3Fc%26d%23e",
            ),
            (
                "https://a.test/{{ v }}/x",
                json!("../b c"),
                "https://a.test/..%2Fb%20c/x",
            ),
            (
                "https://a.test/?q={{ v }}&n=1",
                json!("1&admin=1+2%"),
                "https://a.test/?q=1%26admin%3D1%2B2%25&n=1",
            ),
            (
                "https://a.test/#{{ v }}",
                json!("ü#"),
                "https://a.test/#%C3%BC%23",
            ),
            (
                "https://{{ v }}.a.test:80/",
                json!("eu-1"),
                "https://eu-1.a.test:80/",
            ),
            ("http://{{ v }}/", json!("[::1]:80"), "http://[::1]:80/"),
            ("http://a.test:{{ v }}/", json!(8080), "http://a.test:8080/"),
            (
                "http://u:{{ v }}@a.test/",
                json!("p@b/"),
                "http://u:p%40b%2F@a.test/",
            ),
            ("{{ v }}://a.test/", json!("https"), "https://a.test/"),
            ("http://a.test/x{{ v }}", json!("."), "http://a.test/x."),
        ] {
            assert_eq!(rendered(url, value), Ok(expected.to_owned()), "{url}");
        }
    }

    #[test]
    fn values_that_would_change_the_url_are_refused() {
        for (url, value) in [
            ("https://a.test/{{ v }}/x", json!("..")),
            ("https://a.test/.{{ v }}/x", json!(".")),
            ("https://{{ v }}/", json!("evil.test/")),
            ("https://{{ v }}.a.test/", json!("evil.test#")),
            ("https://a.test:{{ v }}/", json!("1@evil.test")),
            ("{{ v }}://a.test/", json!("https://evil.test?")),
            ("{{ v }}", json!("https://a.test/\r\nx")),
            ("https://a.test/{{ v }}", Value::Null),
        ] {
            assert!(rendered(url, value).is_err(), "{url}");
        }
    }

    #[test]
    fn text_that_is_no_url_is_a_problem() {
        for url in [
            "",
            "a.test/x",
            "a.test/{{ v }}",
            "/x",
            "https://",
            "http{{ v }}://x",
        ] {
            assert!(rendered(url, json!("x")).is_err(), "{url}");
        }
    }
}
