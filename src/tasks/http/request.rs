//! The parameters of `http`, and the request that they make.

use std::path::PathBuf;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Url};
use serde::Deserialize;

use super::Expected;
use super::client::innermost;
use crate::model::{Duration, Failure, Value};
use crate::ports::Call;
use crate::tasks::params::{self, Fields, unfit};

/// The parameters, rendered.
#[derive(Deserialize)]
pub struct Params {
    method: Option<String>,
    url: String,
    #[serde(default)]
    query: Fields,
    #[serde(default)]
    headers: Fields,
    json: Option<Value>,
    form: Option<Fields>,
    body: Option<Value>,
    bearer: Option<Value>,
    basic: Option<Basic>,
    expect: Option<Value>,
    timeout: Option<String>,
    /// The file that the body goes to.
    pub save: Option<PathBuf>,
    sha256: Option<String>,
    /// How large the body may be, in bytes.
    pub max_size: Option<u64>,
    /// How many redirects are followed.
    pub redirects: Option<u64>,
    /// A file of certificates.
    pub ca: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Basic {
    user: String,
    #[serde(default)]
    password: Option<String>,
}

impl Params {
    /// The status codes that are no failure.
    pub(super) fn expected(&self) -> Result<Expected, Failure> {
        let code = |value: &Value| {
            let code = match value {
                Value::Number(number) => number.as_u64(),
                Value::String(text) => text.parse().ok(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            };
            code.and_then(|code| u16::try_from(code).ok())
                .ok_or_else(|| unfit(format!("`expect`: {value} is not a status code")))
        };
        Ok(match &self.expect {
            None => Expected::Success,
            Some(Value::Array(codes)) => {
                Expected::These(codes.iter().map(code).collect::<Result<_, _>>()?)
            }
            Some(single) => Expected::These(vec![code(single)?]),
        })
    }

    /// The SHA-256 sum that the body must have, in small letters.
    pub fn sum(&self) -> Result<Option<String>, Failure> {
        let Some(text) = &self.sha256 else {
            return Ok(None);
        };
        match text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(Some(text.to_ascii_lowercase())),
            false => Err(unfit(format!(
                "`sha256`: `{text}` is not a sum of 64 hexadecimal digits"
            ))),
        }
    }

    /// How long the whole exchange may take.
    pub fn timeout(&self) -> Result<Option<Duration>, Failure> {
        let text = self.timeout.as_deref();
        text.map(|text| params::period("timeout", text)).transpose()
    }

    /// Where to, with the query.
    pub fn url(&self) -> Result<Url, Failure> {
        // The text is not repeated: there may be a password in it.
        let mut url =
            Url::parse(&self.url).map_err(|error| unfit(format!("`url` is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unfit(format!(
                "`url` begins with `{}:`, where `http:` or `https:` is wanted",
                url.scheme()
            )));
        }
        if !self.query.is_empty() {
            let pairs = params::pairs(&self.query)?;
            url.query_pairs_mut().extend_pairs(pairs);
        }
        Ok(url)
    }

    /// The request.
    pub fn request(&self, client: &Client, url: Url, call: &Call) -> Result<Request, Failure> {
        let body = self.content()?;
        let default = if body.is_some() { "POST" } else { "GET" };
        let name = self.method.as_deref().unwrap_or(default);
        let method = Method::from_bytes(name.as_bytes())
            .map_err(|_| unfit(format!("`method`: `{name}` is not a method")))?;
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", value("idempotency-key", &call.key)?);
        headers.insert("jobrunner-epoch", HeaderValue::from(call.epoch.0));
        if let Some(kind) = body.as_ref().and_then(|content| content.kind) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        for (name, text) in params::pairs(&self.headers)? {
            let field = HeaderName::try_from(&name)
                .map_err(|_| unfit(format!("`headers`: `{name}` is not a name for a header")))?;
            headers.insert(field, value(&name, &text)?);
        }
        let mut builder = client.request(method, url).headers(headers);
        if let Some(bearer) = &self.bearer {
            let token = params::text("bearer", bearer)?;
            if !token.is_empty() {
                builder = builder.bearer_auth(token);
            }
        }
        if let Some(basic) = &self.basic {
            builder = builder.basic_auth(&basic.user, basic.password.as_ref());
        }
        if let Some(content) = body {
            builder = builder.body(content.bytes);
        }
        let unusable = |error: reqwest::Error| {
            let reason = innermost(&error.without_url());
            unfit(format!(
                "no request can be made of the parameters: {reason}"
            ))
        };
        builder.build().map_err(unusable)
    }

    fn content(&self) -> Result<Option<Content>, Failure> {
        let of_kind = |kind, bytes| Ok(Some(Content { kind, bytes }));
        match (&self.json, &self.form, &self.body) {
            (None, None, None) => Ok(None),
            (Some(json), None, None) => {
                of_kind(Some("application/json"), json.to_string().into_bytes())
            }
            (None, Some(form), None) => {
                let fields = params::pairs(form)?;
                let kind = "application/x-www-form-urlencoded";
                of_kind(Some(kind), url_encoded(&fields))
            }
            (None, None, Some(body)) => of_kind(None, params::text("body", body)?.into_bytes()),
            _ => Err(unfit(
                "only one of `json`, `form` and `body` can be sent".to_owned(),
            )),
        }
    }
}

/// A body, and what it is.
struct Content {
    kind: Option<&'static str>,
    bytes: Vec<u8>,
}

fn value(name: &str, text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        unfit(format!(
            "the header `{name}` cannot hold a line break or another control character"
        ))
    })
}

/// Fields as a form's content: what a query would be.
fn url_encoded(fields: &[(String, String)]) -> Vec<u8> {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

    // https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'*')
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b' ');
    let encode = |text: &str| {
        utf8_percent_encode(text, ENCODED)
            .to_string()
            .replace(' ', "+")
    };
    let pairs = fields.iter();
    let pairs = pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_encoded_as_browsers_do_it() {
        let fields = [("a b", "1&2=3"), ("ä", "x+y\n")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            url_encoded(&fields),
            b"a+b=1%262%3D3&%C3%A4=x%2By%0A".to_vec()
        );
    }
}
