//! A request and the redirects after it, until an answer comes.

use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT,
};
use reqwest::{Body, Method, Request, Response, StatusCode, Url};

use super::client::{CONNECT, Clients, Trust, innermost};
use super::request::Params;
use crate::model::{Failure, FailureKind, format_duration};
use crate::ports::Call;

/// How many redirects are followed if nothing is said.
const REDIRECTS: u64 = 10;

/// An exchange that is under way.
pub struct Exchange<'c> {
    clients: &'c Clients,
    trust: Trust,
    next: Request,
    redirects: u64,
}

impl<'c> Exchange<'c> {
    /// The first request of it.
    ///
    /// # Errors
    /// `template`: the parameters make no request; `system`: the certificates cannot be read.
    pub fn new(clients: &'c Clients, call: &Call, spec: Params) -> Result<Self, Failure> {
        let trust = match &spec.ca {
            Some(path) => Trust::with_file(path)?,
            None => Trust::System,
        };
        let url = spec.url()?;
        let client = clients.get(trust_for(&url, &trust))?;
        Ok(Self {
            clients,
            next: spec.request(&client, url, call)?,
            trust,
            redirects: spec.redirects.unwrap_or(REDIRECTS),
        })
    }

    /// Sends, follows redirects, and returns the answer that is none, or any if none are to be followed.
    ///
    /// # Errors
    /// `connect`: no connection, or it broke; `status`: a redirect that cannot be followed, or too many.
    pub async fn run(&mut self) -> Result<Response, Failure> {
        let mut followed = 0;
        loop {
            let answer = self.send().await?;
            let status = answer.status();
            if self.redirects == 0
                || !is_redirect(status)
                || !answer.headers().contains_key(LOCATION)
            {
                return Ok(answer);
            }
            let refused = |why: String| {
                let mut failure = Failure::new(FailureKind::Status, why);
                failure.status = Some(status.as_u16());
                failure
            };
            if followed == self.redirects {
                return Err(refused(format!("more than {followed} redirects")));
            }
            followed += 1;
            self.next = redirected(self.again(), &answer)
                .map_err(|why| refused(format!("`{}` answered {status} {why}", self.origin())))?;
        }
    }

    /// Whom it is with: scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        origin(self.next.url())
    }

    /// The request for the log, without its query.
    #[must_use]
    pub fn shown(&self) -> String {
        let path = self.next.url().path();
        format!("{} {}{path}", self.next.method(), self.origin())
    }

    /// The same request once more. Bodies are in memory, so they can be sent twice.
    fn again(&self) -> Request {
        let mut request = Request::new(self.next.method().clone(), self.next.url().clone());
        *request.headers_mut() = self.next.headers().clone();
        let body = self.next.body().and_then(Body::as_bytes);
        *request.body_mut() = body.map(|bytes| Body::from(bytes.to_vec()));
        request
    }

    async fn send(&self) -> Result<Response, Failure> {
        let client = self.clients.get(trust_for(self.next.url(), &self.trust))?;
        let sent = client.execute(self.again()).await;
        sent.map_err(|error| broken(&self.origin(), error))
    }
}

/// The next piece of an answer's body.
///
/// # Errors
/// `connect`: the connection broke.
pub async fn chunk(
    origin: &str,
    answer: &mut Response,
) -> Result<Option<impl std::ops::Deref<Target = [u8]> + use<>>, Failure> {
    answer.chunk().await.map_err(|error| broken(origin, error))
}

fn trust_for<'t>(url: &Url, trust: &'t Trust) -> &'t Trust {
    match url.scheme() {
        "https" => trust,
        _ => &Trust::Nobody,
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The request that a redirect asks for (RFC 9110, 15.4). Another origin gets no credentials: no header that
/// the flow has set but what it accepts, and no body.
fn redirected(mut request: Request, answer: &Response) -> Result<Request, &'static str> {
    let location = answer.headers().get(LOCATION);
    let target = location
        .and_then(|value| value.to_str().ok())
        .and_then(|text| request.url().join(text).ok())
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or("with a `Location` that cannot be followed")?;
    let becomes_get = match answer.status() {
        StatusCode::SEE_OTHER => request.method() != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => request.method() == Method::POST,
        _ => false,
    };
    if becomes_get {
        *request.method_mut() = Method::GET;
        *request.body_mut() = None;
        request.headers_mut().remove(CONTENT_TYPE);
        request.headers_mut().remove(CONTENT_LENGTH);
    }
    if target.origin() != request.url().origin() {
        if request.body().is_some() {
            return Err("and asks to send the body to another host, which is not done");
        }
        let sent = std::mem::take(request.headers_mut());
        for name in [ACCEPT, ACCEPT_LANGUAGE, USER_AGENT] {
            if let Some(value) = sent.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
    }
    *request.url_mut() = target;
    Ok(request)
}

fn broken(origin: &str, error: reqwest::Error) -> Failure {
    let (timeout, connect) = (error.is_timeout(), error.is_connect());
    let reason = innermost(&error.without_url());
    let message = match (timeout, connect) {
        (true, _) => format!(
            "`{origin}` cannot be reached within {}",
            format_duration(CONNECT)
        ),
        (false, true) => format!("`{origin}` cannot be reached: {reason}"),
        (false, false) => format!("the connection to `{origin}` broke: {reason}"),
    };
    Failure::new(FailureKind::Connect, message)
}
