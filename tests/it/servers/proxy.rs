//! A TCP proxy between a client and a server of the tests, which cuts, stalls and loses answers when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// What becomes of what comes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weather {
    /// All of it arrives.
    Fair,
    /// Nothing arrives any more, in either direction, and nobody is told: as if the cable were cut.
    Silent,
    /// Every connection is closed, and every new one at once.
    Refused,
    /// A connection is closed as soon as the client sends something that holds these bytes; they do not arrive.
    CutBefore(Vec<u8>),
    /// A connection is closed after the server has got something that holds these bytes, and has answered: the answer
    /// does not arrive.
    CutAfter(Vec<u8>),
}

/// A proxy on a port of its own, until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: AbortHandle,
}

struct Shared {
    weather: watch::Sender<Weather>,
    /// Raised when all connections are to be closed.
    closed: watch::Sender<u64>,
    cuts: AtomicU64,
}

impl Proxy {
    /// One that leads to a port of this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            weather: watch::Sender::new(Weather::Fair),
            closed: watch::Sender::new(0),
            cuts: AtomicU64::new(0),
        });
        let serving = tokio::spawn(serve(listener, port, Arc::clone(&shared))).abort_handle();
        Self {
            address,
            shared,
            serving,
        }
    }

    /// Where clients go.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on.
    pub fn set(&self, weather: Weather) {
        let refused = weather == Weather::Refused;
        self.shared.weather.send_replace(weather);
        if refused {
            self.cut();
        }
    }

    /// Closes every connection; new ones are let through.
    pub fn cut(&self) {
        self.shared.closed.send_modify(|times| *times += 1);
    }

    /// How many connections were closed because of the bytes that came.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, port: u16, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while open.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        open.spawn(async move {
            let mut closed = shared.closed.subscribe();
            if *shared.weather.borrow() == Weather::Refused {
                return;
            }
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
                return;
            };
            let _ = client.set_nodelay(true);
            let _ = server.set_nodelay(true);
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                _ = closed.changed() => {}
                () = through(&shared, from_client, to_server, from_server, to_client) => {}
            }
        });
    }
}

/// Carries bytes both ways until one side ends or a cut is due.
async fn through(
    shared: &Shared,
    mut from_client: OwnedReadHalf,
    mut to_server: OwnedWriteHalf,
    mut from_server: OwnedReadHalf,
    mut to_client: OwnedWriteHalf,
) {
    let mut asked = vec![0; 64 << 10];
    let mut answered = vec![0; 64 << 10];
    let mut doomed = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                fair_enough(shared).await;
                match &*shared.weather.borrow() {
                    Weather::CutBefore(bytes) if holds(&asked[..length], bytes) => {
                        shared.cuts.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    Weather::CutAfter(bytes) if holds(&asked[..length], bytes) => doomed = true,
                    _ => {}
                }
                if to_server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            read = from_server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if doomed {
                    shared.cuts.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                fair_enough(shared).await;
                if to_client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Waits while it is silent.
async fn fair_enough(shared: &Shared) {
    let mut weather = shared.weather.subscribe();
    let _ = weather
        .wait_for(|weather| *weather != Weather::Silent)
        .await;
}

fn holds(bytes: &[u8], sought: &[u8]) -> bool {
    bytes
        .windows(sought.len())
        .any(|window| window.eq_ignore_ascii_case(sought))
}
