//! One connection for all that is said to Redis and heard from it; made when it is needed, and made again when it breaks.
//!
//! It speaks version 3 of the protocol, in which messages to a channel come over the same connection as answers. So what
//! is heard and what is answered are there together or away together. A node of a cluster that says where
//! the board is, is believed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, FromRedisValue, PushInfo,
    PushKind, RedisError, RedisResult, Value, from_redis_value_ref,
};
use tokio::sync::OnceCell;

use super::address::RedisAddress;
use super::error::{Trouble, code, explain, refused, unfit};
use super::pulse::Pulse;
use super::script::{Call, Name};

/// How long a connection, or an answer, may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a call is tried that is told to go elsewhere, or whose connection was broken.
const TRIES: usize = 4;

/// The way to a board.
pub(super) struct Link {
    address: RedisAddress,
    pulse: Pulse,
    state: Mutex<State>,
    /// A warning has been given.
    doubted: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Whoever needs a connection while there is none makes one; the others wait for it.
    connected: Arc<OnceCell<Connected>>,
    /// The node that has the board, if the one in the URL has said so.
    moved: Option<(String, u16)>,
}

struct Connected {
    connection: MultiplexedConnection,
    broken: Arc<AtomicBool>,
}

impl Link {
    pub(super) fn new(address: RedisAddress, pulse: Pulse) -> Self {
        Self {
            address,
            pulse,
            state: Mutex::default(),
            doubted: AtomicBool::new(false),
        }
    }

    pub(super) fn address(&self) -> &RedisAddress {
        &self.address
    }

    /// Tries all that is needed.
    pub(super) async fn probe(&self) -> Result<(), Trouble> {
        let said: Vec<String> = self.call(&Call::new(Name::Probe), true).await?;
        match said.as_slice() {
            [] => Ok(()),
            [command, why, ..] => Err(refused(&self.address, command, why)),
            [_] => Err(Trouble::Unreadable("the answer to the probe".to_owned())),
        }
    }

    /// Sees to it that there is a connection.
    pub(super) async fn connect(&self) -> Result<(), Trouble> {
        let connected = self.connected();
        self.use_of(&connected).await?;
        Ok(())
    }

    /// The pulse as the server has it.
    pub(super) async fn pulse(&self) -> Result<i64, Trouble> {
        self.call(&Call::new(Name::Pulse), true).await
    }

