//! Time that passes only when everything waits, and chance that comes from a seed.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use jobrunner::model::Timestamp;
use jobrunner::ports::Clock;
use tokio::sync::Notify;

/// Milliseconds of a whole run; whoever waits is woken in the order of the instants, then of the calls.
#[derive(Default)]
pub struct Time {
    timers: Mutex<Timers>,
    turns: AtomicU64,
}

/// How often anything may be waited for in one run.
const TURNS: u64 = 3_000_000;

#[derive(Default)]
struct Timers {
    now: i64,
    last: u64,
    waiting: BTreeMap<(i64, u64), Waker>,
}

impl Time {
    /// When every run begins: some time in 2026.
    const BEGIN: i64 = 1_795_500_000_000;

    pub fn new() -> Arc<Self> {
        let timers = Timers {
            now: Self::BEGIN,
            ..Timers::default()
        };
        Arc::new(Self {
            timers: Mutex::new(timers),
            turns: AtomicU64::new(0),
        })
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.timers.lock().unwrap().now)
    }

    /// Milliseconds since the run began.
    pub fn passed(&self) -> i64 {
        self.now().0 - Self::BEGIN
    }

    /// Goes to the next instant that anybody waits for: to be called when nothing else can happen.
    pub fn advance(&self) {
        assert!(
            self.turns.fetch_add(1, Ordering::Relaxed) < TURNS,
            "E10: it goes on for ever"
        );
        let next = {
            let mut timers = self.timers.lock().unwrap();
            let next = timers.waiting.pop_first();
            if let Some(((at, _), _)) = &next {
                timers.now = timers.now.max(*at);
            }
            next
        };
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }

    pub fn sleep_until(self: &Arc<Self>, instant: Timestamp) -> Sleep {
        Sleep {
            time: Arc::clone(self),
            instant: instant.0,
            place: None,
        }
    }

    pub fn sleep(self: &Arc<Self>, duration: Duration) -> Sleep {
        self.sleep_until(self.now().plus(duration))
    }
}

/// Waits for an instant.
pub struct Sleep {
    time: Arc<Time>,
    instant: i64,
    place: Option<(i64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = Arc::clone(&self.time);
        let mut timers = time.timers.lock().unwrap();
        if timers.now >= self.instant {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or_else(|| {
            timers.last += 1;
            (self.instant, timers.last)
        });
        self.place = Some(place);
        timers.waiting.insert(place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.time.timers.lock().unwrap().waiting.remove(&place);
        }
    }
}

/// A value that is waited for. Whoever waits is told in the order in which they came; clones share the value.
#[derive(Clone, Default)]
pub struct Shared<T>(Arc<(Mutex<T>, Notify)>);

impl<T: Copy> Shared<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new((Mutex::new(value), Notify::new())))
    }

    pub fn get(&self) -> T {
        *self.0.0.lock().unwrap()
    }

    pub fn set(&self, value: T) {
        *self.0.0.lock().unwrap() = value;
        self.0.1.notify_waiters();
    }

    /// Returns when the value is as it is wanted.
    pub async fn wait_for(&self, wanted: impl Fn(T) -> bool) {
        loop {
            let mut change = std::pin::pin!(self.0.1.notified());
            change.as_mut().enable();
            if wanted(self.get()) {
                return;
            }
            change.await;
        }
    }
}

/// Whether a machine is frozen. As long as it is, nothing that it waits for reaches it.
pub type Gate = Shared<bool>;

impl Gate {
    /// Returns when the machine is not frozen.
    pub async fn pass(&self) {
        self.wait_for(|frozen| !frozen).await;
    }
}

/// The clock of one machine: it may be set wrong, and it stands still for a machine that is frozen.
pub struct MachineClock {
    pub time: Arc<Time>,
    pub gate: Gate,
    /// By how many milliseconds it is ahead.
    pub ahead: i64,
}

#[async_trait]
impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.time.now().0 + self.ahead)
    }

    async fn sleep_until(&self, instant: Timestamp) {
        let instant = instant.0.saturating_sub(self.ahead);
        self.time.sleep_until(Timestamp(instant)).await;
        self.gate.pass().await;
    }

    async fn sleep(&self, duration: Duration) {
        self.time.sleep(duration).await;
        self.gate.pass().await;
    }
}

/// Chance from a seed: the same calls in the same order give the same numbers.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<fastrand::Rng>>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// A number from 0 up to, and without, `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.0.lock().unwrap().u64(0..end.max(1))
    }

    pub fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A duration between two numbers of milliseconds; short ones are as likely as long ones.
    pub fn millis(&self, from: u64, to: u64) -> Duration {
        let span = (to.max(from + 1) as f64 / from.max(1) as f64).ln();
        let drawn = self.0.lock().unwrap().f64() * span;
        Duration::from_millis((from.max(1) as f64 * drawn.exp()) as u64)
    }

    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}