    /// Runs a script; with `again`, once more if the connection breaks, when nobody knows whether it was run.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        call: &Call,
        again: bool,
    ) -> Result<T, Trouble> {
        let invocation = call.on(self.address.board());
        let mut tries = 0;
        loop {
            tries += 1;
            let connected = self.connected();
            let mut connection = self.use_of(&connected).await?;
            let error = match invocation.invoke_async(&mut connection).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let elsewhere = self.follow(&error);
            let broken = error.is_connection_dropped() && !error.is_timeout();
            if elsewhere || is_to_be_left(&error) {
                self.forget(&connected);
            }
            if tries == TRIES || !(elsewhere || (broken && again)) {
                let moved = self.state().moved.clone();
                return Err(explain(&self.address, moved.as_ref(), &error));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self) -> Arc<OnceCell<Connected>> {
        let mut state = self.state();
        let connected = state.connected.get();
        if connected.is_some_and(|connected| connected.broken.load(Ordering::Relaxed)) {
            state.connected = Arc::default();
        }
        Arc::clone(&state.connected)
    }

    fn forget(&self, connected: &Arc<OnceCell<Connected>>) {
        let mut state = self.state();
        if Arc::ptr_eq(&state.connected, connected) {
            state.connected = Arc::default();
        }
    }

    /// Whether the error says that the board is elsewhere; then that is where it is looked for from now on.
    fn follow(&self, error: &RedisError) -> bool {
        let Some((node, _)) = error.redirect_node() else {
            return false;
        };
        let Some((host, port)) = node.rsplit_once(':') else {
            return false;
        };
        let Ok(port) = port.parse() else {
            return false;
        };
        // A node that does not know its own name leaves it out.
        let host = match self.address.info().addr() {
            ConnectionAddr::Tcp(known, _) | ConnectionAddr::TcpTls { host: known, .. }
                if host.is_empty() =>
            {
                known.as_str()
            }
            _ => host.trim_matches(['[', ']']),
        };
        self.state().moved = Some((host.to_owned(), port));
        true
    }

    async fn use_of(
        &self,
        connected: &OnceCell<Connected>,
    ) -> Result<MultiplexedConnection, Trouble> {
        let connected = connected.get_or_try_init(|| self.make()).await?;
        Ok(connected.connection.clone())
    }

    /// Makes a connection to the node that has the board.
    async fn make(&self) -> Result<Connected, Trouble> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.open(self.node()).await {
                Ok(made) => return made,
                Err(error) => error,
            };
            if !self.follow(&error) {
                // If that node is gone, the one in the URL knows who has the board now.
                let moved = self.state().moved.take();
                return Err(explain(&self.address, moved.as_ref(), &error));
            }
            if tries == TRIES {
                return Err(explain(&self.address, None, &error));
            }
        }
    }

    /// Where the board is, as far as is known.
    fn node(&self) -> ConnectionInfo {
        let info = self.address.info().clone();
        let Some((host, port)) = self.state().moved.clone() else {
            return info;
        };
        let addr = match info.addr() {
            ConnectionAddr::TcpTls {
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        info.set_addr(addr)
    }

    /// Opens a connection; within, what is wrong with a server that could be reached.
    async fn open(&self, info: ConnectionInfo) -> RedisResult<Result<Connected, Trouble>> {
        // Whoever was first in this process has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let broken = Arc::new(AtomicBool::new(false));
        let (pulse, lost) = (self.pulse.clone(), Arc::clone(&broken));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_push_sender(move |push: PushInfo| -> Result<(), redis::aio::SendError> {
                if push.kind == PushKind::Message {
                    let beat = push
                        .data
                        .get(1)
                        .and_then(|beat| i64::from_redis_value_ref(beat).ok());
                    if let Some(beat) = beat {
                        pulse.heard(beat);
                    }
                } else if push.kind == PushKind::Disconnection {
                    lost.store(true, Ordering::Relaxed);
                    // Those who wait look, and so connect again.
                    pulse.missed();
                }
                Ok(())
            });
        let client = Client::open(info)?;
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        // Redis 6.0 wants to be told the version of the protocol, and then tells its own.
        let mut hello = redis::cmd("HELLO");
        let hello: Vec<(String, Value)> = hello.arg(3).query_async(&mut connection).await?;
        let told = |name| {
            let told = hello.iter().find(|(known, _)| known == name);
            told.and_then(|(_, value)| from_redis_value_ref::<String>(value).ok())
                .unwrap_or_default()
        };
        let (version, role, mode) = (told("version"), told("role"), told("mode"));
        if let Some(trouble) = unfit(&self.address, &version, &role, &mode) {
            return Ok(Err(trouble));
        }
        let channel = self.address.key("pulse");
        connection.subscribe(&channel).await?;
        let mut told = async |section| {
            let mut info = redis::cmd("INFO");
            let about: RedisResult<String> = info.arg(section).query_async(&mut connection).await;
            about
        };
        let (server, memory) = (told("server").await?, told("memory").await?);
        self.doubt(&memory);
        let meet = Call::new(Name::Meet).arg(field(&server, "run_id").unwrap_or_default());
        // The pulse too: what was said while nobody listened.
        let meet = meet.on(self.address.board());
        self.pulse.read(meet.invoke_async(&mut connection).await?);
        Ok(Ok(Connected { connection, broken }))
    }

    /// Warns, once, of a server that throws away what it has no room for.
    fn doubt(&self, memory: &str) {
        let policy = field(memory, "maxmemory_policy").unwrap_or("noeviction");
        let bounded = field(memory, "maxmemory").is_some_and(|most| most != "0");
        if bounded && policy != "noeviction" && !self.doubted.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the job board may be thrown away in parts: `{}` has maxmemory-policy {policy}: CONFIG SET maxmemory-policy \
                 noeviction, or give the board a server of its own",
                self.address.shown()
            );
        }
    }
}

/// What a server says of one thing, within what it says of itself.
fn field<'a>(about: &'a str, name: &str) -> Option<&'a str> {
    let told = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    about.lines().find_map(told)
}

/// Whether another connection may be better: this one is broken or silent, or leads to a server that has become another
/// one's replica.
fn is_to_be_left(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_unrecoverable_error()
        || error.is_cluster_error()
        || matches!(&*code(error), "READONLY" | "MASTERDOWN" | "LOADING")
}
